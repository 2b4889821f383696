// A model's parameters, packed for the kernels.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels.h"

namespace endash {

// Memory of packed parameters, taken from the system in blocks; those of some megabytes in large pages where there are such.
class Arena {
public:
    explicit Arena(size_t block = size_t(8) << 20) : block_(block) {}
    void* take(size_t bytes);
    template <class T>
    T* take(size_t count) {
        return static_cast<T*>(take(count * sizeof(T)));
    }
    size_t size() const { return taken_; }
    Arena(const Arena&) = delete;
    ~Arena();

private:
    const size_t block_;
    std::vector<void*> blocks_;
    char *next_ = nullptr, *end_ = nullptr;
    size_t taken_ = 0;
};

struct Tensor {
    const float* data = nullptr;
    std::vector<size_t> shape;
};
using Tensors = std::unordered_map<std::string, Tensor>;

enum class Positions { sinusoidal, learned, rotary };

// What an encoder or a decoder of layers is made of; widths without padding.
struct Side {
    int width = 0, layers = 0, heads = 0, kv_heads = 0, feed_forward = 0;
    Activation activation = Activation::relu;
    Positions positions = Positions::sinusoidal;
    bool pre_norm = false;
    bool causal = false;     // an encoder: a position sees no later one
    bool recurrent = false;  // a decoder: SSRU and not self-attention
};

struct Settings {
    Precision precision = Precision::float32;
    Side encoder, decoder;  // an encoder of no layers is not here: memories are given
    int memory_width = 0, memory_depth = 0;
    int link_heads = 0, link_kv_heads = 0;  // 0: the link reads nothing
    std::string link = "link";              // where its parameters are
    enum class Views { states, layerwise, mixed } views = Views::states;  // what the reads attend to
    bool prefix = false;
    int source_size = 0, target_size = 0;
    std::vector<int> never;  // tokens that are never written
    int bos = 0, eos = 0, first_slot = 0, slots = 0;
};

struct Embedding {
    const Half* half = nullptr;
    const float* full = nullptr;
    int width = 0;  // padded
    float scale = 1;
};

struct Attention {
    Heads heads;
    int head = 0;  // width without padding
    Matrix query, key_value, output;  // itself: query holds all three
};

struct Layer {
    Attention itself;
    Matrix gates;  // SSRU, in place of it
    Norm around_first, around_link, around_feed_forward;
    Matrix inner, output;
};

struct Stack {
    Side side;
    int width = 0;  // padded
    std::vector<Layer> layers;
    Norm last;
    const float* table = nullptr;  // learned positions (table_length, width)
    int table_length = 0;
};

class Model {
public:
    Model(const Settings&, const Tensors&, const Kernels&);

    const Settings settings;
    const Kernels& kernels;
    Embedding source, target;
    Stack encoder, decoder;
    std::vector<Attention> reads;  // of each layer of the decoder
    std::vector<Norm> view_norms;
    std::vector<float> shares;  // views mixed: (reads, depth), after their softmax
    Matrix prefix;
    Matrix projection;           // its scores are log2 probabilities before normalisation
    std::vector<uint8_t> never;  // by token
    size_t bytes() const { return arena_.size(); }
    bool half_cells() const { return settings.precision != Precision::float32; }

    // Columns of the projection by themselves, into `words` of whole panels.
    Matrix gather(const int* tokens, int count, Arena&) const;

    // How fast `product` multiplies, in multiplications and additions a second.
    static double speed(const Kernels&, Precision, int rows, int inputs, int outputs);

private:
    friend class Builder;
    Arena arena_;
    std::vector<int8_t> columns_;  // int8: the projection's columns, for gather
};

constexpr int padded(int width, int to = PANEL) { return (width + to - 1) / to * to; }

}  // namespace endash
