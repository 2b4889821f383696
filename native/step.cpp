#include "step.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace endash {
namespace {

// t · 10000^(-2i / width) as PyTorch's path has it: in double, then rounded to float
float angle(int t, int i, int width) {
    const double rate = std::exp(2.0 * i * (-(double)std::log(10000.f) / width));
    return (float)(t * rate);
}

}  // namespace

size_t Sentence::bytes() const {
    size_t total = past.bytes() + prefix.bytes() + recurrent.capacity() * sizeof(float);
    for (const Shared& s : reads) total += s.keys.bytes() + s.values.bytes();
    for (const auto& m : memory) total += m.capacity() * sizeof(float);
    return total + (gathered ? gathered->size() : 0);
}

Step::Step(const Model& model) : model_(model), k_(model.kernels) {}

Rows Step::Buffer::rows(int count, int wanted) {
    if (wanted != width || (size_t)count > scale.size()) {
        width = wanted;
        const size_t room = std::max((size_t)count, scale.size());
        values.assign(room * width, 0.f), bytes.assign(room * width, 0);
        scale.assign(room, 0.f), low.assign(room, 0.f);
    }
    return {count, width, values.data(), bytes.data(), scale.data(), low.data()};
}

float* Step::wide(int rows, int width) {
    if (wide_.size() < (size_t)rows * width) wide_.resize((size_t)rows * width);
    return wide_.data();
}

float* Step::scratch(size_t count) {
    if (scratch_.size() < count) scratch_.resize(count);
    return scratch_.data();
}

Rows Step::hidden(int first, int count) const {
    const size_t at = (size_t)first * hidden_.stride;
    return {count, hidden_.stride, hidden_.values + at, hidden_.bytes + at, hidden_.scale + first, hidden_.low + first};
}

void Step::scores(int first, int count, float* out) const {
    k_.product(model_.projection, hidden(first, count), out, model_.projection.outputs, false, nullptr);
}

// ---- positions

const float* Step::place(const Stack& stack, int position) {
    if (stack.side.positions == Positions::rotary) return nullptr;
    if (stack.side.positions == Positions::learned) {
        if (position >= stack.table_length)
            throw std::out_of_range(std::to_string(position + 1) + " positions are more than the " + std::to_string(stack.table_length) + " learned ones");
        return stack.table + (size_t)position * stack.width;
    }
    Table& table = sines_[&stack == &model_.decoder];
    if (position >= table.length) {
        const int length = std::max(64, 2 * position), D = stack.side.width;
        table.rows.assign((size_t)length * stack.width, 0.f);
        for (int t = 0; t < length; t++)
            for (int i = 0; i < D; i++) {
                const double a = angle(t, i / 2, D);
                table.rows[(size_t)t * stack.width + i] = (float)(i % 2 ? std::cos(a) : std::sin(a));
            }
        table.length = length;
    }
    return table.rows.data() + (size_t)position * stack.width;
}

// Turns each of `count` padded heads by its position.
void Step::turn(const Attention& attention, float* heads, int count, int position) {
    const int K = attention.head, half = K / 2;
    Table& table = turns_[K];
    for (; table.length <= position; table.length++)
        for (int i = 0; i < half; i++) {
            const double a = angle(table.length, i, K);
            table.rows.push_back((float)std::cos(a)), table.rows.push_back((float)std::sin(a));
        }
    const float* line = table.rows.data() + (size_t)position * 2 * half;
    for (int h = 0; h < count; h++) {
        float* x = heads + (size_t)h * attention.heads.head;
        for (int i = 0; i < half; i++) {
            const float left = x[i], right = x[half + i], cos = line[2 * i], sin = line[2 * i + 1];
            x[i] = left * cos - right * sin, x[half + i] = right * cos + left * sin;
        }
    }
}

void Step::embed(const Embedding& from, const Stack& stack, int token, int position, float* to) {
    const float* at = place(stack, position);
    const size_t row = (size_t)token * from.width;
    from.half ? k_.embed_half(from.half + row, from.scale, at, to, from.width) : k_.embed_float(from.full + row, from.scale, at, to, from.width);
}

// ---- the residual path: x + f(norm(x)), or norm(x + f(x))

Rows Step::enter(const Norm& norm, const Stack& stack, int rows) {
    const Rows x = stream_.rows(rows, stack.width);
    if (!stack.side.pre_norm) return x;
    const Rows n = normed_.rows(rows, stack.width);
    k_.normalise(norm, x.values, x.stride, n, quantises());
    return n;
}

