#include "model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace endash {

void* Arena::take(size_t bytes) {
    constexpr size_t line = 64, page = size_t(2) << 20;
    bytes = (bytes + line - 1) / line * line;
    taken_ += bytes;
    if ((size_t)(end_ - next_) < bytes || !next_) {
        const bool large = block_ >= page;
        const size_t unit = large ? page : line, size = (std::max(bytes, block_) + unit - 1) / unit * unit;
        void* p = std::aligned_alloc(unit, size);
        if (!p) throw std::bad_alloc();
#ifdef __linux__
        if (large) madvise(p, size, MADV_HUGEPAGE);
#endif
        blocks_.push_back(p);
        next_ = static_cast<char*>(p), end_ = next_ + size;
    }
    void* p = next_;
    next_ += bytes;
    return p;
}

Arena::~Arena() {
    for (void* p : blocks_) std::free(p);
}

namespace {

// One column of a matrix to be: its weights over the inputs, none for a column of padding, and what all of it is multiplied by.
struct Column {
    const float* weights = nullptr;
    float bias = 0, factor = 1;
};

uint16_t bfloat16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if (std::isnan(x)) return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace

// Finds parameters by name, and packs them.
class Builder {
public:
    Builder(const Tensors& tensors, Model& model) : tensors_(tensors), model_(model), arena_(model.arena_) {}

    const Tensor& find(const std::string& name, std::vector<size_t> shape) const {
        const auto at = tensors_.find(name);
        if (at == tensors_.end()) throw std::invalid_argument("the model has no parameter " + name);
        if (at->second.shape != shape) throw std::invalid_argument("parameter " + name + " is of another shape than the settings ask for");
        return at->second;
    }

    std::vector<Column> columns(const std::string& name, size_t outputs, size_t inputs, float factor = 1, bool biased = true) const {
        const float* weights = find(name + ".weight", {outputs, inputs}).data;
        const float* bias = biased ? find(name + ".bias", {outputs}).data : nullptr;
        std::vector<Column> found(outputs);
        for (size_t i = 0; i < outputs; i++) found[i] = {weights + i * inputs, bias ? bias[i] : 0, factor};
        return found;
    }

    // Columns of heads, each padded to whole vectors.
    static std::vector<Column> by_heads(const std::vector<Column>& columns, int head) {
        std::vector<Column> found;
        for (size_t at = 0; at < columns.size(); at += head) {
            found.insert(found.end(), columns.begin() + at, columns.begin() + at + head);
            found.resize(padded((int)found.size(), LANES));
        }
        return found;
    }

    // Where each input of a matrix comes from, -1 for padding.
    static std::vector<int> inputs(int width, int head = 0) {
        std::vector<int> from;
        for (int i = 0; i < width; i++) {
            from.push_back(i);
            if (head && (i + 1) % head == 0) from.resize(padded((int)from.size(), LANES), -1);
        }
        from.resize(padded((int)from.size()), -1);
        return from;
    }

    Matrix pack(std::vector<Column> columns, const std::vector<int>& from, bool keep = false) {
        columns.resize(padded((int)columns.size()));
        const int K = (int)from.size(), N = (int)columns.size();
        Matrix m{K, N, model_.settings.precision, nullptr, nullptr, nullptr, nullptr};
        const bool bytes = m.precision == Precision::int8;
        const int each = bytes ? 4 : m.precision == Precision::bfloat16 ? 2 : 1;
        auto* panels = arena_.take<uint32_t>((size_t)K / each * N);
        auto *bias = arena_.take<float>(N), *scale = bytes ? arena_.take<float>(N) : nullptr, *shift = bytes ? arena_.take<float>(N) : nullptr;
        std::vector<float> w(K);
        std::vector<int8_t> q(K);
        if (keep && bytes) model_.columns_.resize((size_t)K * N);
        for (int n = 0; n < N; n++) {
            const Column& c = columns[n];
            for (int k = 0; k < K; k++) w[k] = c.weights && from[k] >= 0 ? c.weights[from[k]] * c.factor : 0;
            bias[n] = c.bias * c.factor;
            uint32_t* to = panels + (size_t)(n / PANEL) * (K / each) * PANEL + n % PANEL;
            if (bytes) {
                quantise(w, q, scale[n], shift[n]);
                for (int k = 0; k < K; k += 4) std::memcpy(to + (size_t)k / 4 * PANEL, &q[k], 4);
                if (keep) std::copy(q.begin(), q.end(), model_.columns_.begin() + (size_t)n * K);
            } else if (each == 2) {
                for (int k = 0; k < K; k += 2) to[(size_t)k / 2 * PANEL] = bfloat16(w[k]) | (uint32_t)bfloat16(w[k + 1]) << 16;
            } else {
                for (int k = 0; k < K; k++) std::memcpy(to + (size_t)k * PANEL, &w[k], 4);
            }
        }
        m.panels = panels, m.bias = bias, m.scale = scale, m.shift = shift;
        return m;
    }

