// Attention over sentences, forward and backward, in one pass over memory: see parts/fused_attention.py, which defines it.
#include "train_attention.h"
#ifdef ENDASH_VECTOR
#include <cmath>
#include <initializer_list>
#include <vector>

namespace endash {
namespace {

// C[i][n] = sum over k of A[i * row + k * step] * B[k][n], for `columns` a multiple of 16; B and C are dense.
template <int ROWS, int WIDE>
VECTOR inline void block(const float* a, ptrdiff_t row, ptrdiff_t step, const float* b, float* c, int depth,
                         int columns) {
  __m512 sums[ROWS][WIDE];  // in registers, once the loops over them are unrolled
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int w = 0; w < WIDE; w++) sums[i][w] = _mm512_setzero_ps();
  for (int k = 0; k < depth; k++) {
    __m512 right[WIDE];
#pragma GCC unroll 4
    for (int w = 0; w < WIDE; w++) right[w] = _mm512_loadu_ps(b + static_cast<ptrdiff_t>(k) * columns + 16 * w);
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++) {
      __m512 left = _mm512_set1_ps(a[i * row + k * step]);
#pragma GCC unroll 4
      for (int w = 0; w < WIDE; w++) sums[i][w] = _mm512_fmadd_ps(left, right[w], sums[i][w]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int w = 0; w < WIDE; w++) _mm512_storeu_ps(c + static_cast<ptrdiff_t>(i) * columns + 16 * w, sums[i][w]);
}

template <int ROWS>
VECTOR inline void rows_of(const float* a, ptrdiff_t row, ptrdiff_t step, const float* b, float* c, int depth,
                           int columns) {
  int n = 0;
  for (; n + 64 <= columns; n += 64) block<ROWS, 4>(a, row, step, b + n, c + n, depth, columns);
  for (; n + 32 <= columns; n += 32) block<ROWS, 2>(a, row, step, b + n, c + n, depth, columns);
  for (; n < columns; n += 16) block<ROWS, 1>(a, row, step, b + n, c + n, depth, columns);
}

VECTOR void multiply(const float* a, ptrdiff_t row, ptrdiff_t step, const float* b, float* c, int rows, int depth,
                     int columns) {
  int i = 0;
  for (; i + 6 <= rows; i += 6) rows_of<6>(a + i * row, row, step, b, c + static_cast<ptrdiff_t>(i) * columns, depth, columns);
  for (; i + 2 <= rows; i += 2) rows_of<2>(a + i * row, row, step, b, c + static_cast<ptrdiff_t>(i) * columns, depth, columns);
  for (; i < rows; i++) rows_of<1>(a + i * row, row, step, b, c + static_cast<ptrdiff_t>(i) * columns, depth, columns);
}

// One head's rows as float32, scaled, and turned by their positions where there are cosines.
VECTOR void fetch(const bf16* from, ptrdiff_t stride, float* to, int rows, int width, float scale, const float* cos,
                  const float* sin) {
  __m512 by = _mm512_set1_ps(scale);
  for (int t = 0; t < rows; t++, from += stride, to += width)
    if (cos == nullptr)
      for (int k = 0; k < width; k += 16) _mm512_storeu_ps(to + k, _mm512_mul_ps(by, load(from + k)));
    else
      for (int k = 0, half = width / 2; k < half; k += 16) {
        __m512 c = _mm512_mul_ps(by, _mm512_loadu_ps(cos + t * half + k));
        __m512 s = _mm512_mul_ps(by, _mm512_loadu_ps(sin + t * half + k));
        __m512 left = load(from + k), right = load(from + half + k);
        _mm512_storeu_ps(to + k, _mm512_fmsub_ps(left, c, _mm512_mul_ps(right, s)));
        _mm512_storeu_ps(to + half + k, _mm512_fmadd_ps(left, s, _mm512_mul_ps(right, c)));
      }
}

// The gradient of what `fetch` gave, back to where it came from.
VECTOR void put_back(const float* from, bf16* to, ptrdiff_t stride, int rows, int width, float scale,
                     const float* cos, const float* sin) {
  __m512 by = _mm512_set1_ps(scale);
  for (int t = 0; t < rows; t++, to += stride, from += width)
    if (cos == nullptr)
      for (int k = 0; k < width; k += 16) store(to + k, _mm512_mul_ps(by, _mm512_loadu_ps(from + k)));
    else
      for (int k = 0, half = width / 2; k < half; k += 16) {
        __m512 c = _mm512_mul_ps(by, _mm512_loadu_ps(cos + t * half + k));
        __m512 s = _mm512_mul_ps(by, _mm512_loadu_ps(sin + t * half + k));
        __m512 left = _mm512_loadu_ps(from + k), right = _mm512_loadu_ps(from + half + k);
        store(to + k, _mm512_fmadd_ps(left, c, _mm512_mul_ps(right, s)));
        store(to + half + k, _mm512_fmsub_ps(right, c, _mm512_mul_ps(left, s)));
      }
}

// to[k][n] = from[n][k], with columns up to `padded` zero: squares of 16 × 16, first within quarters of rows, then of quarters.
VECTOR void transpose(const float* from, float* to, int rows, int width, int padded) {
  for (int n = 0; n < padded; n += 16)
    for (int k = 0; k < width; k += 16) {
      __m512 row[16], mixed[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++)
        row[i] = n + i < rows ? _mm512_loadu_ps(from + static_cast<ptrdiff_t>(n + i) * width + k) : _mm512_setzero_ps();
#pragma GCC unroll 4
      for (int i = 0; i < 16; i += 4) {
        __m512 low = _mm512_unpacklo_ps(row[i], row[i + 1]), high = _mm512_unpackhi_ps(row[i], row[i + 1]);
        __m512 next_low = _mm512_unpacklo_ps(row[i + 2], row[i + 3]);
        __m512 next_high = _mm512_unpackhi_ps(row[i + 2], row[i + 3]);
        mixed[i] = _mm512_shuffle_ps(low, next_low, 0x44);
        mixed[i + 1] = _mm512_shuffle_ps(low, next_low, 0xee);
        mixed[i + 2] = _mm512_shuffle_ps(high, next_high, 0x44);
        mixed[i + 3] = _mm512_shuffle_ps(high, next_high, 0xee);
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) {
        __m512 even = _mm512_shuffle_f32x4(mixed[i], mixed[i + 4], 0x88);
        __m512 odd = _mm512_shuffle_f32x4(mixed[i], mixed[i + 4], 0xdd);
        __m512 next_even = _mm512_shuffle_f32x4(mixed[i + 8], mixed[i + 12], 0x88);
        __m512 next_odd = _mm512_shuffle_f32x4(mixed[i + 8], mixed[i + 12], 0xdd);
        float* at = to + static_cast<ptrdiff_t>(k + i) * padded + n;
        _mm512_storeu_ps(at, _mm512_shuffle_f32x4(even, next_even, 0x88));
        _mm512_storeu_ps(at + 4 * static_cast<ptrdiff_t>(padded), _mm512_shuffle_f32x4(odd, next_odd, 0x88));
        _mm512_storeu_ps(at + 8 * static_cast<ptrdiff_t>(padded), _mm512_shuffle_f32x4(even, next_even, 0xdd));
        _mm512_storeu_ps(at + 12 * static_cast<ptrdiff_t>(padded), _mm512_shuffle_f32x4(odd, next_odd, 0xdd));
      }
    }
}

// Scores to weights, row by row. Of a row that may read nothing all weights are 0.
VECTOR void normalise(float* scores, const Attention& of, int row, int padded) {
  for (int t = 0; t < of.queries; t++, scores += padded) {
    const float* bias = of.bias + row * of.bias_row + t * of.bias_query;
    __m512 highest = _mm512_set1_ps(-INFINITY);
    for (int n = 0; n < padded; n += 16) {
      int left = of.keys - n;
      __mmask16 there = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
      __m512 score = _mm512_mask_add_ps(_mm512_set1_ps(-INFINITY), there, _mm512_loadu_ps(scores + n),
                                        _mm512_maskz_loadu_ps(there, bias + n));
      highest = _mm512_max_ps(highest, score);
      _mm512_storeu_ps(scores + n, score);
    }
    float most = _mm512_reduce_max_ps(highest);
    __m512 sum = _mm512_setzero_ps(), base = _mm512_set1_ps(most);
    for (int n = 0; n < padded; n += 16) {
      __m512 raised = exponential(_mm512_sub_ps(_mm512_loadu_ps(scores + n), base));
      int left = of.keys - n;
      __mmask16 there = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
      raised = _mm512_maskz_mov_ps(there, raised);
      sum = _mm512_add_ps(sum, raised);
      _mm512_storeu_ps(scores + n, raised);
    }
    __m512 share = _mm512_set1_ps(most < -1e30f ? 0.f : 1.f / _mm512_reduce_add_ps(sum));
    for (int n = 0; n < padded; n += 16)
      _mm512_storeu_ps(scores + n, _mm512_mul_ps(share, _mm512_loadu_ps(scores + n)));
  }
}

// What one head of one sentence works with, in float32; kept from call to call.
struct Room {
  std::vector<float> numbers;
  float* take(size_t& used, size_t count) {
    float* from = numbers.data() + used;
    used += (count + 15) / 16 * 16;
    return from;
  }
};
thread_local Room room;

struct Head {
  float *query, *key, *value, *across, *slope, *grad, *out;
  int padded;