void Step::leave(const Matrix& output, const Rows& from, const Norm& norm, const Stack& stack) {
    const Rows x = stream_.rows(from.count, stack.width);
    if (quantises()) k_.quantise(from, output.inputs);
    if (stack.side.pre_norm) {
        k_.product(output, from, x.values, x.stride, false, x.values);
        return;
    }
    if (summed_.size() < (size_t)from.count * x.stride) summed_.resize((size_t)from.count * x.stride);
    k_.product(output, from, summed_.data(), x.stride, false, x.values);
    k_.normalise(norm, summed_.data(), x.stride, x, quantises());
}

Rows Step::finish(const Stack& stack, int rows) { return enter(stack.last, stack, rows); }

void Step::feed_forward(const Layer& layer, const Stack& stack, int rows) {
    const Rows in = enter(layer.around_feed_forward, stack, rows);
    Rows inner = inner_.rows(rows, layer.inner.outputs);
    const Activation kind = stack.side.activation;
    k_.product(layer.inner, in, inner.values, inner.stride, kind == Activation::relu, nullptr);
    if (kind != Activation::relu) k_.activate(kind, inner.values, rows, inner.stride, layer.inner.outputs);
    leave(layer.output, inner, layer.around_feed_forward, stack);
}

// `attend(qkv, stride, context)` is self-attention between the projections, `read(rows in)` the read through the link.
template <class Attend, class Read>
void Step::layer(const Layer& layer, const Stack& stack, int index, int rows, Attend attend, Read read) {
    Rows in = enter(layer.around_first, stack, rows);
    if (!stack.side.recurrent) {
        const Matrix& qkv = layer.itself.query;
        float* projected = wide(rows, qkv.outputs);
        k_.product(qkv, in, projected, qkv.outputs, false, nullptr);
        const Rows context = this->context(layer.itself, rows);
        attend(index, projected, qkv.outputs, context);
        leave(layer.itself.output, context, layer.around_first, stack);
    } else {
        float* gates = wide(rows, layer.gates.outputs);
        k_.product(layer.gates, in, gates, layer.gates.outputs, false, nullptr);
        const Rows x = stream_.rows(rows, stack.width);
        attend(index, gates, layer.gates.outputs, x);
        if (!stack.side.pre_norm) k_.normalise(layer.around_first, x.values, x.stride, x, quantises());
    }
    read(index, layer);
    feed_forward(layer, stack, rows);
}

// What attention writes to. Its padding is cleared: other heads, of another sentence, may have been written there.
Rows Step::context(const Attention& attention, int rows) {
    const Rows out = context_.rows(rows, attention.output.inputs);
    const int width = attention.heads.width();
    for (int r = 0; r < rows && width < out.stride; r++) std::fill_n(out.values + (size_t)r * out.stride + width, out.stride - width, 0.f);
    return out;
}

// ---- keys and values

void Step::share(Shared& shared, const Heads& heads, const float* keys, const float* values, int stride, int count) {
    const int width = heads.kv_width();
    shared.length = count, shared.room = padded(count, LANES);
    shared.keys.resize((size_t)width * shared.room);
    shared.values.resize((size_t)width * count);
    float* line = scratch(width);
    for (int n = 0; n < count; n++) {
        shared.values.write(k_, (size_t)n * width, values + (size_t)n * stride, width);
        const float* key = keys + (size_t)n * stride;
        if (shared.keys.half()) {
            auto* halves = (Half*)line;
            k_.to_half(key, halves, width);
            Half* to = shared.keys.halves(n);
            for (int i = 0; i < width; i++) to[(size_t)i * shared.room] = halves[i];
        } else {
            float* to = shared.keys.floats(n);
            for (int i = 0; i < width; i++) to[(size_t)i * shared.room] = key[i];
        }
    }
}

void Step::attend(Shared& shared, const Heads& heads, const float* queries, int stride, int count, const Rows& out, int first, float* seen) {
    float* to = out.values + (size_t)first * out.stride;
    float* scores = scratch((size_t)4 * std::max(shared.room, LANES));
    if (shared.keys.half())
        k_.attend_half({shared.keys.halves(0), shared.values.halves(0), shared.length, shared.room}, heads, queries, stride, count, to, out.stride, scores, seen);
    else
        k_.attend_float({shared.keys.floats(0), shared.values.floats(0), shared.length, shared.room}, heads, queries, stride, count, to, out.stride, scores, seen);
}

