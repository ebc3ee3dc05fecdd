// Backend under test: the CPU, which every machine has.
#include "tests/support/under_test.h"

namespace bifrons::testing {

std::string no_backend_because() { return {}; }

std::unique_ptr<Backend> backend_under_test(std::optional<bool>) { return make_cpu_backend(2); }

bool backend_is_emulated() { return false; }

}  // namespace bifrons::testing
