// Seeds that count up end at the largest one: none ever wraps around to another picture's.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/error.h"

namespace bifrons {

constexpr uint64_t kLargestSeed = std::numeric_limits<uint64_t>::max();

// Whether the seeds first, first + 1, ... of `drawings` pictures are there.
bool seeds_fit(uint64_t first, uint64_t drawings);

// Throws Error (`kind`) unless they are.
void check_seeds(ErrorKind kind, uint64_t first, uint64_t drawings);

// 32 bits: enough to hardly ever meet twice by chance, and they can be typed.
uint64_t random_seed();

}  // namespace bifrons
