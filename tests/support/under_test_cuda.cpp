// The first GPU, if this machine has one.
#include "kernels/devices.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {

std::string no_backend_because() { return cuda_status().problem; }

std::unique_ptr<Backend> backend_under_test() { return make_cuda_backend(0); }

bool backend_is_emulated() { return false; }

}  // namespace bifrons::testing
