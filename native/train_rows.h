#pragma once
#include "train_simd.h"
#ifdef ENDASH_VECTOR
namespace endash {

// A norm of (rows, width), and what its backward pass needs: `normal` before weight and bias, the rates it was made with, and
// which numbers of what was added to the residual path were kept (dropped: of 256). Widths are multiples of 64.
struct Norm {
  const float *weight, *bias;
  bf16* normal;
  float* rates;
  uint64_t* keep;
  ptrdiff_t rows;
  int width, dropped;
  float epsilon;
};

void drop_forward(const bf16* x, const bf16* residual, bf16* out, uint64_t* keep, ptrdiff_t count, uint64_t seed,
                  int dropped);
void drop_backward(const bf16* grad, bf16* out, const uint64_t* keep, ptrdiff_t count, int dropped);
void norm_forward(const Norm& of, const bf16* x, const bf16* added, bf16* out, uint64_t seed);
void norm_backward(const Norm& of, const bf16* grad, bf16* grad_x, bf16* grad_added, float* grad_weight,
                   float* grad_bias);
// Scores become their own gradient; `own` is the log-probability of each target. Gives the sum of those of all words.
double entropy(bf16* scores, const int64_t* target, ptrdiff_t rows, int words, float smoothing, float* own);
void add_rows(const bf16* from, float* to, ptrdiff_t rows, int width, const int64_t* where, float scale);

}  // namespace endash
#endif
