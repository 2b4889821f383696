#pragma once
#include "train_simd.h"
#ifdef ENDASH_VECTOR
namespace endash {

// What becomes of a product before it is stored.
struct Finish {
  const bf16* bias = nullptr;  // one number a column
  bool relu = false;
  const bf16* shown = nullptr;  // as large as the product, which is zero where this is not above zero (ReLU backwards)
};

// out (rows, columns) = x (rows, inputs) times a matrix of bfloat16: (columns, inputs) transposed, or (inputs, columns) as it is.
// Inputs and columns are multiples of 32.
void product(const bf16* x, const bf16* matrix, bool transposed, bf16* out, ptrdiff_t rows, int inputs, int columns,
             const Finish& finish);

// sums (outputs, inputs) += grad (rows, outputs) transposed times x (rows, inputs), and totals (outputs) += grad summed over its
// rows: the gradients of a matrix and its bias. Inputs and outputs are multiples of 32.
void add_gradient(const bf16* grad, const bf16* x, float* sums, float* totals, ptrdiff_t rows, int outputs,
                  int inputs);

}  // namespace endash
#endif
