// The backend under test. Tests that hold for every device are linked once for each device.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace bifrons::testing {

// Why this machine has no such backend; empty if it has one.
std::string no_backend_because();

// pdl: see make_cuda_backend.
std::unique_ptr<Backend> backend_under_test(std::optional<bool> pdl = {});

// The same for every instruction set of a CPU.
std::vector<std::unique_ptr<Backend>> backends_under_test();

// Whether the device is simulated on the CPU and thousands of times slower. Laws test fewer cases
// then.
bool backend_is_emulated();

}  // namespace bifrons::testing
