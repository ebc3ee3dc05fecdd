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

// kWhole: both operands come in whole vectors.
//
// A block of kWarps makes kWarps * 16 rows of kN * 8 columns. A warp reads its own tiles of A,
// kAhead steps of K ahead; what is read of B serves all warps, through two buffers of shared memory
// of kStage steps each.
template <int kWarps, int kN, bool kWhole, typename A, typename B, typename T, typename Others>
__global__ void __launch_bounds__(kWarps* kWarp, kN == 8 ? 2 : 1)
    product_kernel(A a_rows, B b_rows, Finish<T> finish, Slices slices, Others others) {
  constexpr bool kSplit = std::is_same_v<Others, Split>;
  // As many as registers hold beside the sums.
  constexpr int kAhead = kN == 4 ? 8 : 4, kStage = kAhead / 2;
  constexpr int kColumns = kN * 8, kThreads = kWarps * kWarp;
  constexpr int kEach = kStage * kColumns * 4 / kThreads;  // vectors of B that a thread fetches
  static_assert(kEach * kThreads == kStage * kColumns * 4);
  __shared__ uint4 staged[2][kStage][kColumns][4];
  float4* const totals = dynamic_shared<float4>() + threadIdx.x;  // [kN][kThreads], of the groups
  const int lane = threadIdx.x % kWarp, thread = static_cast<int>(threadIdx.x);
  const int64_t tile = int64_t{blockIdx.y} * kWarps + thread / kWarp;
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

  Fragment a[kAhead];
  const auto load_a = [&](int step) {
    return step < last ? a_rows.template load<kWhole>(tile, step) : Fragment{};
  };
  const auto load_b = [&](uint4(&to)[kStage][kColumns][4], int begin) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int at = i * kThreads + thread, step = at / (4 * kColumns), column = at / 4 % kColumns;
      const int64_t n = first_column + column, k0 = (begin + step) * kTileIn + at % 4 * 8;
      uint4& eight = to[step][column][at % 4];
      if constexpr (kWhole) {
        const Bf16* from = b_rows.address(n, k0);
        copy_to_shared(&eight, from ? from : b_rows.data, from != nullptr);
      } else {
        eight = b_rows.eight(n, k0);
      }
    }
  };
  // Weights are there from the beginning.
  if constexpr (!std::is_same_v<A, TiledWeights>) wait_for_previous();
#pragma unroll
  for (int i = 0; i < kAhead; ++i) a[i] = load_a(first + i);
  let_next_begin();
  if constexpr (std::is_same_v<A, TiledWeights>) wait_for_previous();
  if (first < last) load_b(staged[0], first);  // a group may be empty, and nobody would wait

  float group[kN][4] = {}, slice[kN][4] = {};
  int steps_left = slices.length, slices_left = slices.each;
  bool any_total = false;
  for (int begin = first; begin < last; begin += kAhead) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int step = begin + i;
      if (step >= last) continue;
      const uint4(&buffer)[kStage][kColumns][4] = staged[i / kStage];
      if (i % kStage == 0) {
        wait_for_copies();
        __syncthreads();  // nobody reads the other buffer any more, and this one is filled
        if (step + kStage < last) load_b(staged[1 - i / kStage], step + kStage);
      }
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        multiply_step(slice[j], a[i], buffer[i % kStage][j * 8 + lane / 4][lane % 4]);
      }
      a[i] = load_a(step + kAhead);
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
        if (any_total) add_to(total, totals[j * kThreads]);
#pragma unroll
        for (int e = 0; e < 4; ++e) total[e] += std::exchange(group[j][e], 0.0f);
        totals[j * kThreads] = {total[0], total[1], total[2], total[3]};
      }
      any_total = true;
    }
  }

  if constexpr (kSplit) {
    const int64_t at = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
    float4* const parts = others.parts + at * kGroups * kN * kThreads + thread;
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      parts[(blockIdx.z * kN + j) * kThreads] = {group[j][0], group[j][1], group[j][2],
                                                 group[j][3]};
    }
    if (!last_to_arrive(others.counters + at, kGroups)) return;
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      float total[4] = {};
#pragma unroll
      for (int g = 0; g < kGroups; ++g) add_to(total, parts[(g * kN + j) * kThreads]);
#pragma unroll
      for (int e = 0; e < 4; ++e) group[j][e] = total[e];
    }
  } else if (any_total) {
    // The last slices of K may be missing, and then the group they would end was not added yet.
#pragma unroll
    for (int j = 0; j < kN; ++j) {
      float total[4] = {};
      add_to(total, totals[j * kThreads]);
#pragma unroll
      for (int e = 0; e < 4; ++e) group[j][e] = total[e] + group[j][e];
    }
  }
#pragma unroll
  for (int j = 0; j < kN; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      finish(tile * kTileOut + lane / 4 + e / 2 * 8, first_column + j * 8 + lane % 4 * 2 + e % 2,
             group[j][e]);
    }
  }
}

template <int kTile, bool kWhole, typename A, typename B, typename T, typename Others>
void multiply_in_blocks(Stream& s, const ProductPlan& plan, const A& a, const B& b,
                        const Finish<T>& finish, int64_t k, const Others& others) {
  constexpr ProductTile kOne = kProductTiles[kTile];
  constexpr int kThreads = kOne.warps * kWarp;
  const Slices slices = slices_of(k);
  const bool totals = !plan.split && slices.groups() > 1;
  // Blocks along x cover N: those that read the same rows of A follow each other.
  const Grid grid{dim3(static_cast<unsigned>(plan.across), static_cast<unsigned>(plan.down),
                       static_cast<unsigned>(others.depth())),
                  dim3(kThreads),
                  totals ? kOne.vectors * kThreads * static_cast<int64_t>(sizeof(float4)) : 0};
  launch_early(s.handle, s.early, product_kernel<kOne.warps, kOne.vectors, kWhole, A, B, T, Others>,
               grid, a, b, finish, slices, others);
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
  const ProductPlan plan = plan_product(finish.m, finish.n, k, kMaySplit, others.depth());
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
