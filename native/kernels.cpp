// The kernels, compiled once for each instruction set.
#include "kernels.h"

#include <utility>

#include "simd.h"

namespace endash {
namespace {

// No function of the standard library is called but those that are always inlined: the linker keeps one copy of a template's
// function, and it might be the one that was compiled for the widest registers.
INLINE void fill(float* p, int n, float value) {
    for (int i = 0; i < n; i++) p[i] = value;
}

// ---- products: a tile of ROWS rows and one panel of columns at a time

template <Precision P>
struct Word;  // what one word of a panel holds, and how it is added to a sum
template <>
struct Word<Precision::int8> {
    using Sum = I;
    static constexpr int inputs = 4;
    static INLINE I none() { return no_sum(); }
    static INLINE F value(I sums) { return floats(sums); }
};
template <>
struct Word<Precision::bfloat16> {
    using Sum = F;
    static constexpr int inputs = 2;
    static INLINE F none() { return zero(); }
    static INLINE F value(F sums) { return sums; }
};
template <>
struct Word<Precision::float32> : Word<Precision::bfloat16> {
    static constexpr int inputs = 1;
};

// rows of a tile are addressed from three bases, five rows each
struct TileRows {
    const uint8_t* base[3];
    ptrdiff_t stride, stride3;
    INLINE TileRows(const void* rows, ptrdiff_t bytes) : stride(bytes), stride3(3 * bytes) {
        const auto* p = (const uint8_t*)rows;
        base[0] = p, base[1] = p + 5 * bytes, base[2] = p + 10 * bytes;
    }
    INLINE void go_on(int bytes) { base[0] += bytes, base[1] += bytes, base[2] += bytes; }
    INLINE I word(int row) const {
        const uint8_t* p = base[row / 5];
        switch (row % 5) {
            case 0: return spread<0>(p, stride, stride3);
            case 1: return spread<1>(p, stride, stride3);
            case 2: return spread<2>(p, stride, stride3);
            case 3: return spread<3>(p, stride, stride3);
            default: return spread<4>(p, stride, stride3);
        }
    }
};

template <Precision P, int ROWS>
INLINE void multiply(TileRows rows, const void* panel, int words_in, typename Word<P>::Sum (&sums)[ROWS][2]) {
    const auto* b = (const uint8_t*)panel;
    UNROLL for (int r = 0; r < ROWS; r++) sums[r][0] = sums[r][1] = Word<P>::none();
    for (int k = 0; k < words_in; k++, b += 128) {
        const I left = words(b), right = words(b + 64);
        if constexpr (P == Precision::int8) {
            UNROLL for (int r = 0; r < ROWS; r++) {
                const I a = rows.word(r);
                add_products(sums[r][0], a, left);
                add_products(sums[r][1], a, right);
            }
            rows.go_on(4);
        } else if constexpr (P == Precision::bfloat16) {
            UNROLL for (int r = 0; r < ROWS; r++) {
                const F a = as_floats(rows.word(r));
                sums[r][0] = fma(a, even(left), sums[r][0]);
                sums[r][1] = fma(a, even(right), sums[r][1]);
            }
            rows.go_on(4);
            UNROLL for (int r = 0; r < ROWS; r++) {
                const F a = as_floats(rows.word(r));
                sums[r][0] = fma(a, odd(left), sums[r][0]);
                sums[r][1] = fma(a, odd(right), sums[r][1]);
            }
            rows.go_on(4);
        } else {
            UNROLL for (int r = 0; r < ROWS; r++) {
                const F a = as_floats(rows.word(r));
                sums[r][0] = fma(a, as_floats(left), sums[r][0]);
                sums[r][1] = fma(a, as_floats(right), sums[r][1]);
            }
            rows.go_on(4);
        }
    }
}

// A tile of rows times one panel: both halves of each row, scaled and with their bias.
template <Precision P, int ROWS>
INLINE void tile(const Matrix& m, const Rows& rows, int first_row, int column, F (&out)[ROWS][2]) {
    typename Word<P>::Sum sums[ROWS][2];
    constexpr bool bytes = P == Precision::int8;
    const size_t at = (size_t)first_row * rows.stride;
    const TileRows from(bytes ? (const void*)(rows.bytes + at) : (const void*)(rows.values + at), (ptrdiff_t)rows.stride * (bytes ? 1 : 4));
    const int words_in = m.inputs / Word<P>::inputs;
    multiply<P, ROWS>(from, (const uint8_t*)m.panels + (size_t)column * words_in * 4, words_in, sums);
    const F bias[2] = {load(m.bias + column), load(m.bias + column + LANES)};
    if constexpr (bytes) {
        const F scale[2] = {load(m.scale + column), load(m.scale + column + LANES)};
        const F shift[2] = {load(m.shift + column), load(m.shift + column + LANES)};
        UNROLL for (int r = 0; r < ROWS; r++) {
            const F row_scale = all(rows.scale[first_row + r]), low = all(rows.low[first_row + r]);
            UNROLL for (int h = 0; h < 2; h++)
                out[r][h] = fma(floats(sums[r][h]) * scale[h], row_scale, fma(low, shift[h], bias[h]));
        }
    } else {
        UNROLL for (int r = 0; r < ROWS; r++)
            UNROLL for (int h = 0; h < 2; h++) out[r][h] = sums[r][h] + bias[h];
    }
}

struct Store {
    float* out;
    int stride;
    bool relu;
    const float* residual;

