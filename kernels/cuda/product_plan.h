// How a product of many columns is shared out among blocks. The order of its sums (products.h) does
// not depend on it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cuda/numbers.h"
#include "kernels/cuda/products.h"
#include "kernels/device_memory.h"

namespace bifrons::cuda {

// What a block makes: so many rows of A times so many of B.
struct ProductTile {
  int warps;    // of 16 rows each
  int vectors;  // of 8 columns each

  constexpr int64_t rows() const { return warps * kTileOut; }
  constexpr int64_t columns() const { return vectors * 8; }
};

constexpr std::array<ProductTile, 3> kProductTiles = {{{4, 4}, {8, 8}, {8, 16}}};

struct ProductPlan {
  int tile = 0;                  // of kProductTiles
  bool split = false;            // a block for every group of slices instead of one for all
  int64_t across = 0, down = 0;  // tiles over the columns and over the rows

  constexpr int64_t tiles() const { return across * down; }
};

constexpr ProductPlan plan_of(int tile, bool split, int64_t m, int64_t n) {
  const ProductTile& one = kProductTiles[tile];
  return {tile, split, ceil_div(n, one.columns()), ceil_div(m, one.rows())};
}

// Bytes that the blocks of a split product hand over to the one that adds them up.
constexpr int64_t parts_bytes(const ProductPlan& plan) {
  const ProductTile& tile = kProductTiles[plan.tile];
  return kGroups * plan.tiles() * tile.rows() * tile.columns() *
         static_cast<int64_t>(sizeof(float));
}

// A large card.
constexpr int64_t kMultiprocessors = 132;

// What a multiprocessor has to do, in bytes of its way to L2; it takes blocks one after another. An
// H100's gets 42 bytes a nanosecond (5.5 TB/s) and in that time makes 1700 multiply-adds, which is
// as fast as its shared memory hands B to tensor cores. Counted, not measured.
constexpr int64_t work_of(const ProductPlan& plan, int64_t m, int64_t n, int64_t k,
                          int64_t beside) {
  const ProductTile& tile = kProductTiles[plan.tile];
  const int64_t share = plan.split ? ceil_div(k, kGroups) : k;
  const int64_t read = (std::min(m, tile.rows()) + std::min(n, tile.columns())) * share * 2;
  const int64_t multiplied = tile.rows() * tile.columns() * share / 40;
  // A part is written by one block and read by another.
  const int64_t parts = plan.split ? tile.rows() * tile.columns() * 8 : 0;
  const int64_t blocks = beside * plan.tiles() * (plan.split ? kGroups : 1);
  return ceil_div(blocks, kMultiprocessors) * (std::max(read, multiplied) + parts);
}

// For C [m, n] = A [m, k] B [n, k]^T, `beside` of them in one launch; a single one may be split.
constexpr ProductPlan plan_product(int64_t m, int64_t n, int64_t k, bool may_split,
                                   int64_t beside = 1) {
  ProductPlan best;
  int64_t least = INT64_MAX;
  for (int tile = 0; tile < static_cast<int>(kProductTiles.size()); ++tile) {
    for (const bool split : {false, true}) {
      const ProductPlan plan = plan_of(tile, split, m, n);
      const bool possible = may_split && beside == 1 && slices_of(k).groups() == kGroups &&
                            parts_bytes(plan) <= kLargestParts;
      if (split && !possible) continue;
      const int64_t work = work_of(plan, m, n, k, beside);
      if (work >= least) continue;
      least = work;
      best = plan;
    }
  }
  return best;
}

}  // namespace bifrons::cuda
