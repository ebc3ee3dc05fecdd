// The backend a test program is about: tests that hold on every device are linked once for each.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/backend.h"

namespace bifrons::testing {

// Why there is none on this machine; empty when there is one.
std::string no_backend_because();

// pdl: see make_cuda_backend.
std::unique_ptr<Backend> backend_under_test(std::optional<bool> pdl = {});

// Whether it is a device played by a host, thousands of times slower: laws try fewer cases then.
bool backend_is_emulated();

}  // namespace bifrons::testing
