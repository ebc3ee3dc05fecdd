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
// GEMMs with the same A, one for each picture. b, y: distance from one picture to the next in B,
// and in the result and its residual, in elements.
struct Pictures {
  int count;
  int64_t b, y;

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

// Scales of the rows of A in a stage, if it has any.
template <bool kScaled, int kSteps, int kTiles>
struct StageScales {};
template <int kSteps, int kTiles>
struct StageScales<true, kSteps, kTiles> {
  uint4 scales[kSteps][kTiles * 2];
};

// A block's pipeline stages in shared memory: the tiles of A and B, which the warps share.
template <int kTile, typename A>
struct Stages {
  static constexpr GemmTile kIs = kGemmTiles[kTile];
  static constexpr int kThreads = kIs.threads(), kColumns = static_cast<int>(kIs.columns());
  static constexpr int kStepsA = kIs.tiles() * A::kVectors, kStepsB = kColumns * 4;  // vectors
  // Vectors per thread: of A in a step, of B in a stage. A thread's vectors of B in different steps
  // belong to the same columns.
  static constexpr int kEachA = (kStepsA + kThreads - 1) / kThreads;
  static constexpr int kEachB = (kStepsB + kThreads - 1) / kThreads;
  static_assert(kThreads % 4 == 0 && kIs.tiles() * 2 <= kThreads);

  struct Stage : StageScales<A::kScaled, kIs.steps, kIs.tiles()> {
    uint4 a[kIs.steps][kStepsA];
    uint4 b[kIs.steps][kIs.columns()][4];

    // Scales of this lane's rows of a tile.
    __device__ auto scale(int step, int tile) const {
      if constexpr (A::kScaled) {
        return reinterpret_cast<const uint32_t*>(this->scales[step] +
                                                 2 * tile)[threadIdx.x % kWarp / 4];
      } else {
        return NoScale{};
      }
    }
  };
  // The plan counts elements of two bytes.
  static_assert(A::kScaled ? sizeof(Stage) < kIs.stage_bytes()
                           : sizeof(Stage) == kIs.stage_bytes());

  Stage of[kIs.stages];
  // Totals of groups; only if one block adds several groups.
  float4 totals[kWarpTiles][kIs.vectors][kThreads];

  static constexpr int64_t bytes(bool with_totals) {
    return kIs.stages * int64_t{sizeof(Stage)} + (with_totals ? kIs.result_bytes() : 0);
  }
};

// What a thread copies of A and of B. kWhole: both operands come in whole, aligned vectors of
// eight, so that cp.async can copy them.
template <int kTile, bool kWhole, typename A, typename B>
class Copies {
  using S = Stages<kTile, A>;
  using Stage = typename S::Stage;

 public:
  template <typename E>
  __device__ Copies(const A& a, const B& b, const E& epilogue, int64_t tile, int64_t column)
      : a_(a), b_(b), column_(column) {
#pragma unroll
    for (int i = 0; i < S::kEachA; ++i) {
      tiles_[i] = epilogue.tile(tile + nth(i) / A::kVectors);
      if constexpr (kWhole) from_a_[i] = a.place(tiles_[i], nth(i) % A::kVectors);
    }
#pragma unroll
    for (int i = 0; i < S::kEachB; ++i) {
      if constexpr (kWhole) from_b_[i] = b.place(column + nth(i) / 4);
    }
    if constexpr (A::kScaled) {
      scales_ = a.scale_place(epilogue.tile(tile + nth(0) / 2), nth(0) % 2);
    }
  }

  // Copies this thread's share of the steps from `begin` on into a stage. Steps after `last` may be
  // copied too; they are not multiplied.
  __device__ void fetch_a(Stage& stage, int begin, int last) const {
#pragma unroll
    for (int step = 0; step < S::kIs.steps; ++step) {
      if constexpr (A::kScaled) {
        const bool there = step == 0 || begin + step < last;
        if (nth(0) < S::kIs.tiles() * 2) {
          copy(stage.scales[step][nth(0)],
               there ? a_.scale_address(scales_, begin + step) : nullptr, a_.data);
        }
      }
#pragma unroll
      for (int i = 0; i < S::kEachA; ++i) {
        if (S::kStepsA % S::kThreads != 0 && nth(i) >= S::kStepsA) continue;
        uint4& to = stage.a[step][nth(i)];
        if constexpr (kWhole) {
          const bool there = step == 0 || begin + step < last;
          copy(to, there ? a_.address(from_a_[i], begin + step) : nullptr, a_.data);
        } else if constexpr (std::is_same_v<A, TiledWeights>) {
          const bool there = begin + step < last;
          const auto place = a_.place(tiles_[i], nth(i) % A::kVectors);
          copy(to, there ? a_.address(place, begin + step) : nullptr, a_.data);
        } else {
          to = a_.eight(tiles_[i], begin + step, nth(i) % A::kVectors);
        }
      }
    }
  }
  __device__ void fetch_b(Stage& stage, int begin) const {
#pragma unroll
    for (int step = 0; step < S::kIs.steps; ++step) {
#pragma unroll
      for (int i = 0; i < S::kEachB; ++i) {
        if (S::kStepsB % S::kThreads != 0 && nth(i) >= S::kStepsB) continue;
        const int k0 = (begin + step) * static_cast<int>(kTileIn) + nth(i) % 4 * 8;
        uint4& to = stage.b[step][nth(i) / 4][nth(i) % 4];
        if constexpr (kWhole) {
          copy(to, b_.address(from_b_[i], k0), b_.data);
        } else {
          to = b_.eight(column_ + nth(i) / 4, k0);
        }
      }
    }
  }