    Matrix linear(const std::string& name, int outputs, int width) { return pack(columns(name, outputs, width), inputs(width)); }

    const float* line(const float* values, int width) {
        auto* line = arena_.take<float>(padded(width));
        std::fill_n(line, padded(width), 0.f);
        std::copy_n(values, width, line);
        return line;
    }

    Norm norm(const std::string& name, int width) {
        const auto size = (size_t)width;
        return {width, line(find(name + ".weight", {size}).data, width), line(find(name + ".bias", {size}).data, width), 1e-5f};
    }

    Attention attention(const std::string& name, int width, int source_width, int heads, int kv_heads, bool itself) {
        const int K = width / heads;
        Attention a{{heads, kv_heads, padded(K, LANES)}, K, {}, {}, {}};
        auto query = by_heads(columns(name + ".query", width, width, 1.44269504f / std::sqrt((float)K)), K);
        auto key_value = by_heads(columns(name + ".key_value", 2 * kv_heads * K, source_width), K);
        if (itself) {
            query.insert(query.end(), key_value.begin(), key_value.end());
        } else {
            a.key_value = pack(key_value, inputs(source_width));
        }
        a.query = pack(query, inputs(width));
        a.output = pack(columns(name + ".output", width, width), inputs(width, K));
        return a;
    }

    Stack stack(const std::string& name, const Side& side, bool reads) {
        Stack s{side, padded(side.width), {}, {}, nullptr, 0};
        const int D = side.width;
        for (int i = 0; i < side.layers; i++) {
            const std::string at = name + ".layers." + std::to_string(i);
            Layer layer;
            if (side.recurrent) {
                auto gates = columns(at + ".ssru.forget", D, D);
                gates.resize(s.width);
                const auto value = columns(at + ".ssru.value", D, D, 1, false);
                gates.insert(gates.end(), value.begin(), value.end());
                layer.gates = pack(gates, inputs(D));
            } else {
                layer.itself = attention(at + ".attention", D, D, side.heads, side.kv_heads, true);
            }
            layer.around_first = norm(at + (side.recurrent ? ".around_ssru.norm" : ".around_attention.norm"), D);
            if (reads) layer.around_link = norm(at + ".around_link.norm", D);
            layer.around_feed_forward = norm(at + ".around_feed_forward.norm", D);
            const bool gated = side.activation == Activation::silu_gated;
            auto inner = columns(at + ".feed_forward.inner", (gated ? 2 : 1) * side.feed_forward, D);
            if (gated) inner.insert(inner.begin() + side.feed_forward, padded(side.feed_forward) - side.feed_forward, Column{});
            layer.inner = pack(inner, inputs(D));
            layer.output = pack(columns(at + ".feed_forward.output", D, side.feed_forward), inputs(side.feed_forward));
            s.layers.push_back(layer);
        }
        if (side.pre_norm) s.last = norm(name + ".norm", D);
        if (side.positions == Positions::learned) {
            const auto at = tensors_.find(name + ".positions.table");
            if (at == tensors_.end() || at->second.shape.size() != 2 || at->second.shape[1] != (size_t)D)
                throw std::invalid_argument("parameter " + name + ".positions.table is missing or of another width");
            s.table_length = (int)at->second.shape[0];
            auto* table = arena_.take<float>((size_t)s.table_length * s.width);
            std::fill_n(table, (size_t)s.table_length * s.width, 0.f);
            for (int t = 0; t < s.table_length; t++) std::copy_n(at->second.data + (size_t)t * D, D, table + (size_t)t * s.width);
            s.table = table;
        }
        return s;
    }

    Embedding embedding(const std::string& name, int size, int width) {
        const float* from = find(name + ".weight", {(size_t)size, (size_t)width}).data;
        Embedding e{nullptr, nullptr, padded(width), std::sqrt((float)width)};
        std::vector<float> row(e.width);
        auto* full = model_.half_cells() ? nullptr : arena_.take<float>((size_t)size * e.width);
        auto* half = model_.half_cells() ? arena_.take<Half>((size_t)size * e.width) : nullptr;
        for (int i = 0; i < size; i++) {
            std::copy_n(from + (size_t)i * width, width, row.begin());
            if (full) std::copy(row.begin(), row.end(), full + (size_t)i * e.width);
            if (half) model_.kernels.to_half(row.data(), half + (size_t)i * e.width, e.width);
        }
        e.full = full, e.half = half;
        return e;
    }

private:
    static void quantise(const std::vector<float>& w, std::vector<int8_t>& q, float& scale, float& shift) {
        float most = 0;
        bool broken = false;
        for (float x : w) most = std::max(most, std::fabs(x)), broken |= !std::isfinite(x);
        scale = most > 0 ? most / 127 : 1;
        int sum = 0;
        for (size_t k = 0; k < w.size(); k++) sum += q[k] = broken ? 0 : (int8_t)std::lrint(w[k] / scale);
        if (broken) scale = NAN;  // so that it is found where a row is decoded, as in every other precision
        shift = scale * (float)sum;
    }

