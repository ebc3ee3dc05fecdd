// How a product of many columns is shared out among blocks. The order of its sums (gemm_operands.h)
// does not depend on it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/numbers.h"
#include "kernels/device_memory.h"

namespace bifrons::cuda {

// What a block makes: so many rows of A times so many of B. Both come in stages, all but one of
// which are on their way while that one is multiplied.
struct GemmTile {
  int warps;     // of 16 rows each
  int vectors;   // of 8 columns each
  int stages;    // in shared memory
  int steps;     // of K a stage
  int resident;  // blocks that share a multiprocessor of a large card

  constexpr int threads() const { return warps * kWarp; }
  constexpr int64_t rows() const { return warps * kTileOut; }
  constexpr int64_t columns() const { return vectors * 8; }
  constexpr int64_t stage_bytes() const { return steps * kTileIn * 2 * (rows() + columns()); }
  constexpr int64_t result_bytes() const { return rows() * columns() * 4; }
  // With the sums of the groups before, where a block adds up several.
  constexpr int64_t shared_bytes(bool totals) const {
    return stages * stage_bytes() + (totals ? result_bytes() : 0);
  }
};

// As many stages as a large card's shared memory holds of the resident blocks, with totals.
constexpr std::array<GemmTile, 3> kGemmTiles = {
    {{4, 4, 4, 2, 3}, {8, 8, 4, 1, 2}, {8, 16, 5, 1, 1}}};

struct GemmPlan {
  int tile = 0;                  // of kGemmTiles
  bool split = false;            // a block for every group of slices instead of one for all
  int64_t across = 0, down = 0;  // tiles over the columns and over the rows

  constexpr int64_t tiles() const { return across * down; }
};

constexpr GemmPlan plan_of(int tile, bool split, int64_t m, int64_t n) {
  const GemmTile& one = kGemmTiles[tile];
  return {tile, split, ceil_div(n, one.columns()), ceil_div(m, one.rows())};
}

// Bytes that the blocks of a split product hand over to the one that adds them up.
constexpr int64_t split_k_bytes(const GemmPlan& plan) {
  return kGroups * plan.tiles() * kGemmTiles[plan.tile].result_bytes();
}

// Of a large card, an H100: its multiprocessors; what each of them gets from L2 in a nanosecond
// when all ask (5.5 TB/s), and what one alone may get; how many multiply-adds it makes meanwhile,
// as fast as its shared memory hands them to tensor cores; how long memory takes to answer; what a
// block takes that does nothing, and blocks that wait for each other. An estimate: nothing was
// measured.
constexpr int64_t kMultiprocessors = 132;
constexpr double kShareOfL2 = 42, kMostOfL2 = 84, kMultiplyAdds = 1700;
constexpr double kAnswer = 800, kBlock = 1000, kMeeting = 1000;  // nanoseconds

// Nanoseconds that a product should take.
constexpr double time_of(const GemmPlan& plan, int64_t m, int64_t n, int64_t k, int64_t beside) {
  const GemmTile& tile = kGemmTiles[plan.tile];
  const auto rounds = [](int64_t blocks, int64_t at_once) {
    return static_cast<double>(ceil_div(blocks, at_once));
  };
  const int64_t blocks = beside * plan.tiles() * (plan.split ? kGroups : 1);
  const double share = static_cast<double>(plan.split ? ceil_div(k, kGroups) : k);
  const double of_a = share * 2 * static_cast<double>(std::min(m, tile.rows()));
  const double read = of_a + share * 2 * static_cast<double>(std::min(n, tile.columns()));
  const double in_turn = rounds(blocks, kMultiprocessors);
  const double together = rounds(blocks, kMultiprocessors * tile.resident);
  const double under_way = static_cast<double>((tile.stages - 1) * tile.steps * tile.rows() * 64);
  // A part is written by one block and read by another.
  const double parts = plan.split ? 2 * static_cast<double>(tile.result_bytes()) : 0;
  const double moved = static_cast<double>(blocks) * (read + parts) / kMultiprocessors;
  const double multiplied =
      in_turn * share * static_cast<double>(tile.rows() * tile.columns()) / kMultiplyAdds;
  return std::max({moved / kShareOfL2, in_turn * (read + parts) / kMostOfL2, multiplied,
                   together * of_a / under_way * kAnswer}) +
         together * kBlock + (plan.split ? kMeeting : 0);
}

// For C [m, n] = A [m, k] B [n, k]^T, `beside` of them in one launch; a single one may be split. Of
// shared memory a block may have so many bytes.
constexpr GemmPlan plan_gemm(int64_t m, int64_t n, int64_t k, bool may_split_k, int64_t beside,
                             int64_t shared_bytes) {
  GemmPlan best = plan_of(0, false, m, n);
  double least = time_of(best, m, n, k, beside);
  const bool groups = slices_of(k).groups() > 1;
  for (int tile = 0; tile < static_cast<int>(kGemmTiles.size()); ++tile) {
    for (const bool split : {false, true}) {
      const GemmPlan plan = plan_of(tile, split, m, n);
      const bool possible =
          may_split_k && beside == 1 && groups && split_k_bytes(plan) <= kLargestSplitK;
      if (split && !possible) continue;
      if (kGemmTiles[tile].shared_bytes(groups && !split) > shared_bytes) continue;
      const double time = time_of(plan, m, n, k, beside);
      if (time >= least) continue;
      least = time;
      best = plan;
    }
  }
  return best;
}

}  // namespace bifrons::cuda