 private:
  // This thread's i-th vector of an operand in a step.
  static __device__ int nth(int i) { return i * S::kThreads + static_cast<int>(threadIdx.x); }
  // Zeros if `from` is null.
  static __device__ void copy(uint4& to, const void* from, const void* any) {
    cp_async_16(&to, from ? from : any, from != nullptr);
  }

  const A& a_;
  const B& b_;
  int64_t column_, tiles_[S::kEachA];
  typename A::Place from_a_[S::kEachA], scales_;
  typename B::Place from_b_[S::kEachB];
};

// A thread's accumulators, summed in the order of gemm_operands.h, for a warp's tiles of rows and
// kN vectors of columns.
template <int kN>
struct Sums {
  float slice[kWarpTiles][kN][4] = {}, group[kWarpTiles][kN][4] = {};

  __device__ void end_slice() {
#pragma unroll
    for (int r = 0; r < kWarpTiles; ++r) {
#pragma unroll
      for (int j = 0; j < kN; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) group[r][j][e] += std::exchange(slice[r][j][e], 0.0f);
      }
    }
  }
  // total + group of a tile and a vector; `total` is null before the first group.
  __device__ float4 with_group(int r, int j, const float4* total) const {
    float sum[4] = {};
    if (total) add_to(sum, *total);
    add_to(sum, {group[r][j][0], group[r][j][1], group[r][j][2], group[r][j][3]});
    return {sum[0], sum[1], sum[2], sum[3]};
  }
};

// kWhole: see Copies. E: see gemm_operands.h.
template <int kTile, bool kWhole, typename A, typename B, typename E, typename ZMode>
__global__ void __launch_bounds__(kGemmTiles[kTile].threads(), kGemmTiles[kTile].resident)
    gemm_kernel(A a_rows, B b_rows, E epilogue, KSlices slices, ZMode mode) {
  constexpr GemmTile kIs = kGemmTiles[kTile];
  constexpr bool kSplitK = std::is_same_v<ZMode, SplitK>;
  constexpr bool kWeights = !std::is_same_v<A, TiledRows>;
  constexpr int kN = kIs.vectors, kInFlight = kIs.stages - 1;
  auto& shared = *dynamic_shared<Stages<kTile, A>>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  // The warp's first tile and first vector within those of the block.
  const int own_tile = warp / kIs.across * kWarpTiles, own_vector = warp % kIs.across * kN;
  const int64_t first_tile = int64_t{blockIdx.y} * kIs.tiles();
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
  if constexpr (std::is_same_v<ZMode, Pictures>) {
    b_rows.shift(blockIdx.z * mode.b);
    epilogue.y += blockIdx.z * mode.y;
    if (epilogue.residual) epilogue.residual += blockIdx.z * mode.y;
  }
  const Copies<kTile, kWhole, A, B> copies(a_rows, b_rows, epilogue, first_tile, first_column);

  // Weights do not depend on the previous kernel, so their loads may start before
  // grid_dependency_wait() (PDL).
  if constexpr (!kWeights) grid_dependency_wait();
#pragma unroll
  for (int s = 0; s < kInFlight; ++s) {
    const int begin = first + s * kIs.steps;
    if (begin < last) copies.fetch_a(shared.of[s], begin, last);
  }
  trigger_dependents();
  if constexpr (kWeights) grid_dependency_wait();
#pragma unroll
  for (int s = 0; s < kInFlight; ++s) {
    const int begin = first + s * kIs.steps;
    if (begin < last) copies.fetch_b(shared.of[s], begin);
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
      copies.fetch_a(shared.of[free_slot], next, last);
      copies.fetch_b(shared.of[free_slot], next);
    }
    cp_async_commit();
    const auto& stage = shared.of[slot];
    free_slot = slot;
    slot = slot + 1 == kIs.stages ? 0 : slot + 1;
#pragma unroll
    for (int i = 0; i < kIs.steps; ++i) {
      if (begin + i >= last) continue;
      Fragment a[kWarpTiles];
      decltype(stage.scale(0, 0)) scales[kWarpTiles];
#pragma unroll
      for (int r = 0; r < kWarpTiles; ++r) {
        a[r] = A::fragment(stage.a[i] + (own_tile + r) * A::kVectors);
        scales[r] = stage.scale(i, own_tile + r);
      }
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        const uint4 b = stage.b[i][(own_vector + j) * 8 + lane / 4][lane % 4];
#pragma unroll
        for (int r = 0; r < kWarpTiles; ++r) mma_step(sums.slice[r][j], a[r], b, scales[r]);
      }
      if (--steps_left > 0 && begin + i + 1 < last) continue;
      steps_left = slices.length;
      sums.end_slice();
      if (kSplitK || --slices_left > 0 || slices.groups() == 1) continue;
      slices_left = slices.each;
#pragma unroll
      for (int r = 0; r < kWarpTiles; ++r) {
#pragma unroll
        for (int j = 0; j < kN; ++j) {
          float4& total = shared.totals[r][j][thread];
          total = sums.with_group(r, j, any_total ? &total : nullptr);
          for (float& sum : sums.group[r][j]) sum = 0.0f;
        }
      }
      any_total = true;
    }
  }
  cp_async_wait<0>();

  const auto store = [&](int j, const float4(&sum)[kWarpTiles]) {
    epilogue.store(first_tile + own_tile, first_column + (own_vector + j) * 8, sum);
  };
  if constexpr (kSplitK) {
    const int64_t at = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
    constexpr int kThreads = kIs.threads();
    float4* const parts = mode.parts + at * kGroups * kWarpTiles * kN * kThreads + thread;
    const auto part = [&](int group, int r, int j) -> float4& {
      return parts[((group * kWarpTiles + r) * kN + j) * kThreads];
    };
#pragma unroll
    for (int r = 0; r < kWarpTiles; ++r) {
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        part(static_cast<int>(blockIdx.z), r, j) = sums.with_group(r, j, nullptr);
      }
    }
    if (!last_to_arrive(mode.counters + at, kGroups)) return;
