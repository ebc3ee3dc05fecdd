// Backend under test: the first GPU, if the machine has one.
#include <cstdlib>
#include <string_view>

#include "kernels/devices.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {

std::string no_backend_because() { return cuda_status().problem; }

// As in the command line, BIFRONS_PDL decides what a test leaves open (tools/gpu_check).
std::unique_ptr<Backend> backend_under_test(std::optional<bool> pdl) {
  if (const char* asked = std::getenv("BIFRONS_PDL"); !pdl && asked != nullptr) {
    pdl = std::string_view(asked) == "1";
  }
  return make_cuda_backend(0, false, pdl);
}

std::vector<std::unique_ptr<Backend>> backends_under_test() {
  std::vector<std::unique_ptr<Backend>> one;
  one.push_back(backend_under_test());
  return one;
}

bool backend_is_emulated() { return false; }

}  // namespace bifrons::testing