// ---- sources

void Step::open(const std::vector<Sentence*>& sentences) {
    const bool half = model_.half_cells();
    std::vector<std::vector<float>> views;  // what is read, (rows of all sentences, memory width padded)
    const bool given = !sentences.empty() && !sentences[0]->memory.empty();
    if (!given) {
        encode(sentences, views);
    } else {
        const int D = model_.settings.memory_width, width = padded(D);
        for (size_t depth = 0; depth < sentences[0]->memory.size(); depth++) {
            std::vector<float> view;
            for (const Sentence* s : sentences)
                for (int n = 0; n < s->length; n++) {
                    view.resize(view.size() + width);
                    std::copy_n(s->memory[depth].data() + (size_t)n * D, D, view.end() - width);
                }
            views.push_back(std::move(view));
        }
    }
    for (Sentence* s : sentences) {
        s->past = s->prefix = Cells(half);
        s->past_room = s->ancestor_room = 0;
        s->beams = 1, s->position = 0;
        s->last.assign(1, model_.settings.bos);
        if (model_.decoder.side.recurrent) s->recurrent.assign((size_t)model_.decoder.side.layers * s->width * model_.decoder.width, 0.f);
    }
    if (!model_.reads.empty()) open_reads(sentences, views);
    if (model_.settings.prefix) {
        size_t row = 0;
        for (Sentence* s : sentences) {
            open_prefix(*s, views.back().data() + row * padded(model_.settings.memory_width));
            row += s->length;
        }
    }
}

void Step::encode(const std::vector<Sentence*>& sentences, std::vector<std::vector<float>>& views) {
    const Stack& stack = model_.encoder;
    int rows = 0;
    for (const Sentence* s : sentences) rows += (int)s->tokens.size();
    const Rows x = stream_.rows(rows, stack.width);
    int row = 0;
    for (Sentence* s : sentences) {
        s->length = (int)s->tokens.size();
        for (int n = 0; n < s->length; n++, row++) embed(model_.source, stack, s->tokens[n], n, x.values + (size_t)row * x.stride);
    }
    if (quantises() && !stack.side.pre_norm) k_.quantise(x, stack.width);
    Shared shared{Cells(model_.half_cells()), Cells(model_.half_cells())};
    const bool all_layers = model_.settings.views != Settings::Views::states;
    for (int i = 0; i < stack.side.layers; i++) {
        const Layer& layer_i = stack.layers[i];
        layer(
            layer_i, stack, i, rows,
            [&](int, float* qkv, int stride, const Rows& context) {
                const Attention& a = layer_i.itself;
                const int keys = a.heads.width(), values = keys + a.heads.kv_width();
                int first = 0;
                for (const Sentence* s : sentences) {
                    float* mine = qkv + (size_t)first * stride;
                    if (stack.side.positions == Positions::rotary)
                        for (int n = 0; n < s->length; n++) turn(a, mine + (size_t)n * stride, a.heads.heads + a.heads.kv_heads, n);
                    share(shared, a.heads, mine + keys, mine + values, stride, s->length);
                    if (!stack.side.causal) attend(shared, a.heads, mine, stride, s->length, context, first);
                    for (int n = 0; stack.side.causal && n < s->length; n++) {
                        shared.length = n + 1;  // of the keys, those up to its own
                        const int room = shared.room;
                        attend(shared, a.heads, mine + (size_t)n * stride, stride, 1, context, first + n);
                        shared.room = room;
                    }
                    first += s->length;
                }
            },
            [](int, const Layer&) {});
        if (all_layers && i + 1 < stack.side.layers) views.emplace_back(x.values, x.values + (size_t)rows * x.stride);
    }
    const Rows last = finish(stack, rows);
    views.emplace_back(last.values, last.values + (size_t)rows * last.stride);
}