#pragma unroll 2
    for (int j = 0; j < kN; ++j) {
      float4 all[kWarpTiles];
#pragma unroll
      for (int r = 0; r < kWarpTiles; ++r) {
        float total[4] = {};
#pragma unroll
        for (int g = 0; g < kGroups; ++g) add_to(total, part(g, r, j));
        all[r] = {total[0], total[1], total[2], total[3]};
      }
      store(j, all);
    }
  } else {
    // The last slices of K may be missing; then the last group has not been added yet.
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      float4 all[kWarpTiles];
#pragma unroll
      for (int r = 0; r < kWarpTiles; ++r) {
        all[r] = sums.with_group(r, j, any_total ? &shared.totals[r][j][thread] : nullptr);
      }
      store(j, all);
    }
  }
}

template <int kTile, bool kWhole, typename A, typename B, typename E, typename ZMode>
void launch_gemm_tile(Stream& s, const GemmPlan& plan, const A& a, const B& b, const E& epilogue,
                      int64_t k, const ZMode& mode) {
  constexpr GemmTile kIs = kGemmTiles[kTile];
  const KSlices slices = slices_of(k);
  // blockIdx.x covers N: blocks that read the same rows of A are neighbours.
  const Grid grid{dim3(static_cast<unsigned>(plan.across), static_cast<unsigned>(plan.down),
                       static_cast<unsigned>(mode.depth())),
                  dim3(kIs.threads()), Stages<kTile, A>::bytes(!plan.split && slices.groups() > 1)};
  launch_pdl(s.handle, s.pdl, gemm_kernel<kTile, kWhole, A, B, E, ZMode>, grid, a, b, epilogue,
             slices, mode);
}

// `plan` was made for the sizes in `epilogue` and for k.
template <typename A, typename B, typename E, typename ZMode>
void launch_gemm(Stream& s, const GemmPlan& plan, const A& a, const B& b, const E& epilogue,
                 int64_t k, const ZMode& mode) {
  static_assert(kGemmTiles.size() == 4);
  switch (plan.tile) {
    case 0:
      return launch_gemm_tile<0, true>(s, plan, a, b, epilogue, k, mode);
    case 1:
      return launch_gemm_tile<1, true>(s, plan, a, b, epilogue, k, mode);
    case 2:
      return launch_gemm_tile<2, true>(s, plan, a, b, epilogue, k, mode);
    default:
      return launch_gemm_tile<3, true>(s, plan, a, b, epilogue, k, mode);
  }
}

// kMaySplitK: only for callers that do not use the workspace, because split-K uses it.
// Quantised weights need whole rows of B.
template <bool kMaySplitK = false, typename A, typename B, typename E, typename ZMode = Single>
void gemm(Stream& s, const A& a, const B& b, const E& epilogue, int64_t k, const ZMode& mode = {}) {
  if constexpr (!A::kScaled) {
    if (!a.whole() || !b.whole()) {
      return launch_gemm_tile<0, false>(s, plan_of(0, false, epilogue.m, epilogue.n), a, b,
                                        epilogue, k, mode);
    }
  }
  const GemmPlan plan =
      plan_gemm(epilogue.m, epilogue.n, k, kMaySplitK, mode.depth(), s.shared_bytes, A::kBytes);
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
