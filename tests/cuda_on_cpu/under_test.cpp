// The CUDA backend, compiled for the host.
#include "tests/support/under_test.h"

namespace bifrons {

// make_cuda_backend() under the name it has in this library (CMakeLists.txt).
std::unique_ptr<Backend> make_cuda_on_cpu_backend(int device, bool low_priority,
                                                  std::optional<bool> pdl);

namespace testing {

std::string no_backend_because() { return {}; }

std::unique_ptr<Backend> backend_under_test(std::optional<bool> pdl) {
  return make_cuda_on_cpu_backend(0, false, pdl);
}

std::vector<std::unique_ptr<Backend>> backends_under_test() {
  std::vector<std::unique_ptr<Backend>> one;
  one.push_back(backend_under_test());
  return one;
}

bool backend_is_emulated() { return true; }

}  // namespace testing
}  // namespace bifrons