void Step::open_reads(const std::vector<Sentence*>& sentences, const std::vector<std::vector<float>>& views) {
    const Settings& s = model_.settings;
    const int width = padded(s.memory_width), rows = (int)(views.back().size() / width);
    std::vector<std::vector<float>> normed = views;
    for (size_t i = 0; i < model_.view_norms.size(); i++) {
        const Rows n = normed_.rows(rows, width);
        k_.normalise(model_.view_norms[i], views[i].data(), width, n, false);
        normed[i].assign(n.values, n.values + (size_t)rows * width);
    }
    for (Sentence* sentence : sentences) sentence->reads.assign(model_.reads.size(), {Cells(model_.half_cells()), Cells(model_.half_cells())});
    const Rows in = normed_.rows(rows, width);
    for (size_t r = 0; r < model_.reads.size(); r++) {
        const Attention& a = model_.reads[r];
        if (s.views == Settings::Views::mixed) {
            std::fill_n(in.values, (size_t)rows * width, 0.f);
            for (size_t i = 0; i < normed.size(); i++)
                for (size_t j = 0; j < (size_t)rows * width; j++) in.values[j] += model_.shares[r * normed.size() + i] * normed[i][j];
        } else if (r == 0 || s.views == Settings::Views::layerwise) {
            const auto& view = s.views == Settings::Views::layerwise ? normed[r] : normed.back();
            std::copy(view.begin(), view.end(), in.values);
        }
        if (quantises() && (r == 0 || s.views != Settings::Views::states)) k_.quantise(in, width);
        float* projected = wide(rows, a.key_value.outputs);
        k_.product(a.key_value, in, projected, a.key_value.outputs, false, nullptr);
        int first = 0;
        for (Sentence* sentence : sentences) {
            const float* mine = projected + (size_t)first * a.key_value.outputs;
            share(sentence->reads[r], a.heads, mine, mine + a.heads.kv_width(), a.key_value.outputs, sentence->length);
            first += sentence->length;
        }
    }
}

// The memory's states go through the decoder's layers as positions that see each other.
void Step::open_prefix(Sentence& sentence, const float* states) {
    const Stack& stack = model_.decoder;
    const int rows = sentence.length, width = padded(model_.settings.memory_width);
    const Rows in = normed_.rows(rows, width);
    std::copy_n(states, (size_t)rows * width, in.values);
    if (quantises()) k_.quantise(in, width);
    const Rows x = stream_.rows(rows, stack.width);
    k_.product(model_.prefix, in, x.values, x.stride, false, nullptr);
    if (quantises() && !stack.side.pre_norm) k_.quantise(x, stack.width);
    for (int i = 0; i < stack.side.layers; i++) {
        const Attention& a = stack.layers[i].itself;
        const int both = 2 * a.heads.kv_width();
        if (i == 0) sentence.prefix.resize((size_t)stack.side.layers * rows * both);
        layer(
            stack.layers[i], stack, i, rows,
            [&](int index, float* qkv, int stride, const Rows& context) {
                for (int n = 0; n < rows; n++)
                    sentence.prefix.write(k_, ((size_t)index * rows + n) * both, qkv + (size_t)n * stride + a.heads.width(), both);
                for (int n = 0; n < rows; n++) recall(sentence, a.heads, index, -1, qkv + (size_t)n * stride, context.values + (size_t)n * context.stride);
            },
            [](int, const Layer&) {});
    }
}

// ---- a step

void Step::remember(Sentence& s, int layer, int beam, const float* keys_values) {
    const int both = 2 * model_.decoder.layers[0].itself.heads.kv_width(), layers = model_.decoder.side.layers;
    if (s.position >= s.past_room) {
        const int room = std::max(16, 2 * s.past_room);
        const size_t before = (size_t)s.past_room * s.width * both, after = (size_t)room * s.width * both;
        s.past.resize(after * layers);
        for (int l = layers - 1; l > 0; l--) {  // from the last, so that none is overwritten
            if (s.past.half())
                std::memmove(s.past.halves(l * after), s.past.halves(l * before), before * sizeof(Half));
            else
                std::memmove(s.past.floats(l * after), s.past.floats(l * before), before * sizeof(float));
        }
        s.past_room = room;
    }
    s.past.write(k_, (((size_t)layer * s.past_room + s.position) * s.width + beam) * both, keys_values, both);
}

// Self-attention of one query over the prefix and, for a beam, over what it has written.
void Step::recall(Sentence& s, const Heads& heads, int layer, int beam, const float* query, float* out) {
    const size_t both = 2 * (size_t)heads.kv_width();
    const int before = model_.settings.prefix ? s.length : 0, written = beam < 0 ? 0 : s.position + 1, count = before + written;
    cells_.resize(count);
    for (int n = 0; n < before; n++) {
        const size_t at = ((size_t)layer * before + n) * both;
        cells_[n] = s.prefix.half() ? (const void*)s.prefix.halves(at) : s.prefix.floats(at);
    }
    for (int t = 0; t < written; t++) {
        const int by = t == s.position ? beam : s.ancestors[(size_t)beam * s.ancestor_room + t];
        const size_t at = (((size_t)layer * s.past_room + t) * s.width + by) * both;
        cells_[before + t] = s.past.half() ? (const void*)s.past.halves(at) : s.past.floats(at);
    }
    float* scores = scratch((size_t)heads.heads * padded(std::max(count, 1), LANES));
    if (model_.half_cells())
        k_.recall_half((const Half* const*)cells_.data(), count, heads, query, out, scores);
    else
        k_.recall_float((const float* const*)cells_.data(), count, heads, query, out, scores);
}

