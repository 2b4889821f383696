// The fused parts of training, as endash._native.training: addresses and sizes in, which parts/fused.py has checked.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>

#include "train_attention.h"
#include "train_product.h"
#include "train_rows.h"

namespace nb = nanobind;

#ifdef ENDASH_VECTOR
#include <cpuid.h>

using namespace endash;
using Address = uintptr_t;

namespace {

template <class T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

Attention attention(Address query, Address key_value, std::tuple<Address, ptrdiff_t, ptrdiff_t> bias, Address cos,
                    Address sin, Address weights, std::tuple<int, int, int, int, int, int> shape) {
  auto [rows, heads, groups, queries, keys, width] = shape;
  return {at<bf16>(query),     at<bf16>(key_value), at<float>(std::get<0>(bias)),
          std::get<1>(bias),   std::get<2>(bias),   at<float>(cos),
          at<float>(sin),      at<float>(weights),  rows,
          heads,               groups,              queries,
          keys,                width};
}

bool available() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bf16");
}

// AMX, whose tiles multiply several times as fast as vectors do.
bool has_matrix_unit() {
  unsigned a, b, c, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
}

}  // namespace

void bind_training(nb::module_& module) {
  nb::module_ m = module.def_submodule("training");
  m.def("available", &available);
  m.def("has_matrix_unit", &has_matrix_unit);
  nb::class_<Attention>(m, "Attention");
  m.def("attention", &attention);
  m.def("attention_forward", [](const Attention& of, Address out) { attention_forward(of, at<bf16>(out)); });
  m.def("attention_backward", [](const Attention& of, Address grad, Address query, Address key_value) {
    attention_backward(of, at<bf16>(grad), at<bf16>(query), at<bf16>(key_value));
  });
  m.def("drop_forward", [](Address x, Address residual, Address out, Address keep, ptrdiff_t count, uint64_t seed,
                           int dropped) {
    drop_forward(at<bf16>(x), at<bf16>(residual), at<bf16>(out), at<uint64_t>(keep), count, seed, dropped);
  });
  m.def("drop_backward", [](Address grad, Address out, Address keep, ptrdiff_t count, int dropped) {
    drop_backward(at<bf16>(grad), at<bf16>(out), at<uint64_t>(keep), count, dropped);
  });
  nb::class_<Norm>(m, "Norm");
  m.def("norm", [](Address weight, Address bias, Address normal, Address rates, Address keep, ptrdiff_t rows, int width,
                   int dropped, float epsilon) {
    return Norm{at<float>(weight), at<float>(bias), at<bf16>(normal), at<float>(rates), at<uint64_t>(keep),
                rows,              width,           dropped,          epsilon};
  });
  m.def("norm_forward", [](const Norm& of, Address x, Address added, Address out, uint64_t seed) {
    norm_forward(of, at<bf16>(x), at<bf16>(added), at<bf16>(out), seed);
  });
  m.def("norm_backward", [](const Norm& of, Address grad, Address x, Address added, Address weight, Address bias) {
    norm_backward(of, at<bf16>(grad), at<bf16>(x), at<bf16>(added), at<float>(weight), at<float>(bias));
  });
  m.def("product", [](Address x, Address matrix, bool transposed, Address out, std::tuple<ptrdiff_t, int, int> shape,
                      std::tuple<Address, bool, Address> finish) {
    auto [rows, inputs, columns] = shape;
    auto [bias, relu, shown] = finish;
    product(at<bf16>(x), at<bf16>(matrix), transposed, at<bf16>(out), rows, inputs, columns,
            {at<bf16>(bias), relu, at<bf16>(shown)});
  });
  m.def("add_gradient", [](Address grad, Address x, Address weight, Address bias, std::tuple<ptrdiff_t, int, int> shape) {
    auto [rows, outputs, inputs] = shape;
    add_gradient(at<bf16>(grad), at<bf16>(x), at<float>(weight), at<float>(bias), rows, outputs, inputs);
  });
  m.def("entropy", [](Address scores, Address target, ptrdiff_t rows, int words, float smoothing, Address own) {
    return entropy(at<bf16>(scores), at<int64_t>(target), rows, words, smoothing, at<float>(own));
  });
  m.def("add_rows", [](Address from, Address to, ptrdiff_t rows, int width, Address where, float scale) {
    add_rows(at<bf16>(from), at<float>(to), rows, width, at<int64_t>(where), scale);
  });
}
#else
void bind_training(nb::module_& module) {
  module.def_submodule("training").def("available", [] { return false; });
}
#endif
