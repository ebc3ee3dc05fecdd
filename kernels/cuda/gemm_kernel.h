// Tensor-core GEMM for many columns: blocks of mma tiles, a multi-stage cp.async pipeline in shared
// memory, optional split-K. See gemm_operands.h for the operands, the order of summation and the
// epilogue.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/gemm_plan.h"
#include "kernels/cuda/launch.h"

namespace bifrons::cuda {

// Use of gridDim.z. Single: not used (depth 1).
struct Single {
  static constexpr int64_t depth() { return 1; }
};
// Batched GEMM: gridDim.z counts GEMMs of one shape. a, b, y: distance between operands and
// results, in elements.
struct Batched {
  int count;
  int64_t a, b, y;

  int64_t depth() const { return count; }
};
// Split-K: one block for each group of K slices of a tile, if plan.split. The last block to finish
// adds the partial sums of all blocks in `parts`. One counter per tile, initially zero.
struct SplitK {
  float4* parts;  // workspace of split_k_bytes()
  int* counters;

  static constexpr int64_t depth() { return kGroups; }
};

// Adds four values of a lane, in the order of mma_m16n8k16()'s result.
__device__ inline void add_to(float (&sum)[4], const float4& part) {
  sum[0] += part.x;
  sum[1] += part.y;
  sum[2] += part.z;
  sum[3] += part.w;
}

// A block's pipeline stages in shared memory: one A tile per warp, and the B tile that all warps
// share.
template <int kTile>
struct Stages {
  static constexpr GemmTile kIs = kGemmTiles[kTile];
  static constexpr int kThreads = kIs.threads(), kColumns = static_cast<int>(kIs.columns());
  static constexpr int kEach = kIs.steps * kColumns * 4 / kThreads;  // vectors of B per thread
  static_assert(kEach * kThreads == kIs.steps * kColumns * 4);

  struct Stage {
    uint4 a[kIs.steps][kIs.warps][2][kWarp];
    uint4 b[kIs.steps][kIs.columns()][4];

    // Copies this thread's share of the steps from `begin` on into this stage (cp.async). Steps
    // after `last` may be fetched too; they are not multiplied.
    template <bool kWhole, typename A>
    __device__ void fetch_a(const A& from, int64_t tile, int begin, int last) {
#pragma unroll
      for (int i = 0; i < kIs.steps * 2; ++i) {
        const int step = begin + i / 2;
        uint4& to = a[i / 2][threadIdx.x / kWarp][i % 2][threadIdx.x % kWarp];
        if constexpr (kWhole || std::is_same_v<A, TiledWeights>) {
          const void* at = step < last ? from.address(tile, step, i % 2) : nullptr;
          cp_async_16(&to, at ? at : from.data, at != nullptr);
        } else {
          to = from.eight(tile, step, i % 2);
        }
      }
    }
    template <bool kWhole, typename B>
    __device__ void fetch_b(const B& from, int64_t first_column, int begin) {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int mine = i * kThreads + static_cast<int>(threadIdx.x);
        const int step = mine / (4 * kColumns), column = mine / 4 % kColumns;
        const int64_t n = first_column + column, k0 = (begin + step) * kTileIn + mine % 4 * 8;
        uint4& to = b[step][column][mine % 4];
        if constexpr (kWhole) {
          const Bf16* at = from.address(n, k0);
          cp_async_16(&to, at ? at : from.data, at != nullptr);
        } else {
          to = from.eight(n, k0);
        }
      }
    }
  };
  static_assert(sizeof(Stage) == kIs.stage_bytes());

  Stage of[kIs.stages];
  float4 totals[kIs.vectors][kThreads];  // of groups; only if one block adds several groups
};

// A thread's accumulators, summed in the order of gemm_operands.h, for kN vectors of columns.
template <int kN>
struct Sums {
  float slice[kN][4] = {}, group[kN][4] = {};