    const Tensors& tensors_;
    Model& model_;
    Arena& arena_;
};

Model::Model(const Settings& s, const Tensors& tensors, const Kernels& k) : settings(s), kernels(k) {
    Builder build(tensors, *this);
    const int D = s.decoder.width;
    if (s.encoder.layers) {
        source = build.embedding("source_embedding", s.source_size, s.encoder.width);
        encoder = build.stack("encoder", s.encoder, false);
    }
    target = build.embedding("target_embedding", s.target_size, D);
    decoder = build.stack("decoder", s.decoder, s.link_heads > 0);
    if (s.views != Settings::Views::states)
        for (int i = 0; i < s.memory_depth; i++) view_norms.push_back(build.norm(s.link + ".norms." + std::to_string(i), s.memory_width));
    if (s.views == Settings::Views::mixed) {
        const float* raw = build.find(s.link + ".shares", {(size_t)s.decoder.layers, (size_t)s.memory_depth}).data;
        for (int r = 0; r < s.decoder.layers; r++, raw += s.memory_depth) {
            float total = 0;
            for (int i = 0; i < s.memory_depth; i++) total += std::exp(raw[i]);
            for (int i = 0; i < s.memory_depth; i++) shares.push_back(std::exp(raw[i]) / total);
        }
    }
    for (int r = 0; s.link_heads && r < s.decoder.layers; r++)
        reads.push_back(build.attention(s.link + ".attention." + std::to_string(r), D, s.memory_width, s.link_heads, s.link_kv_heads, false));
    if (s.prefix) prefix = build.linear(s.link + ".project", D, s.memory_width);
    auto columns = build.columns("head", s.target_size, D, 1.44269504f);
    for (int i = padded((int)columns.size()) - (int)columns.size(); i > 0; i--) columns.push_back({nullptr, -1e30f, 1});
    projection = build.pack(columns, Builder::inputs(D), true);
    never.assign(projection.outputs + 1, 1);  // what is padding is no token: neither in the projection nor, one further, in a list
    std::fill_n(never.begin(), s.target_size, 0);
    for (int token : s.never) never.at(token) = 1;
}

Matrix Model::gather(const int* tokens, int count, Arena& arena) const {
    Matrix m = projection;
    m.outputs = padded(count);
    const int each = m.precision == Precision::int8 ? 4 : m.precision == Precision::bfloat16 ? 2 : 1, words = m.inputs / each;
    auto* panels = arena.take<uint32_t>((size_t)words * m.outputs);
    const bool bytes = m.precision == Precision::int8;
    auto *bias = arena.take<float>(m.outputs), *scale = bytes ? arena.take<float>(m.outputs) : nullptr, *shift = bytes ? arena.take<float>(m.outputs) : nullptr;
    for (int first = 0; first < m.outputs; first += PANEL) {
        const uint32_t* from[PANEL];
        const int stride = bytes ? 1 : PANEL;
        for (int n = 0; n < PANEL; n++) {
            const bool real = first + n < count;
            const int token = real ? tokens[first + n] : 0, at = first + n;
            from[n] = bytes ? (const uint32_t*)(columns_.data() + (size_t)token * m.inputs)
                            : (const uint32_t*)m.panels + (size_t)(token / PANEL) * words * PANEL + token % PANEL;
            bias[at] = real ? m.bias[token] : -1e30f;
            if (bytes) scale[at] = real ? m.scale[token] : 0, shift[at] = real ? m.shift[token] : 0;
        }
        uint32_t* to = panels + (size_t)first * words;
        for (int k = 0; k < words; k++, to += PANEL)
            for (int n = 0; n < PANEL; n++) to[n] = from[n][(size_t)k * stride];
    }
    m.panels = panels, m.bias = bias, m.scale = scale, m.shift = shift;
    return m;
}

double Model::speed(const Kernels& kernels, Precision precision, int rows, int inputs, int outputs) {
    const int each = precision == Precision::int8 ? 4 : precision == Precision::bfloat16 ? 2 : 1;
    Arena arena;
    auto zeros = [&](size_t bytes) {
        void* p = arena.take(bytes);
        std::memset(p, 0, bytes);
        return p;
    };
    auto* line = (const float*)zeros(sizeof(float) * outputs);
    const Matrix m{inputs, outputs, precision, zeros((size_t)4 * inputs / each * outputs), line, line, line};
    const Rows in{rows, inputs, (float*)zeros((size_t)4 * rows * inputs), (uint8_t*)zeros((size_t)rows * inputs), (float*)zeros(4 * rows), (float*)zeros(4 * rows)};
    auto* out = (float*)zeros((size_t)4 * rows * outputs);
    double best = 0;
    for (int round = 0; round < 5; round++) {
        const auto start = std::chrono::steady_clock::now();
        int times = 0;
        double seconds;
        do {
            kernels.product(m, in, out, outputs, false, nullptr);
            times++;
            seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        } while (seconds < 0.01);
        best = std::max(best, (double)rows * inputs * outputs * times / seconds);
    }
    return best;
}

}  // namespace endash
