// Differences are compared, for sums are what would wrap.
#include "src/engine/seeds.h"

#include <fmt/format.h>

#include <random>

namespace bifrons {

bool seeds_fit(uint64_t first, uint64_t drawings) {
  return drawings == 0 || drawings - 1 <= kLargestSeed - first;
}

void check_seeds(ErrorKind kind, uint64_t first, uint64_t drawings) {
  if (seeds_fit(first, drawings)) return;
  throw Error(kind, fmt::format("seeds from {} on for {} drawings would go past the largest one; "
                                "take a seed up to {}",
                                first, drawings, kLargestSeed - (drawings - 1)));
}

uint64_t random_seed() { return std::random_device{}(); }

}  // namespace bifrons
