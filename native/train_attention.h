#pragma once
#include "train_simd.h"
#ifdef ENDASH_VECTOR
namespace endash {

// Queries (rows, queries, heads · width) that read keys and values (rows, keys, 2 · groups · width), all dense. The bias is
// float32, found at row · bias_row + query · bias_query + key. Cosines and sines are (positions, width / 2), or null.
struct Attention {
  const bf16 *query, *key_value;
  const float* bias;
  ptrdiff_t bias_row, bias_query;
  const float *cos, *sin;
  float* weights;  // (rows, heads, queries, keys rounded up to 16): made forward, read backward
  int rows, heads, groups, queries, keys, width;

  int padded() const { return (keys + 15) / 16 * 16; }
  float* weights_of(int row, int head) const {
    return weights + (static_cast<ptrdiff_t>(row) * heads + head) * queries * padded();
  }

  ptrdiff_t query_start(int row, int head) const {
    return (static_cast<ptrdiff_t>(row) * queries * heads + head) * width;
  }
  ptrdiff_t key_start(int row, int head) const {
    return (static_cast<ptrdiff_t>(row) * keys * 2 * groups + head / (heads / groups)) * width;
  }
};

void attention_forward(const Attention& of, bf16* context);
void attention_backward(const Attention& of, const bf16* grad, bf16* grad_query, bf16* grad_key_value);

}  // namespace endash
#endif
