// Products of many columns: blocks of tensor-core tiles. See products.h for what is multiplied.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/product_plan.h"
#include "kernels/cuda/products.h"

namespace bifrons::cuda {

// What blocks beyond those of the tiles are there for, and how many times those are: nothing.
struct Alone {
  static constexpr int64_t depth() { return 1; }
};
// Products of one shape beside each other: how far apart, in elements, operands and results lie.
struct Beside {
  int count;
  int64_t a, b, y;

  int64_t depth() const { return count; }
};
// A block for each group of a tile's sums, as plan.split says. The last of them to finish adds up
// what all have left in `parts`; a counter at zero for every tile.
struct Split {
  float4* parts;  // parts_bytes()
  int* counters;

  static constexpr int64_t depth() { return kGroups; }
};

// Four values of a lane, in the order of multiply_tile()'s result.
__device__ inline void add_to(float (&sum)[4], const float4& part) {
  sum[0] += part.x;
  sum[1] += part.y;
  sum[2] += part.z;
  sum[3] += part.w;
}

// A block's stages in shared memory: what its warps read of A, each its own tile, and what all of
// them read of B.
template <int kTile>
struct Stages {
  static constexpr ProductTile kIs = kProductTiles[kTile];
  struct Stage {
    uint4 a[kIs.steps][kIs.warps][2][kWarp];
    uint4 b[kIs.steps][kIs.columns()][4];
  };
  static_assert(sizeof(Stage) == kIs.stage_bytes());
  Stage of[kIs.stages];
  float4 totals[kIs.vectors][kIs.threads()];  // of groups; only where a block adds up several
};

// kWhole: both operands come in whole vectors.
template <int kTile, bool kWhole, typename A, typename B, typename T, typename Others>
__global__ void __launch_bounds__(kProductTiles[kTile].threads(), kProductTiles[kTile].resident)
    product_kernel(A a_rows, B b_rows, Finish<T> finish, Slices slices, Others others) {
  constexpr ProductTile kIs = kProductTiles[kTile];
  constexpr bool kSplit = std::is_same_v<Others, Split>;
  constexpr bool kWeights = std::is_same_v<A, TiledWeights>;
  constexpr int kN = kIs.vectors, kThreads = kIs.threads();
  constexpr int kColumns = static_cast<int>(kIs.columns());
  constexpr int kEach = kIs.steps * kColumns * 4 / kThreads;  // vectors of B that a thread fetches
  static_assert(kEach * kThreads == kIs.steps * kColumns * 4);
  Stages<kTile>& shared = *dynamic_shared<Stages<kTile>>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int64_t tile = int64_t{blockIdx.y} * kIs.warps + warp;
  const int64_t first_column = int64_t{blockIdx.x} * kColumns;
  int first = 0, last = slices.steps;
  if constexpr (kSplit) {
    const int steps = slices.each * slices.length;
    first = static_cast<int>(blockIdx.z) * steps;
    last = first + steps < last ? first + steps : last;
  }
  if constexpr (std::is_same_v<Others, Beside>) {
    a_rows.shift(blockIdx.z * others.a);
    b_rows.shift(blockIdx.z * others.b);
    finish.y += blockIdx.z * others.y;
  }

  // Of a stage's steps the last one may lie behind `last`: it may be fetched, and is not
  // multiplied.
  const auto fetch_a = [&](int slot, int begin) {
#pragma unroll
    for (int i = 0; i < kIs.steps * 2; ++i) {
      uint4& to = shared.of[slot].a[i / 2][warp][i % 2][lane];
      if constexpr (kWhole || kWeights) {
        const void* from =
            begin + i / 2 < last ? a_rows.address(tile, begin + i / 2, i % 2) : nullptr;
        copy_to_shared(&to, from ? from : a_rows.data, from != nullptr);
      } else {
        to = a_rows.eight(tile, begin + i / 2, i % 2);
      }
    }
  };
  const auto fetch_b = [&](int slot, int begin) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int at = i * kThreads + thread, step = at / (4 * kColumns), column = at / 4 % kColumns;
      const int64_t n = first_column + column, k0 = (begin + step) * kTileIn + at % 4 * 8;
      uint4& to = shared.of[slot].b[step][column][at % 4];
      if constexpr (kWhole) {
        const Bf16* from = b_rows.address(n, k0);
        copy_to_shared(&to, from ? from : b_rows.data, from != nullptr);
      } else {
        to = b_rows.eight(n, k0);
      }
    }
  };
  constexpr int kUnderWay = kIs.stages - 1;
  // Weights are there from the beginning.
  if constexpr (!kWeights) wait_for_previous();
#pragma unroll
  for (int s = 0; s < kUnderWay; ++s) {
    if (first + s * kIs.steps < last) fetch_a(s, first + s * kIs.steps);
  }
  let_next_begin();
  if constexpr (kWeights) wait_for_previous();
#pragma unroll
  for (int s = 0; s < kUnderWay; ++s) {
    if (first + s * kIs.steps < last) fetch_b(s, first + s * kIs.steps);
    end_copy_group();
  }

  float group[kN][4] = {}, slice[kN][4] = {};
  int steps_left = slices.length, slices_left = slices.each;
  bool any_total = false;
  int slot = 0, free_slot = kUnderWay;
