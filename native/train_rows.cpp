// What training does to whole rows: dropout, residual sums and norms, cross-entropy, and gradients added up. The functions that
// define these are in parts/fused.py and objectives/cross_entropy.py.
#include "train_rows.h"
#ifdef ENDASH_VECTOR
#include <cmath>
#include <vector>

namespace endash {

VECTOR static inline __m512 kept(uint64_t mask, int quarter, __m512 values) {
  return _mm512_maskz_mov_ps(static_cast<__mmask16>(mask >> (16 * quarter)), values);
}

VECTOR void drop_forward(const bf16* x, const bf16* residual, bf16* out, uint64_t* keep, ptrdiff_t count,
                         uint64_t seed, int dropped) {
  Random random(seed);
  __m512 scale = _mm512_set1_ps(256.f / (256 - dropped));
  for (ptrdiff_t i = 0; i < count; i += 64) {
    uint64_t mask = keep[i / 64] = random.keep(dropped);
    for (int q = 0; q < 4; q++) {
      ptrdiff_t at = i + 16 * q;
      __m512 value = kept(mask, q, _mm512_mul_ps(scale, load(x + at)));
      store(out + at, residual ? _mm512_add_ps(value, load(residual + at)) : value);
    }
  }
}

VECTOR void drop_backward(const bf16* grad, bf16* out, const uint64_t* keep, ptrdiff_t count, int dropped) {
  __m512 scale = _mm512_set1_ps(256.f / (256 - dropped));
  for (ptrdiff_t i = 0; i < count; i += 64)
    for (int q = 0; q < 4; q++)
      store(out + i + 16 * q, kept(keep[i / 64], q, _mm512_mul_ps(scale, load(grad + i + 16 * q))));
}

VECTOR void norm_forward(const Norm& of, const bf16* x, const bf16* added, bf16* out, uint64_t seed) {
  Random random(seed);
  __m512 scale = _mm512_set1_ps(256.f / (256 - of.dropped));
  std::vector<float> row(of.width);
  for (ptrdiff_t i = 0; i < of.rows; i++) {
    const ptrdiff_t start = i * of.width;
    __m512 sum = _mm512_setzero_ps(), squares = sum;
    for (int k = 0; k < of.width; k += 64) {
      uint64_t mask = 0;
      if (added) mask = of.keep[(start + k) / 64] = random.keep(of.dropped);
      for (int q = 0; q < 4; q++) {
        const int at = k + 16 * q;
        __m512 value = load(x + start + at);
        if (added) value = _mm512_add_ps(value, kept(mask, q, _mm512_mul_ps(scale, load(added + start + at))));
        _mm512_storeu_ps(row.data() + at, value);
        sum = _mm512_add_ps(sum, value);
      }
    }
    const float mean = _mm512_reduce_add_ps(sum) / of.width;
    __m512 centre = _mm512_set1_ps(mean);
    for (int k = 0; k < of.width; k += 16) {
      __m512 value = _mm512_sub_ps(_mm512_loadu_ps(row.data() + k), centre);
      squares = _mm512_fmadd_ps(value, value, squares);
    }
    const float rate = 1.f / std::sqrt(_mm512_reduce_add_ps(squares) / of.width + of.epsilon);
    of.rates[i] = rate;
    __m512 by = _mm512_set1_ps(rate);
    for (int k = 0; k < of.width; k += 16) {
      __m512 value = _mm512_mul_ps(by, _mm512_sub_ps(_mm512_loadu_ps(row.data() + k), centre));
      store(of.normal + start + k, value);
      store(out + start + k, _mm512_fmadd_ps(value, _mm512_loadu_ps(of.weight + k), _mm512_loadu_ps(of.bias + k)));
    }
  }
}

VECTOR void norm_backward(const Norm& of, const bf16* grad, bf16* grad_x, bf16* grad_added, float* grad_weight,
                          float* grad_bias) {
  __m512 scale = _mm512_set1_ps(256.f / (256 - of.dropped));
  std::vector<float> slope(of.width);
  for (ptrdiff_t i = 0; i < of.rows; i++) {
    const ptrdiff_t start = i * of.width;
    __m512 sum = _mm512_setzero_ps(), along = sum;
    for (int k = 0; k < of.width; k += 16) {
      __m512 from = load(grad + start + k), normal = load(of.normal + start + k);
      _mm512_storeu_ps(grad_weight + k, _mm512_fmadd_ps(from, normal, _mm512_loadu_ps(grad_weight + k)));
      _mm512_storeu_ps(grad_bias + k, _mm512_add_ps(from, _mm512_loadu_ps(grad_bias + k)));
      from = _mm512_mul_ps(from, _mm512_loadu_ps(of.weight + k));
      _mm512_storeu_ps(slope.data() + k, from);
      sum = _mm512_add_ps(sum, from);
      along = _mm512_fmadd_ps(from, normal, along);
    }
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / of.width);
    __m512 turn = _mm512_set1_ps(_mm512_reduce_add_ps(along) / of.width), rate = _mm512_set1_ps(of.rates[i]);
    for (int k = 0; k < of.width; k += 64)
      for (int q = 0; q < 4; q++) {
        const int at = k + 16 * q;
        __m512 value = _mm512_sub_ps(_mm512_loadu_ps(slope.data() + at), mean);
        value = _mm512_mul_ps(rate, _mm512_fnmadd_ps(load(of.normal + start + at), turn, value));
        store(grad_x + start + at, value);
        if (grad_added)
          store(grad_added + start + at, kept(of.keep[(start + k) / 64], q, _mm512_mul_ps(scale, value)));
      }
  }
}