  __device__ void end_slice() {
#pragma unroll
    for (int j = 0; j < kN; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) group[j][e] += std::exchange(slice[j][e], 0.0f);
    }
  }
  // total + group of vector j; `total` is null before the first group.
  __device__ float4 with_group(int j, const float4* total) const {
    float sum[4] = {};
    if (total) add_to(sum, *total);
    add_to(sum, {group[j][0], group[j][1], group[j][2], group[j][3]});
    return {sum[0], sum[1], sum[2], sum[3]};
  }
};

// kWhole: both operands come in whole, aligned vectors of eight.
template <int kTile, bool kWhole, typename A, typename B, typename T, typename ZMode>
__global__ void __launch_bounds__(kGemmTiles[kTile].threads(), kGemmTiles[kTile].resident)
    gemm_kernel(A a_rows, B b_rows, Epilogue<T> epilogue, KSlices slices, ZMode mode) {
  constexpr GemmTile kIs = kGemmTiles[kTile];
  constexpr bool kSplitK = std::is_same_v<ZMode, SplitK>;
  constexpr bool kWeights = std::is_same_v<A, TiledWeights>;
  constexpr int kN = kIs.vectors, kInFlight = kIs.stages - 1;
  Stages<kTile>& shared = *dynamic_shared<Stages<kTile>>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const int64_t tile = int64_t{blockIdx.y} * kIs.warps + warp;
  const int64_t first_column = blockIdx.x * kIs.columns();
  int first = 0, last = slices.steps;
  if constexpr (kSplitK) {
    const int steps = slices.each * slices.length;
    first = static_cast<int>(blockIdx.z) * steps;
    last = first + steps < last ? first + steps : last;
  }
  if constexpr (std::is_same_v<ZMode, Batched>) {
    a_rows.shift(blockIdx.z * mode.a);
    b_rows.shift(blockIdx.z * mode.b);
    epilogue.y += blockIdx.z * mode.y;
  }

  // Weights do not depend on the previous kernel, so their loads may start before
  // grid_dependency_wait() (PDL).
  if constexpr (!kWeights) grid_dependency_wait();
#pragma unroll
  for (int s = 0; s < kInFlight; ++s) {
    const int begin = first + s * kIs.steps;
    if (begin < last) shared.of[s].template fetch_a<kWhole>(a_rows, tile, begin, last);
  }
  trigger_dependents();
  if constexpr (kWeights) grid_dependency_wait();
#pragma unroll
  for (int s = 0; s < kInFlight; ++s) {
    const int begin = first + s * kIs.steps;
    if (begin < last) shared.of[s].template fetch_b<kWhole>(b_rows, first_column, begin);
    cp_async_commit();
  }

  Sums<kN> sums;
  int steps_left = slices.length, slices_left = slices.each;
  bool any_total = false;
  int slot = 0, free_slot = kInFlight;
#pragma unroll 1
  for (int begin = first; begin < last; begin += kIs.steps) {
    cp_async_wait<kInFlight - 1>();
    // After this barrier all threads have filled this stage and have read the previous one.
    __syncthreads();
    if (const int next = begin + kInFlight * kIs.steps; next < last) {
      shared.of[free_slot].template fetch_a<kWhole>(a_rows, tile, next, last);
      shared.of[free_slot].template fetch_b<kWhole>(b_rows, first_column, next);
    }
    cp_async_commit();
    const auto& stage = shared.of[slot];
    free_slot = slot;
    slot = slot + 1 == kIs.stages ? 0 : slot + 1;
#pragma unroll
    for (int i = 0; i < kIs.steps; ++i) {
      if (begin + i >= last) continue;
      const Fragment a = A::fragment(stage.a[i][warp][0][lane], stage.a[i][warp][1][lane]);
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        mma_step(sums.slice[j], a, stage.b[i][j * 8 + lane / 4][lane % 4]);
      }
      if (--steps_left > 0 && begin + i + 1 < last) continue;
      steps_left = slices.length;
      sums.end_slice();
      if (kSplitK || --slices_left > 0 || slices.groups() == 1) continue;
      slices_left = slices.each;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        float4& total = shared.totals[j][thread];
        total = sums.with_group(j, any_total ? &total : nullptr);
        for (float& sum : sums.group[j]) sum = 0.0f;
      }
      any_total = true;
    }
  }
  cp_async_wait<0>();

  const auto store_four = [&](int j, const float4& sum) {
    const float four[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      epilogue(tile * kTileOut + lane / 4 + e / 2 * 8, first_column + j * 8 + lane % 4 * 2 + e % 2,
               four[e]);
    }
  };
  if constexpr (kSplitK) {
    const int64_t at = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
    constexpr int kThreads = kIs.threads();
    float4* const parts = mode.parts + at * kGroups * kN * kThreads + thread;
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      parts[(blockIdx.z * kN + j) * kThreads] = sums.with_group(j, nullptr);
    }
    if (!last_to_arrive(mode.counters + at, kGroups)) return;
