// The inner loops of linear layers (GEMM tiles in registers), written once as templates over an
// instruction set's vectors.
//
// `Isa` is a type private to its translation unit with: Vector, kLanes, kMaxRows (rows of x whose
// sums fit the registers beside one panel), zero, broadcast, multiply_add, store, and load_* of
// kLanes weights.
// Every output element is one chain of multiply-adds in ascending k, for any number of rows: that
// is the row contract of kernels/backend.h.
#pragma once

#include "kernels/cpu/isa.h"

namespace bifrons::cpu {

// Prefetch distance to the L1 cache in bytes of a panel; hardware prefetching stops at every 4 KiB
// page. Of 0, 1, 2, 4 and 8 KiB, only 2 is best or second best at every number of rows: 2-8 rows of
// bf16, one thread, 14.2-16.1 GB/s against 11.5-15.9 with none.
constexpr int64_t kPrefetch = 2048;

// Rows first .. of x that run together, and the part of the next panel that is prefetched to the L2
// cache meanwhile. A panel's blocks share the next panel evenly, so that memory is read at one rate
// also while a block reads its panel from the cache.
struct RowBlock {
  int64_t first = 0;
  const std::byte* prefetch = nullptr;
  int64_t prefetch_step = 0;  // bytes for each step along K
};

// Layout of a step of weights in a panel: kDepth consecutive k of 32 rows.
template <typename Isa>
struct F32Weights {
  static constexpr int kDepth = 1;
  static constexpr int kStepBytes = kPanelRows * 4;
  static typename Isa::Vector load(const std::byte* step, int vector, int) {
    return Isa::load_f32(step + vector * Isa::kLanes * 4);
  }
};

template <typename Isa>
struct F16Weights {
  static constexpr int kDepth = 1;
  static constexpr int kStepBytes = kPanelRows * 2;
  static typename Isa::Vector load(const std::byte* step, int vector, int) {
    return Isa::load_f16(step + vector * Isa::kLanes * 2);
  }
};

// Two k of one row share a dword, the even one in its low half.
template <typename Isa>
struct Bf16Weights {
  static constexpr int kDepth = 2;
  static constexpr int kStepBytes = kPanelRows * 4;
  static typename Isa::Vector load(const std::byte* step, int vector, int k) {
    const std::byte* at = step + vector * Isa::kLanes * 4;
    return k == 0 ? Isa::load_even_bf16(at) : Isa::load_odd_bf16(at);
  }
};

template <typename Isa, typename Weights, int kRows>
void accumulate(const PanelJob& job, const RowBlock& block, float* sums) {
  const std::byte* x = job.x + block.first * job.x_pitch;
  const std::byte* prefetch = block.prefetch;
  constexpr int kVectors = kPanelRows / Isa::kLanes;
  constexpr int kDepth = Weights::kDepth;
  typename Isa::Vector sum[kRows][kVectors];
#pragma GCC unroll 64
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 64
    for (int v = 0; v < kVectors; ++v) sum[m][v] = Isa::zero();
  }
  const std::byte* step = job.panel;
  for (int64_t s = 0; s < job.steps; ++s, step += Weights::kStepBytes) {
    for (int line = 0; line < Weights::kStepBytes; line += 64) {
      __builtin_prefetch(step + kPrefetch + line, 0, 3);
    }
    for (int line = 0; line < block.prefetch_step; line += 64) {
      __builtin_prefetch(prefetch + line, 0, 2);
    }
    prefetch += block.prefetch_step;
#pragma GCC unroll 2
    for (int k = 0; k < kDepth; ++k) {
      typename Isa::Vector w[kVectors];
#pragma GCC unroll 64
      for (int v = 0; v < kVectors; ++v) w[v] = Weights::load(step, v, k);
#pragma GCC unroll 64
      for (int m = 0; m < kRows; ++m) {
        const auto xm = Isa::broadcast(x + m * job.x_pitch + (s * kDepth + k) * 4);
#pragma GCC unroll 64
        for (int v = 0; v < kVectors; ++v) sum[m][v] = Isa::multiply_add(w[v], xm, sum[m][v]);
      }
    }
  }
#pragma GCC unroll 64
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 64
    for (int v = 0; v < kVectors; ++v) {
      Isa::store(sums + m * kPanelRows + v * Isa::kLanes, sum[m][v]);
    }
  }
}

// The rounding of kernels/dtype.h, repeated: these units must not use shared inline functions
// (kernels/cpu/isa.h).
template <typename Isa>
uint16_t bf16_bits(float x) {
  const uint32_t u = __builtin_bit_cast(uint32_t, x);
  const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
  return static_cast<uint16_t>(nan ? (u >> 16) | 0x40u : rounded);
}

template <typename Isa>
float widened(uint16_t bits) {
  return __builtin_bit_cast(float, uint32_t{bits} << 16);
}

template <typename Isa>
[[gnu::always_inline]] inline void finish_columns(const PanelJob& job, float* sums, std::byte* y,
                                                  int n) {
  if (job.bias) {
    for (int i = 0; i < n; ++i) sums[i] += job.bias[i];
  }
  if (!job.y_is_bf16) {
    auto* out = reinterpret_cast<float*>(y);
    for (int i = 0; i < n; ++i) out[i] = job.add ? out[i] + sums[i] : sums[i];
    return;
  }
  auto* out = reinterpret_cast<uint16_t*>(y);
  if (job.add) {
    for (int i = 0; i < n; ++i) {
      const float product = widened<Isa>(bf16_bits<Isa>(sums[i]));
      sums[i] = widened<Isa>(out[i]) + product;
    }
  }
  for (int i = 0; i < n; ++i) out[i] = bf16_bits<Isa>(sums[i]);
}

// Epilogue for one row: bias, rounding, residual.
template <typename Isa>
void finish(const PanelJob& job, float* sums, std::byte* y) {
  if (job.columns == kPanelRows) return finish_columns<Isa>(job, sums, y, kPanelRows);
  finish_columns<Isa>(job, sums, y, job.columns);
}

template <typename Isa, typename Weights, int kRows>
void run_rows(const PanelJob& job, const RowBlock& block) {
  alignas(64) float sums[kRows * kPanelRows];
  accumulate<Isa, Weights, kRows>(job, block, sums);
  for (int m = 0; m < kRows; ++m) {
    finish<Isa>(job, sums + m * kPanelRows, job.y + (block.first + m) * job.y_pitch);
  }
}

template <typename Isa, typename Weights, int kRows>
void run_remainder(const PanelJob& job, const RowBlock& block) {
  if (job.rows - block.first == kRows) return run_rows<Isa, Weights, kRows>(job, block);
  if constexpr (kRows > 1) run_remainder<Isa, Weights, kRows - 1>(job, block);
}

// Every block of rows reads the whole panel; from the second block on it lies in the cache.
template <typename Isa, typename Weights>
void run_panel(const PanelJob& job) {
  const int64_t blocks = (job.rows + Isa::kMaxRows - 1) / Isa::kMaxRows;
  RowBlock block;
  block.prefetch = job.next;
  block.prefetch_step = (Weights::kStepBytes + blocks - 1) / blocks;
  for (; job.rows - block.first > Isa::kMaxRows; block.first += Isa::kMaxRows) {
    run_rows<Isa, Weights, Isa::kMaxRows>(job, block);
    block.prefetch += job.steps * block.prefetch_step;
  }
  run_remainder<Isa, Weights, Isa::kMaxRows>(job, block);
}

}  // namespace bifrons::cpu
