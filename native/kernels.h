// What the instruction sets are used for: one table of functions for each of them, chosen when the program runs.
//
// Widths are padded to multiples of LANES with zeros, columns of a matrix to multiples of PANEL.
#pragma once

#include <cstddef>
#include <cstdint>

namespace endash {

constexpr int LANES = 16;  // floats in a vector
constexpr int PANEL = 32;  // columns of a matrix that are multiplied together
using Half = uint16_t;

enum class Precision { int8, bfloat16, float32 };
enum class Activation { relu, gelu, silu, silu_gated };

// A weight matrix by panels of 32 columns. One word of a panel holds what one column has for 4 inputs in int8, 2 in bfloat16,
// 1 in float32, so that one loop multiplies all three.
struct Matrix {
    int inputs = 0, outputs = 0;  // padded
    Precision precision = Precision::float32;
    const void* panels = nullptr;
    const float* bias = nullptr;
    const float* scale = nullptr;   // int8: of each column
    const float* shift = nullptr;   // int8: scale times the sum of the column
};

// Rows that a matrix multiplies. In int8 row r is low[r] + scale[r] * bytes.
struct Rows {
    int count = 0, stride = 0;  // of floats and of bytes alike
    float* values = nullptr;
    uint8_t* bytes = nullptr;
    float* scale = nullptr;
    float* low = nullptr;
};

struct Norm {
    int width = 0;  // without padding
    const float* gain = nullptr;
    const float* bias = nullptr;
    float epsilon = 1e-5f;
};

// Keys and values that several queries read: keys transposed (kv_heads, head, room), values (length, kv_heads, head).
template <class Cell>
struct SharedKeys {
    const Cell* keys;
    const Cell* values;
    int length, room;  // room: length padded to LANES
};

struct Heads {
    int heads = 0, kv_heads = 0, head = 0;  // head: width of one, padded
    int width() const { return heads * head; }
    int kv_width() const { return kv_heads * head; }
};

// What a row may not write.
struct Bans {
    const uint8_t* never = nullptr;  // by token
    const int* tokens = nullptr;
    int count = 0;
    int first_slot = 0, slots = 0, end = 0;
    const int* left = nullptr;  // how often each slot is still to be written
    bool only_slots = false, no_end = false;
    int only = -1;               // the one token that may be written, whatever else is said

    bool operator()(int token) const {
        if (only >= 0) return token != only;
        if (never && never[token]) return true;
        const bool slot = left && token >= first_slot && token < first_slot + slots;
        if (slot && left[token - first_slot] <= 0) return true;
        if ((only_slots && !slot) || (no_end && token == end)) return true;
        for (int i = 0; i < count; i++)
            if (tokens[i] == token) return true;
        return false;
    }
};

// The best `count` scores of each row so far, best first, and their tokens.
struct Best {
    int count = 0;
    float* scores = nullptr;  // (rows, count)
    int* tokens = nullptr;
    const Bans* bans = nullptr;       // of each row
    const int* tokens_of = nullptr;   // the token of each column, where these are not all tokens
};

struct Kernels {
    const char* name;
    int levels;  // a quantised activation is 0 … levels

    // out = rows * matrix + bias, then relu, then + residual
    void (*product)(const Matrix&, const Rows&, float* out, int stride, bool relu, const float* residual);
    // scores in units of log 2 of every column, entered among the best of each row; and 2 ** score added to
    // sums (rows, LANES), whose lanes make up one sum, unless there are none
    void (*project)(const Matrix&, const Rows&, const Best&, float* sums);
    void (*quantise)(const Rows&, int width);
    void (*normalise)(const Norm&, const float* in, int stride, const Rows& out, bool quantise);
    void (*activate)(Activation, float* rows, int count, int stride, int width);  // a gated one halves the width
    // c = f c + (1 - f) v, out = residual + relu(c), where gates hold f before its sigmoid and v behind it
    void (*recur)(const float* gates, float* cell, const float* residual, float* out, int width);
    // out = vector * scale + position; no position where it is null
    void (*embed_half)(const Half* vector, float scale, const float* position, float* out, int width);
    void (*embed_float)(const float* vector, float scale, const float* position, float* out, int width);
    // queries come scaled by log2(e) / √K; the shares of each head are added to `seen` (count, room), unless there is none
    void (*attend_half)(const SharedKeys<Half>&, const Heads&, const float* queries, int stride, int count, float* out, int out_stride, float* scores, float* seen);
    void (*attend_float)(const SharedKeys<float>&, const Heads&, const float* queries, int stride, int count, float* out, int out_stride, float* scores, float* seen);
    // one query over cells of its own: each (2, kv_heads, head), keys before values
    void (*recall_half)(const Half* const* cells, int count, const Heads&, const float* query, float* out, float* scores);
    void (*recall_float)(const float* const* cells, int count, const Heads&, const float* query, float* out, float* scores);
    void (*to_half)(const float* in, Half* out, int width);
};

extern const Kernels plain_kernels;
#ifdef ENDASH_X86
extern const Kernels avx2_kernels, avx512_kernels;
#endif

}  // namespace endash
