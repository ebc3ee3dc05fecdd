// CPU time, for time limits that hold on a busy machine.
#pragma once

#include <ctime>

namespace bifrons::testing {

// Seconds of CPU time of this process while `body` runs.
template <typename Body>
double cpu_seconds_of(Body&& body) {
  const std::clock_t start = std::clock();
  body();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace bifrons::testing