  explicit Head(const Attention& of) : padded(of.padded()) {
    size_t width = of.width, T = of.queries, N = padded, used = 0;
    room.numbers.resize((3 * (T + N) + N) * width + T * N + 8 * 16);
    query = room.take(used, T * width);
    key = room.take(used, N * width);
    value = room.take(used, N * width);
    across = room.take(used, N * width);
    grad = room.take(used, T * width);
    out = room.take(used, (T > N ? T : N) * width);
    slope = room.take(used, T * N);
  }

  VECTOR void take(const Attention& of, int row, int head) {
    const bf16* keys = of.key_value + of.key_start(row, head);
    fetch(of.query + of.query_start(row, head), of.heads * of.width, query, of.queries, of.width,
          1.f / std::sqrt(static_cast<float>(of.width)), of.cos, of.sin);
    fetch(keys, 2 * of.groups * of.width, key, of.keys, of.width, 1.f, of.cos, of.sin);
    fetch(keys + of.groups * of.width, 2 * of.groups * of.width, value, of.keys, of.width, 1.f, nullptr, nullptr);
  }
};

// weights ⊙ (slope - Σ weights ⊙ slope): through the softmax.
VECTOR void through_softmax(const float* weights, float* slope, int rows, int padded) {
  for (int t = 0; t < rows; t++, weights += padded, slope += padded) {
    __m512 sum = _mm512_setzero_ps();
    for (int n = 0; n < padded; n += 16)
      sum = _mm512_fmadd_ps(_mm512_loadu_ps(weights + n), _mm512_loadu_ps(slope + n), sum);
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    for (int n = 0; n < padded; n += 16)
      _mm512_storeu_ps(slope + n, _mm512_mul_ps(_mm512_loadu_ps(weights + n),
                                                _mm512_sub_ps(_mm512_loadu_ps(slope + n), mean)));
  }
}

}  // namespace

VECTOR void attention_forward(const Attention& of, bf16* context) {
  Head one(of);
  for (int row = 0; row < of.rows; row++)
    for (int head = 0; head < of.heads; head++) {
      float* weights = of.weights_of(row, head);
      one.take(of, row, head);
      transpose(one.key, one.across, of.keys, of.width, one.padded);
      multiply(one.query, of.width, 1, one.across, weights, of.queries, of.width, one.padded);
      normalise(weights, of, row, one.padded);
      multiply(weights, one.padded, 1, one.value, one.out, of.queries, of.keys, of.width);
      put_back(one.out, context + of.query_start(row, head), of.heads * of.width, of.queries, of.width, 1.f, nullptr,
               nullptr);
    }
}

VECTOR void attention_backward(const Attention& of, const bf16* grad, bf16* grad_query, bf16* grad_key_value) {
  Head one(of);
  const int W = of.width, each = of.heads / of.groups;
  std::vector<float> keys(static_cast<size_t>(of.keys) * W), values(keys.size());
  for (int row = 0; row < of.rows; row++)
    for (int head = 0; head < of.heads; head++) {
      const float* weights = of.weights_of(row, head);
      one.take(of, row, head);
      fetch(grad + of.query_start(row, head), of.heads * W, one.grad, of.queries, W, 1.f, nullptr, nullptr);
      transpose(one.value, one.across, of.keys, W, one.padded);
      multiply(one.grad, W, 1, one.across, one.slope, of.queries, W, one.padded);
      through_softmax(weights, one.slope, of.queries, one.padded);
      multiply(one.slope, one.padded, 1, one.key, one.out, of.queries, of.keys, W);
      put_back(one.out, grad_query + of.query_start(row, head), of.heads * W, of.queries, W,
               1.f / std::sqrt(static_cast<float>(W)), of.cos, of.sin);
      const bool first = head % each == 0, last = head % each == each - 1;
      for (float* sum : {keys.data(), values.data()}) {
        const float* left = sum == keys.data() ? one.slope : weights;
        const float* right = sum == keys.data() ? one.query : one.grad;
        multiply(left, 1, one.padded, right, first ? sum : one.out, of.keys, of.queries, W);
        for (int i = 0; !first && i < of.keys * W; i += 16)
          _mm512_storeu_ps(sum + i, _mm512_add_ps(_mm512_loadu_ps(sum + i), _mm512_loadu_ps(one.out + i)));
      }
      if (!last) continue;
      bf16* to = grad_key_value + of.key_start(row, head);
      put_back(keys.data(), to, 2 * of.groups * W, of.keys, W, 1.f, of.cos, of.sin);
      put_back(values.data(), to + of.groups * W, 2 * of.groups * W, of.keys, W, 1.f, nullptr, nullptr);
    }
}

}  // namespace endash
#endif
