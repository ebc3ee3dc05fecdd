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

bool backend_is_emulated() { return true; }

}  // namespace testing
}  // namespace bifrons