void Step::advance(const std::vector<Sentence*>& sentences) {
    const Stack& stack = model_.decoder;
    int rows = 0;
    for (const Sentence* s : sentences) rows += s->beams;
    const Rows x = stream_.rows(rows, stack.width);
    int row = 0;
    for (const Sentence* s : sentences)
        for (int b = 0; b < s->beams; b++, row++) embed(model_.target, stack, s->last[b], s->position, x.values + (size_t)row * x.stride);
    if (quantises() && !stack.side.pre_norm) k_.quantise(x, stack.width);
    for (int i = 0; i < stack.side.layers; i++)
        layer(
            stack.layers[i], stack, i, rows,
            [&](int index, float* projected, int stride, const Rows& out) {
                int at = 0;
                for (Sentence* s : sentences)
                    for (int b = 0; b < s->beams; b++, at++) {
                        float *mine = projected + (size_t)at * stride, *to = out.values + (size_t)at * out.stride;
                        if (stack.side.recurrent) {
                            k_.recur(mine, s->recurrent.data() + ((size_t)index * s->width + b) * stack.width, to, to, stack.width);
                            continue;
                        }
                        const Attention& a = stack.layers[index].itself;
                        if (stack.side.positions == Positions::rotary) turn(a, mine, a.heads.heads + a.heads.kv_heads, s->position);
                        remember(*s, index, b, mine + a.heads.width());
                        recall(*s, a.heads, index, b, mine, to);
                    }
            },
            [&](int index, const Layer& layer) {
                if (model_.reads.empty()) return;
                const Attention& a = model_.reads[index];
                const Rows in = enter(layer.around_link, stack, rows), context = this->context(a, rows);
                float* queries = wide(rows, a.query.outputs);
                k_.product(a.query, in, queries, a.query.outputs, false, nullptr);
                int at = 0;
                for (Sentence* s : sentences) {
                    float* seen = nullptr;
                    if (s->watched) {
                        const size_t room = s->reads[index].room;
                        s->seen.resize((s->position + 1) * room);
                        seen = s->seen.data() + s->position * room;
                    }
                    attend(s->reads[index], a.heads, queries + (size_t)at * a.query.outputs, a.query.outputs, s->beams, context, at, seen);
                    at += s->beams;
                }
                leave(a.output, context, layer.around_link, stack);
            });
    hidden_ = finish(stack, rows);
}

void Step::reorder(Sentence& s, const std::vector<int>& parents) {
    const int beams = (int)parents.size();
    if (model_.decoder.side.recurrent) {
        const size_t D = model_.decoder.width;
        float* moved = scratch(beams * D);
        for (int l = 0; l < model_.decoder.side.layers; l++) {
            float* cells = s.recurrent.data() + (size_t)l * s.width * D;
            for (int b = 0; b < beams; b++) std::copy_n(cells + parents[b] * D, D, moved + b * D);
            std::copy_n(moved, beams * D, cells);
        }
    } else {
        const int time = s.position + 1;
        if (time > s.ancestor_room) {
            const int room = std::max(32, 2 * s.ancestor_room);
            std::vector<uint16_t> wider((size_t)s.width * room);
            for (int b = 0; b < s.beams && s.ancestor_room; b++)
                std::copy_n(s.ancestors.data() + (size_t)b * s.ancestor_room, s.ancestor_room, wider.data() + (size_t)b * room);
            s.ancestors = std::move(wider), s.ancestor_room = room;
        }
        std::vector<uint16_t> before(s.ancestors);
        for (int b = 0; b < beams; b++) {
            std::copy_n(before.data() + (size_t)parents[b] * s.ancestor_room, s.position, s.ancestors.data() + (size_t)b * s.ancestor_room);
            s.ancestors[(size_t)b * s.ancestor_room + s.position] = (uint16_t)parents[b];
        }
    }
    s.beams = beams, s.position++;
}

}  // namespace endash