#pragma unroll 4
    for (int j = 0; j < kN; ++j) {
      float total[4] = {};
#pragma unroll
      for (int g = 0; g < kGroups; ++g) add_to(total, parts[(g * kN + j) * kThreads]);
      store_four(j, {total[0], total[1], total[2], total[3]});
    }
  } else {
    // The last slices of K may be missing; then the last group has not been added yet.
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      store_four(j, sums.with_group(j, any_total ? &shared.totals[j][thread] : nullptr));
    }
  }
}

template <int kTile, bool kWhole, typename A, typename B, typename T, typename ZMode>
void launch_gemm_tile(Stream& s, const GemmPlan& plan, const A& a, const B& b,
                      const Epilogue<T>& epilogue, int64_t k, const ZMode& mode) {
  constexpr GemmTile kIs = kGemmTiles[kTile];
  const KSlices slices = slices_of(k);
  // blockIdx.x covers N: blocks that read the same rows of A are neighbours.
  const Grid grid{dim3(static_cast<unsigned>(plan.across), static_cast<unsigned>(plan.down),
                       static_cast<unsigned>(mode.depth())),
                  dim3(kIs.threads()), kIs.shared_bytes(!plan.split && slices.groups() > 1)};
  launch_pdl(s.handle, s.pdl, gemm_kernel<kTile, kWhole, A, B, T, ZMode>, grid, a, b, epilogue,
             slices, mode);
}

// `plan` was made for the sizes in `epilogue` and for k.
template <typename A, typename B, typename T, typename ZMode>
void launch_gemm(Stream& s, const GemmPlan& plan, const A& a, const B& b,
                 const Epilogue<T>& epilogue, int64_t k, const ZMode& mode) {
  static_assert(kGemmTiles.size() == 3);
  switch (plan.tile) {
    case 0:
      return launch_gemm_tile<0, true>(s, plan, a, b, epilogue, k, mode);
    case 1:
      return launch_gemm_tile<1, true>(s, plan, a, b, epilogue, k, mode);
    default:
      return launch_gemm_tile<2, true>(s, plan, a, b, epilogue, k, mode);
  }
}

// kMaySplitK: only for callers that do not use the workspace, because split-K uses it.
template <bool kMaySplitK = false, typename A, typename B, typename T, typename ZMode = Single>
void gemm(Stream& s, const A& a, const B& b, const Epilogue<T>& epilogue, int64_t k,
          const ZMode& mode = {}) {
  if (!a.whole() || !b.whole()) {
    return launch_gemm_tile<0, false>(s, plan_of(0, false, epilogue.m, epilogue.n), a, b, epilogue,
                                      k, mode);
  }
  const GemmPlan plan =
      plan_gemm(epilogue.m, epilogue.n, k, kMaySplitK, mode.depth(), s.shared_bytes);
  if constexpr (kMaySplitK) {
    if (plan.split) {
      const SplitK split{reinterpret_cast<float4*>(s.workspace.area(split_k_bytes(plan))),
                         s.workspace.counters(plan.tiles())};
      return launch_gemm(s, plan, a, b, epilogue, k, split);
    }
  }
  launch_gemm(s, plan, a, b, epilogue, k, mode);
}

}  // namespace bifrons::cuda