    template <Precision P, int ROWS>
    static __attribute__((noinline)) void run(const Store& s, const Matrix& m, const Rows& rows, int row, int column) {
        F value[ROWS][2];
        tile<P, ROWS>(m, rows, row, column, value);
        UNROLL for (int r = 0; r < ROWS; r++)
            UNROLL for (int h = 0; h < 2; h++) {
                const size_t at = (size_t)(row + r) * s.stride + column + LANES * h;
                F x = value[r][h];
                if (s.relu) x = max(zero(), x);  // in this order NaN stays
                if (s.residual) x = x + load(s.residual + at);
                store(s.out + at, x);
            }
    }
};

INLINE void insert(const Best& best, int row, float score, int token) {
    float* scores = best.scores + (size_t)row * best.count;
    int* tokens = best.tokens + (size_t)row * best.count;
    int at = best.count - 1;
    for (; at > 0 && scores[at - 1] < score; at--) scores[at] = scores[at - 1], tokens[at] = tokens[at - 1];
    scores[at] = score, tokens[at] = token;
}

struct Choose {
    const Best& best;
    float* sums;          // (rows, LANES)

    template <Precision P, int ROWS>
    static __attribute__((noinline)) void run(const Choose& c, const Matrix& m, const Rows& rows, int row, int column) {
        F value[ROWS][2];
        tile<P, ROWS>(m, rows, row, column, value);
        const int last = c.best.count - 1;
        unsigned hit = 0;
        UNROLL for (int r = 0; r < ROWS; r++) {
            if (c.sums) {
                float* sums = c.sums + (size_t)(row + r) * LANES;
                store(sums, load(sums) + exp2(value[r][0]) + exp2(value[r][1]));
            }
            const F least = all(c.best.scores[(size_t)(row + r) * c.best.count + last]);
            hit |= (unsigned)(above(max(value[r][0], value[r][1]), least) != 0) << r;
        }
        if (__builtin_expect(hit, 0)) {
            alignas(64) float scores[ROWS][PANEL];
            UNROLL for (int r = 0; r < ROWS; r++)
                UNROLL for (int h = 0; h < 2; h++) store(scores[r] + LANES * h, value[r][h]);
            for (; hit; hit &= hit - 1) c.enter(row, __builtin_ctz(hit), column, scores[__builtin_ctz(hit)]);
        }
    }