VECTOR double entropy(bf16* scores, const int64_t* target, ptrdiff_t rows, int words, float smoothing, float* own) {
  double log_words = 0;
  std::vector<float> raised(words);
  const __m512 base_slope = _mm512_set1_ps(-smoothing / words);
  for (ptrdiff_t i = 0; i < rows; i++, scores += words) {
    __m512 highest = _mm512_set1_ps(-INFINITY), plain = _mm512_setzero_ps(), sum = plain;
    for (int v = 0; v < words; v += 16) {
      __m512 score = load(scores + v);
      highest = _mm512_max_ps(highest, score);
      plain = _mm512_add_ps(plain, score);
    }
    const float most = _mm512_reduce_max_ps(highest), of_target = widen(scores[target[i]]);
    const __m512 base = _mm512_set1_ps(most);
    for (int v = 0; v < words; v += 16) {
      __m512 value = exponential(_mm512_sub_ps(load(scores + v), base));
      _mm512_storeu_ps(raised.data() + v, value);
      sum = _mm512_add_ps(sum, value);
    }
    const float total = _mm512_reduce_add_ps(sum), high = most + std::log(total);
    own[i] = of_target - high;
    log_words += _mm512_reduce_add_ps(plain) - static_cast<double>(words) * high;
    raised[target[i]] -= (1 - smoothing) * total;
    const __m512 share = _mm512_set1_ps(1.f / total);
    for (int v = 0; v < words; v += 16)
      store(scores + v, _mm512_fmadd_ps(share, _mm512_loadu_ps(raised.data() + v), base_slope));
  }
  return log_words;
}

VECTOR static void add_up(const bf16* from, float* to, ptrdiff_t count, float scale) {
  __m512 by = _mm512_set1_ps(scale);
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) _mm512_storeu_ps(to + i, _mm512_fmadd_ps(by, load(from + i), _mm512_loadu_ps(to + i)));
  for (; i < count; i++) to[i] += scale * widen(from[i]);
}

VECTOR void add_rows(const bf16* from, float* to, ptrdiff_t rows, int width, const int64_t* where, float scale) {
  for (ptrdiff_t i = 0; i < rows; i++) add_up(from + i * width, to + (where ? where[i] * width : 0), width, scale);
}

}  // namespace endash
#endif
