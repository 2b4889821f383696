// Sentences on their way through a model: encoded together, then a token further on all their beams at each step.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "model.h"

namespace endash {

// Keys and values, in 16 or 32 bits as the model's precision has it.
class Cells {
public:
    explicit Cells(bool half = false) : half_(half) {}
    void resize(size_t count) { half_ ? halves_.resize(count) : floats_.resize(count); }
    size_t size() const { return half_ ? halves_.size() : floats_.size(); }
    size_t bytes() const { return halves_.capacity() * sizeof(Half) + floats_.capacity() * sizeof(float); }
    bool half() const { return half_; }
    Half* halves(size_t at) { return halves_.data() + at; }
    float* floats(size_t at) { return floats_.data() + at; }
    void write(const Kernels& k, size_t at, const float* from, int width) {
        half_ ? k.to_half(from, halves(at), width) : (void)std::memcpy(floats(at), from, sizeof(float) * width);
    }

private:
    bool half_;
    std::vector<Half> halves_;
    std::vector<float> floats_;
};

// What the keys and values of a read, or of an encoder's layer, are kept in.
struct Shared {
    Cells keys, values;
    int length = 0, room = 0;
};

// One source and its beams: what a step needs of them.
struct Sentence {
    std::vector<int> tokens;             // of the source; where its memory is given they are not read
    std::vector<std::vector<float>> memory;  // (length, memory width): its states, or those of each layer
    int length = 0;                      // of the source, or of its memory
    int width = 1;                       // most beams it will have
    int beams = 1, position = 0;
    std::vector<int> last;               // the token that each beam was given last
    std::vector<Shared> reads;
    Cells past;                          // (layers, time, width, keys and values)
    int past_room = 0;                   // times that fit
    std::vector<uint16_t> ancestors;     // (beams, time): the beam that wrote each token of this one
    int ancestor_room = 0;
    Cells prefix;                        // (layers, length, keys and values)
    std::vector<float> recurrent;        // (layers, width, D)
    bool watched = false;                // of one beam: what its tokens read is kept
    std::vector<float> seen;             // (time, length padded to LANES): shares of each source position, summed over reads and heads
    std::unique_ptr<Arena> gathered;     // its own columns of the projection
    Matrix own;
    std::vector<int> own_tokens;
    size_t bytes() const;
};

// What a thread works with: a model, and buffers that grow to what is asked of them.
class Step {
public:
    explicit Step(const Model& model);

    // Reads the sources together, or the memories that are given, and leaves each sentence ready for its first step.
    void open(const std::vector<Sentence*>& sentences);
    // Brings every beam of each sentence a token further; `hidden` then holds a row for each beam, in order.
    void advance(const std::vector<Sentence*>& sentences);
    // The rows of a sentence go on from `parents`.
    void reorder(Sentence& sentence, const std::vector<int>& parents);

    Rows hidden(int first, int count) const;
    // log2 scores (count, projection.outputs) of these rows, all tokens
    void scores(int first, int count, float* out) const;

private:
    struct Buffer {  // of Rows
        std::vector<float> values, scale, low;
        std::vector<uint8_t> bytes;
        Rows rows(int count, int width);
        int width = 0;
    };
    template <class Attend, class Read>
    void layer(const Layer& layer, const Stack& stack, int index, int rows, Attend attend, Read read);
    void feed_forward(const Layer& layer, const Stack& stack, int rows);
    Rows enter(const Norm& norm, const Stack& stack, int rows);
    void leave(const Matrix& output, const Rows& from, const Norm& norm, const Stack& stack);
    Rows finish(const Stack& stack, int rows);
    void embed(const Embedding& from, const Stack& stack, int token, int position, float* to);
    const float* place(const Stack& stack, int position);
    void turn(const Attention& attention, float* heads, int count, int position);
    void attend(Shared& shared, const Heads& heads, const float* queries, int stride, int count, const Rows& out, int first, float* seen = nullptr);
    Rows context(const Attention& attention, int rows);
    void share(Shared& shared, const Heads& heads, const float* keys, const float* values, int stride, int count);
    void encode(const std::vector<Sentence*>& sentences, std::vector<std::vector<float>>& views);
    void open_reads(const std::vector<Sentence*>& sentences, const std::vector<std::vector<float>>& views);
    void open_prefix(Sentence& sentence, const float* states);
    void remember(Sentence& sentence, int layer, int beam, const float* keys_values);
    void recall(Sentence& sentence, const Heads& heads, int layer, int beam, const float* query, float* out);
    bool quantises() const { return model_.settings.precision == Precision::int8; }
    float* wide(int rows, int width);
    float* scratch(size_t count);

    const Model& model_;
    const Kernels& k_;
    Buffer stream_, normed_, context_, inner_;
    Rows hidden_;
    std::vector<float> wide_, summed_, scratch_;
    std::vector<const void*> cells_;
    struct Table {
        std::vector<float> rows;
        int length = 0;
    };
    Table sines_[2];     // of the encoder and the decoder
    std::unordered_map<int, Table> turns_;  // of heads of a width: cosine and sine of each position and pair, in turn
};

}  // namespace endash
