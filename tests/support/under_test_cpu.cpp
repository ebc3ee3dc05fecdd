// Backend under test: the CPU, which every machine has.
#include "tests/support/under_test.h"

namespace bifrons::testing {

std::string no_backend_because() { return {}; }

std::unique_ptr<Backend> backend_under_test(std::optional<bool>) { return make_cpu_backend(2); }

std::vector<std::unique_ptr<Backend>> backends_under_test() {
  std::vector<std::unique_ptr<Backend>> all;
  for (const std::string_view isa : cpu_instruction_sets()) {
    all.push_back(make_cpu_backend(2, isa));
  }
  return all;
}

bool backend_is_emulated() { return false; }

}  // namespace bifrons::testing