    void enter(int first_row, int r, int column, const float* scores) const {
        const int row = first_row + r;
        const float& least = best.scores[(size_t)row * best.count + best.count - 1];
        const F now = all(least);
        unsigned above_now = above(load(scores), now) | above(load(scores + LANES), now) << LANES;
        for (; above_now; above_now &= above_now - 1) {
            const int i = __builtin_ctz(above_now), token = best.tokens_of ? best.tokens_of[column + i] : column + i;
            if (scores[i] > least && !(best.bans && best.bans[row](token))) insert(best, row, scores[i], token);
        }
    }
};

// All panels of a matrix; the tiles of rows of one panel follow each other, so that it is read from the nearest cache.
template <Precision P, class Then, int... COUNT>
void over_tiles(const Then& then, const Matrix& m, const Rows& rows, std::integer_sequence<int, COUNT...>) {
    using Run = void (*)(const Then&, const Matrix&, const Rows&, int, int);
    static constexpr Run run[] = {&Then::template run<P, COUNT + 1>...};
    const int most = sizeof...(COUNT), tiles = (rows.count + most - 1) / most;
    for (int column = 0; column < m.outputs; column += PANEL)
        for (int t = 0; t < tiles; t++) {
            const int from = (int)((long)rows.count * t / tiles), to = (int)((long)rows.count * (t + 1) / tiles);
            run[to - from - 1](then, m, rows, from, column);
        }
}

template <class Then>
void over_panels(const Then& then, const Matrix& m, const Rows& rows) {
    constexpr int few = TILE > 12 ? 12 : TILE;  // floats leave fewer registers to sums
    switch (m.precision) {
        case Precision::int8:
            return over_tiles<Precision::int8>(then, m, rows, std::make_integer_sequence<int, TILE>());
        case Precision::bfloat16:
            return over_tiles<Precision::bfloat16>(then, m, rows, std::make_integer_sequence<int, few>());
        case Precision::float32:
            return over_tiles<Precision::float32>(then, m, rows, std::make_integer_sequence<int, few>());
    }
}

void product(const Matrix& m, const Rows& rows, float* out, int stride, bool relu, const float* residual) {
    over_panels(Store{out, stride, relu, residual}, m, rows);
}

void project(const Matrix& m, const Rows& rows, const Best& best, float* sums) {
    over_panels(Choose{best, sums}, m, rows);
}

// ---- rows

INLINE float widest(float range) { return range > 1e-20f ? range : 1e-20f; }  // a row of equal values has none

INLINE void quantise_row(const float* in, int width, uint8_t* out, float& scale, float& low, F lowest_of, F highest_of) {
    const float from = lowest(lowest_of), range = widest(highest(highest_of) - from);
    const float steps = LEVELS / range;
    scale = range / LEVELS, low = from;
    const F by = all(steps), start = all(from);
    for (int i = 0; i < width; i += LANES) store_bytes(out + i, min((load(in + i) - start) * by, all(LEVELS)));
}

void quantise(const Rows& rows, int width) {
    for (int r = 0; r < rows.count; r++) {
        const float* x = rows.values + (size_t)r * rows.stride;
        F low = load(x), high = low, total = low;
        for (int i = LANES; i < width; i += LANES) low = min(low, load(x + i)), high = max(high, load(x + i)), total = total + load(x + i);
        quantise_row(x, width, rows.bytes + (size_t)r * rows.stride, rows.scale[r], rows.low[r], low, high);
        rows.low[r] += 0 * sum(total);  // bytes know no NaN
    }
}

void normalise(const Norm& norm, const float* in, int stride, const Rows& out, bool quantised) {
    const int whole = norm.width / LANES * LANES, rest = norm.width - whole, padded = whole + (rest ? LANES : 0);
    for (int r = 0; r < out.count; r++) {
        const float* x = in + (size_t)r * stride;
        float* y = out.values + (size_t)r * out.stride;
        F total = zero();
        for (int i = 0; i < padded; i += LANES) total = total + load(x + i);  // padding is zero
        const F mean = all(sum(total) / norm.width);
        F squares = zero();
        for (int i = 0; i < whole; i += LANES) {
            const F d = load(x + i) - mean;
            squares = fma(d, d, squares);
        }
        if (rest) {
            const F d = first(load(x + whole) - mean, rest, zero());
            squares = fma(d, d, squares);
        }
        const F by = all(1 / std::sqrt(sum(squares) / norm.width + norm.epsilon));
        F low = all(INFINITY), high = all(-INFINITY);
        for (int i = 0; i < padded; i += LANES) {
            const F v = fma((load(x + i) - mean) * by, load(norm.gain + i), load(norm.bias + i));
            store(y + i, v);
            low = min(low, v), high = max(high, v);
        }
        for (int i = padded; i < out.stride; i += LANES) store(y + i, zero());  // a broken memory may have stood there
        if (quantised) quantise_row(y, padded, out.bytes + (size_t)r * out.stride, out.scale[r], out.low[r], low, high);
    }
}

template <class Of>
INLINE void each_row(float* rows, int count, int stride, int width, Of of) {
    for (int r = 0; r < count; r++)
        for (int i = 0; i < width; i += LANES) {
            float* x = rows + (size_t)r * stride + i;
            store(x, of(load(x), x));
        }
}

void activate(Activation kind, float* rows, int count, int stride, int width) {
    switch (kind) {
        case Activation::relu: return each_row(rows, count, stride, width, [](F x, float*) { return max(zero(), x); });
        case Activation::gelu: return each_row(rows, count, stride, width, [](F x, float*) { return gelu(x); });
        case Activation::silu: return each_row(rows, count, stride, width, [](F x, float*) { return x * sigmoid(x); });
        case Activation::silu_gated:
            return each_row(rows, count, stride, width / 2, [=](F x, float* at) { return x * sigmoid(x) * load(at + width / 2); });
    }
}

void recur(const float* gates, float* cell, const float* residual, float* out, int width) {
    for (int i = 0; i < width; i += LANES) {
        const F forget = sigmoid(load(gates + i)), value = load(gates + width + i);
        const F now = fma(forget, load(cell + i), (all(1) - forget) * value);
        store(cell + i, now);
        store(out + i, load(residual + i) + max(zero(), now));
    }
}

template <class Cell>
void embed(const Cell* vector, float scale, const float* position, float* out, int width) {
    for (int i = 0; i < width; i += LANES) {
        const F x = load(vector + i) * all(scale);
        store(out + i, position ? x + load(position + i) : x);
    }
}

void to_half(const float* in, Half* out, int width) {
    for (int i = 0; i < width; i += LANES) store(out + i, load(in + i));
}

// ---- attention

// softmax of `room` scores in place, of which the first `length` are real; gives 1 / their sum
INLINE float soften(float* scores, int length, int room) {
    F high = all(-INFINITY);
    for (int i = 0; i < room; i += LANES) {
        if (i + LANES > length) store(scores + i, first(load(scores + i), length > i ? length - i : 0, all(-1e30f)));
        high = max(high, load(scores + i));
    }
    const F most = all(highest(high));
    F total = zero();
    for (int i = 0; i < room; i += LANES) {
        const F e = exp2(load(scores + i) - most);
        store(scores + i, e);
        total = total + e;
    }
    return 1 / sum(total);
}

template <class Cell, int QUERIES>
INLINE void attend_tile(const SharedKeys<Cell>& m, const Heads& heads, int h, const float* query, int stride, float* out, int out_stride, float* scores, float* seen) {
    const int K = heads.head, shared = h / (heads.heads / heads.kv_heads);
    query += h * K, out += h * K;
    const Cell* keys = m.keys + (size_t)shared * K * m.room;
    constexpr int CHAINS = QUERIES > 2 ? 2 : 4;  // of sums for each query: one alone would wait for each addition
    for (int n = 0; n < m.room; n += LANES) {
        F dot[QUERIES][CHAINS];
        UNROLL for (int q = 0; q < QUERIES; q++) UNROLL for (int c = 0; c < CHAINS; c++) dot[q][c] = zero();
        for (int k = 0; k < K; k += CHAINS)
            UNROLL for (int c = 0; c < CHAINS; c++) {
                const F key = load(keys + (size_t)(k + c) * m.room + n);
                UNROLL for (int q = 0; q < QUERIES; q++) dot[q][c] = fma(all(query[(size_t)q * stride + k + c]), key, dot[q][c]);
            }
        UNROLL for (int q = 0; q < QUERIES; q++) {
            UNROLL for (int c = CHAINS / 2; c > 0; c /= 2) UNROLL for (int i = 0; i < c; i++) dot[q][i] = dot[q][i] + dot[q][i + c];
            store(scores + (size_t)q * m.room + n, dot[q][0]);
        }
    }
    float by[QUERIES];
    for (int q = 0; q < QUERIES; q++) by[q] = soften(scores + (size_t)q * m.room, m.length, m.room);
    for (int q = 0; seen && q < QUERIES; q++)
        for (int n = 0; n < m.room; n += LANES) {
            const size_t at = (size_t)q * m.room + n;
            store(seen + at, fma(load(scores + at), all(by[q]), load(seen + at)));
        }
    const int step = heads.kv_width();
    constexpr int WIDE = 4;  // vectors of a head that are summed together
    int k = 0;
    for (; k + WIDE * LANES <= K; k += WIDE * LANES) {
        const Cell* values = m.values + (size_t)shared * K + k;
        F got[QUERIES][WIDE];
        UNROLL for (int q = 0; q < QUERIES; q++) UNROLL for (int w = 0; w < WIDE; w++) got[q][w] = zero();
        for (int n = 0; n < m.length; n++, values += step) {
            F v[WIDE];
            UNROLL for (int w = 0; w < WIDE; w++) v[w] = load(values + w * LANES);
            UNROLL for (int q = 0; q < QUERIES; q++) {
                const F share = all(scores[(size_t)q * m.room + n]);
                UNROLL for (int w = 0; w < WIDE; w++) got[q][w] = fma(share, v[w], got[q][w]);
            }
        }
        UNROLL for (int q = 0; q < QUERIES; q++)
            UNROLL for (int w = 0; w < WIDE; w++) store(out + (size_t)q * out_stride + k + w * LANES, got[q][w] * all(by[q]));
    }
    for (; k < K; k += LANES) {
        const Cell* values = m.values + (size_t)shared * K + k;
        F got[QUERIES];
        UNROLL for (int q = 0; q < QUERIES; q++) got[q] = zero();
        for (int n = 0; n < m.length; n++, values += step) {
            const F v = load(values);
            UNROLL for (int q = 0; q < QUERIES; q++) got[q] = fma(all(scores[(size_t)q * m.room + n]), v, got[q]);
        }
        UNROLL for (int q = 0; q < QUERIES; q++) store(out + (size_t)q * out_stride + k, got[q] * all(by[q]));
    }
}

template <class Cell>
void attend(const SharedKeys<Cell>& m, const Heads& heads, const float* queries, int stride, int count, float* out, int out_stride, float* scores, float* seen) {
    if (m.length == 0) {
        for (int q = 0; q < count; q++) fill(out + (size_t)q * out_stride, heads.width(), 0.f);
        return;
    }
    for (int h = 0; h < heads.heads; h++) {
        const float* query = queries;
        float *to = out, *shares = seen;
        int left = count;
        for (; left >= 4; left -= 4, query += 4 * (size_t)stride, to += 4 * (size_t)out_stride, shares += shares ? 4 * (size_t)m.room : 0)
            attend_tile<Cell, 4>(m, heads, h, query, stride, to, out_stride, scores, shares);
        if (left == 3) attend_tile<Cell, 3>(m, heads, h, query, stride, to, out_stride, scores, shares);
        if (left == 2) attend_tile<Cell, 2>(m, heads, h, query, stride, to, out_stride, scores, shares);
        if (left == 1) attend_tile<Cell, 1>(m, heads, h, query, stride, to, out_stride, scores, shares);
    }
}

template <class Cell>
void recall(const Cell* const* cells, int count, const Heads& heads, const float* query, float* out, float* scores) {
    const int K = heads.head, group = heads.heads / heads.kv_heads, room = (count + LANES - 1) / LANES * LANES;
    for (int n = 0; n < count; n++)
        for (int h = 0; h < heads.heads; h++) {
            const Cell* key = cells[n] + h / group * K;
            F dot = zero();
            for (int k = 0; k < K; k += LANES) dot = fma(load(query + h * K + k), load(key + k), dot);
            scores[(size_t)h * room + n] = sum(dot);
        }
    for (int h = 0; h < heads.heads; h++) {
        float* shares = scores + (size_t)h * room;
        const float by = soften(shares, count, room);
        for (int k = 0; k < K; k += LANES) {
            F got = zero();
            for (int n = 0; n < count; n++)
                got = fma(all(shares[n]), load(cells[n] + heads.kv_width() + h / group * K + k), got);
            store(out + h * K + k, got * all(by));
        }
    }
}

}  // namespace

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
const Kernels JOIN(ENDASH_SET, _kernels) = {
    SET_NAME, LEVELS,       product, project,       quantise,     normalise,    activate, recur,
    embed<Half>, embed<float>, attend<Half>, attend<float>, recall<Half>, recall<float>, to_half,
};

}  // namespace endash
