// Plan of a GEMM with many columns: tile size and split-K. The order of its sums (gemm_operands.h)
// does not depend on the plan.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/numbers.h"
#include "kernels/device_memory.h"

namespace bifrons::cuda {

// The output tile of a block, and its pipeline. A and B come in stages: all stages but one are in
// flight while that one is multiplied. The warps divide the tile in both dimensions: a warp reads
// fewer rows and columns from shared memory than it would if it had all columns.
struct GemmTile {
  int down, across;  // warps over the rows, and over the columns
  int vectors;       // of 8 columns, per warp
  int stages;        // pipeline stages in shared memory
  int steps;         // steps of K per stage
  int resident;      // blocks per multiprocessor of a large GPU

  constexpr int warps() const { return down * across; }
  constexpr int threads() const { return warps() * kWarp; }
  constexpr int tiles() const { return down * kWarpTiles; }  // of 16 rows
  constexpr int64_t rows() const { return tiles() * kTileOut; }
  constexpr int64_t columns() const { return across * vectors * 8; }
  constexpr int64_t stage_bytes() const { return steps * kTileIn * 2 * (rows() + columns()); }
  constexpr int64_t result_bytes() const { return rows() * columns() * 4; }
  // Shared memory written and read for one step of K: cp.async writes both tiles, and every warp
  // reads its rows and its columns.
  constexpr int64_t step_traffic() const {
    return kTileIn * 2 * (rows() + columns() + across * rows() + down * columns());
  }
  // `totals`: with the sums of earlier groups, if one block adds several groups.
  constexpr int64_t shared_bytes(bool totals) const {
    return stages * stage_bytes() + (totals ? result_bytes() : 0);
  }
};

// As many stages as the shared memory of a large GPU holds for the resident blocks, with totals.
constexpr std::array<GemmTile, 4> kGemmTiles = {
    {{2, 2, 2, 4, 2, 3}, {4, 2, 4, 4, 1, 2}, {4, 2, 8, 5, 1, 1}, {6, 2, 8, 6, 1, 1}}};

struct GemmPlan {
  int tile = 0;                  // index into kGemmTiles
  bool split = false;            // split-K: one block per group of slices instead of one for all
  int64_t across = 0, down = 0;  // tiles over the columns and over the rows

  constexpr int64_t tiles() const { return across * down; }
};

constexpr GemmPlan plan_of(int tile, bool split, int64_t m, int64_t n) {
  const GemmTile& one = kGemmTiles[tile];
  return {tile, split, ceil_div(n, one.columns()), ceil_div(m, one.rows())};
}

// Workspace of split-K in bytes: the partial sums of all blocks.
constexpr int64_t split_k_bytes(const GemmPlan& plan) {
  return kGroups * plan.tiles() * kGemmTiles[plan.tile].result_bytes();
}

// Cost model for a large GPU (H100): number of multiprocessors; L2 bandwidth of each when all of
// them read (5.5 TB/s in total), and at most when one reads alone, and its shared memory's, in
// bytes per nanosecond; multiply-adds of mma.sync per nanosecond; latency of memory; time of a
// block that does nothing; time until blocks have met for split-K. These are estimates; nothing was
// measured.
constexpr int64_t kMultiprocessors = 132;
constexpr double kShareOfL2 = 42, kMostOfL2 = 84, kSharedMemory = 225, kMultiplyAdds = 2230;
constexpr double kAnswer = 800, kBlock = 1000, kMeeting = 1000;  // nanoseconds

// Nanoseconds of one step of K of a block that is alone on its multiprocessor.
constexpr double step_time(const GemmTile& tile) {
  return std::max(static_cast<double>(tile.step_traffic()) / kSharedMemory,
                  static_cast<double>(tile.rows() * tile.columns() * kTileIn) / kMultiplyAdds);
}

// Estimated nanoseconds for a GEMM; an element of A takes a_bytes.
constexpr double time_of(const GemmPlan& plan, int64_t m, int64_t n, int64_t k, int64_t batch,
                         double a_bytes) {
  const GemmTile& tile = kGemmTiles[plan.tile];
  const auto rounds = [](int64_t blocks, int64_t at_once) {
    return static_cast<double>(ceil_div(blocks, at_once));
  };
  const int64_t blocks = batch * plan.tiles() * (plan.split ? kGroups : 1);
  const double share = static_cast<double>(plan.split ? ceil_div(k, kGroups) : k);
  const double of_a = share * a_bytes * static_cast<double>(std::min(m, tile.rows()));
  const double read = of_a + share * 2 * static_cast<double>(std::min(n, tile.columns()));
  const double in_turn = rounds(blocks, kMultiprocessors);
  const double together = rounds(blocks, kMultiprocessors * tile.resident);
  const double in_flight =
      static_cast<double>((tile.stages - 1) * tile.steps * tile.rows() * kTileIn) * a_bytes;
  // A partial sum is written by one block and read by another.
  const double parts = plan.split ? 2 * static_cast<double>(tile.result_bytes()) : 0;
  const double moved = static_cast<double>(blocks) * (read + parts) / kMultiprocessors;
  const double multiplied = in_turn * share / static_cast<double>(kTileIn) * step_time(tile);
  return std::max({moved / kShareOfL2, in_turn * (read + parts) / kMostOfL2, multiplied,
                   together * of_a / in_flight * kAnswer}) +
         together * kBlock + (plan.split ? kMeeting : 0);
}

// Chooses the plan for C [m, n] = A [m, k] B [n, k]^T, `batch` of them in one launch; only a single
// one may use split-K. `shared_bytes`: shared memory that a block may have. `a_bytes`: of an
// element of A.
constexpr GemmPlan plan_gemm(int64_t m, int64_t n, int64_t k, bool may_split_k, int64_t batch,
                             int64_t shared_bytes, double a_bytes = 2) {
  GemmPlan best = plan_of(0, false, m, n);
  double least = time_of(best, m, n, k, batch, a_bytes);
  const bool groups = slices_of(k).groups() > 1;
  for (int tile = 0; tile < static_cast<int>(kGemmTiles.size()); ++tile) {
    for (const bool split : {false, true}) {
      const GemmPlan plan = plan_of(tile, split, m, n);
      const bool possible =
          may_split_k && batch == 1 && groups && split_k_bytes(plan) <= kLargestSplitK;
      if (split && !possible) continue;
      if (kGemmTiles[tile].shared_bytes(groups && !split) > shared_bytes) continue;
      const double time = time_of(plan, m, n, k, batch, a_bytes);
      if (time >= least) continue;
      least = time;
      best = plan;
    }
  }
  return best;
}

}  // namespace bifrons::cuda