#pragma unroll 1
  for (int begin = first; begin < last; begin += kIs.steps) {
    wait_for_copies<kUnderWay - 1>();
    __syncthreads();  // this stage has been filled by all, and nobody reads the one before any more
    if (const int next = begin + kUnderWay * kIs.steps; next < last) {
      fetch_a(free_slot, next);
      fetch_b(free_slot, next);
    }
    end_copy_group();
    const typename Stages<kTile>::Stage& stage = shared.of[slot];
    free_slot = slot;
    slot = slot + 1 == kIs.stages ? 0 : slot + 1;
#pragma unroll
    for (int i = 0; i < kIs.steps; ++i) {
      const int step = begin + i;
      if (step >= last) continue;
      const Fragment a = A::fragment(stage.a[i][warp][0][lane], stage.a[i][warp][1][lane]);
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        multiply_step(slice[j], a, stage.b[i][j * 8 + lane / 4][lane % 4]);
      }
      if (--steps_left > 0 && step + 1 < last) continue;
      steps_left = slices.length;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) group[j][e] += std::exchange(slice[j][e], 0.0f);
      }
      if constexpr (kSplit) continue;
      if (--slices_left > 0 || slices.groups() == 1) continue;
      slices_left = slices.each;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        float total[4] = {};
        if (any_total) add_to(total, shared.totals[j][thread]);
#pragma unroll
        for (int e = 0; e < 4; ++e) total[e] += std::exchange(group[j][e], 0.0f);
        shared.totals[j][thread] = {total[0], total[1], total[2], total[3]};
      }
      any_total = true;
    }
  }
  wait_for_copies<0>();

  const auto finish_four = [&](int j, const float(&sum)[4]) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      finish(tile * kTileOut + lane / 4 + e / 2 * 8, first_column + j * 8 + lane % 4 * 2 + e % 2,
             sum[e]);
    }
  };
  if constexpr (kSplit) {
    const int64_t at = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
    float4* const parts = others.parts + at * kGroups * kN * kThreads + thread;
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      parts[(blockIdx.z * kN + j) * kThreads] = {group[j][0], group[j][1], group[j][2],
                                                 group[j][3]};
    }
    if (!last_to_arrive(others.counters + at, kGroups)) return;
#pragma unroll 4
    for (int j = 0; j < kN; ++j) {
      float total[4] = {};
#pragma unroll
      for (int g = 0; g < kGroups; ++g) add_to(total, parts[(g * kN + j) * kThreads]);
      finish_four(j, total);
    }
  } else {
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      // The last slices of K may be missing, and then the group they would end was not added yet.
      float total[4] = {};
      if (any_total) add_to(total, shared.totals[j][thread]);
#pragma unroll
      for (int e = 0; e < 4; ++e) total[e] += group[j][e];
      finish_four(j, total);
    }
  }
}

template <int kTile, bool kWhole, typename A, typename B, typename T, typename Others>
void multiply_in_blocks(Stream& s, const ProductPlan& plan, const A& a, const B& b,
                        const Finish<T>& finish, int64_t k, const Others& others) {
  constexpr ProductTile kIs = kProductTiles[kTile];
  const Slices slices = slices_of(k);
  // Blocks along x cover N: those that read the same rows of A follow each other.
  const Grid grid{dim3(static_cast<unsigned>(plan.across), static_cast<unsigned>(plan.down),
                       static_cast<unsigned>(others.depth())),
                  dim3(kIs.threads()), kIs.shared_bytes(!plan.split && slices.groups() > 1)};
  launch_early(s.handle, s.early, product_kernel<kTile, kWhole, A, B, T, Others>, grid, a, b,
               finish, slices, others);
}

// `plan`: of the sizes in `finish` and of k.
template <typename A, typename B, typename T, typename Others>
void multiply_as(Stream& s, const ProductPlan& plan, const A& a, const B& b,
                 const Finish<T>& finish, int64_t k, const Others& others) {
  static_assert(kProductTiles.size() == 3);
  switch (plan.tile) {
    case 0:
      return multiply_in_blocks<0, true>(s, plan, a, b, finish, k, others);
    case 1:
      return multiply_in_blocks<1, true>(s, plan, a, b, finish, k, others);
    default:
      return multiply_in_blocks<2, true>(s, plan, a, b, finish, k, others);
  }
}

// kMaySplit: where the time of one product counts, and there are not two of them at once.
template <bool kMaySplit = false, typename A, typename B, typename T, typename Others = Alone>
void multiply(Stream& s, const A& a, const B& b, const Finish<T>& finish, int64_t k,
              const Others& others = {}) {
  if (!a.whole() || !b.whole()) {
    return multiply_in_blocks<0, false>(s, plan_of(0, false, finish.m, finish.n), a, b, finish, k,
                                        others);
  }
  const ProductPlan plan =
      plan_product(finish.m, finish.n, k, kMaySplit, others.depth(), s.shared_bytes);
  if constexpr (kMaySplit) {
    if (plan.split) {
      const Split split{reinterpret_cast<float4*>(s.workspace.area(parts_bytes(plan))),
                        s.workspace.counters(plan.tiles())};
      return multiply_as(s, plan, a, b, finish, k, split);
    }
  }
  multiply_as(s, plan, a, b, finish, k, others);
}

}  // namespace bifrons::cuda
