// Processor time, so that limits hold on a machine that is busy with other things.
#pragma once

#include <ctime>

namespace bifrons::testing {

// Seconds of processor time of this process that `body` takes.
template <typename Body>
double cpu_seconds_of(Body&& body) {
  const std::clock_t start = std::clock();
  body();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace bifrons::testing
