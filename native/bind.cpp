#include <nanobind/nanobind.h>
void bind_training(nanobind::module_& module);
NB_MODULE(_native, m) {
  m.def("answer", [] { return 42; });
  bind_training(m);
}
