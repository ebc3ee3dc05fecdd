// The loop over blocks of rows of the quantised kernels, written once as a template over an
// instruction set.
//
// `Dot` is a type private to its translation unit with kMaxRows (rows of x whose sums fit the
// registers) and
//   template <typename Weights, int kRows>
//   static void accumulate(const QuantisedJob&, const RowBlock&, float* sums);
// which stores the sums of a panel, [row of x][kQuantisedRows].
#pragma once

#include "kernels/cpu/panel_kernels.h"

namespace bifrons::cpu {

template <typename Dot>
struct Int8Weights {
  static constexpr int kGroup = 128;
  static constexpr int kValueBytes = kQuantisedRows * kGroup;  // of a group
};

template <typename Dot>
struct Int4Weights {
  static constexpr int kGroup = 32;
  static constexpr int kValueBytes = kQuantisedRows * kGroup / 2;
};

template <typename Dot, typename Weights, int kRows>
void run_quantised_rows(const QuantisedJob& job, const RowBlock& block) {
  alignas(64) float sums[kRows * kQuantisedRows];
  Dot::template accumulate<Weights, kRows>(job, block, sums);
  for (int m = 0; m < kRows; ++m) {
    std::byte* y = job.y + (block.first + m) * job.y_pitch;
    if (job.columns == kQuantisedRows) {
      finish_columns<Dot>(job, sums + m * kQuantisedRows, y, kQuantisedRows);
    } else {
      finish_columns<Dot>(job, sums + m * kQuantisedRows, y, job.columns);
    }
  }
}

template <typename Dot, typename Weights, int kRows>
void run_quantised_remainder(const QuantisedJob& job, const RowBlock& block) {
  if (job.rows - block.first == kRows) return run_quantised_rows<Dot, Weights, kRows>(job, block);
  if constexpr (kRows > 1) run_quantised_remainder<Dot, Weights, kRows - 1>(job, block);
}

// Every block of rows reads the whole panel; from the second block on it lies in the cache.
template <typename Dot, typename Weights>
void run_quantised_panel(const QuantisedJob& job) {
  const int64_t blocks = (job.rows + Dot::kMaxRows - 1) / Dot::kMaxRows;
  RowBlock block;
  block.prefetch = job.next;
  block.prefetch_step = (Weights::kValueBytes + blocks - 1) / blocks;  // bytes for each group
  for (; job.rows - block.first > Dot::kMaxRows; block.first += Dot::kMaxRows) {
    run_quantised_rows<Dot, Weights, Dot::kMaxRows>(job, block);
    block.prefetch += job.groups * block.prefetch_step;
  }
  run_quantised_remainder<Dot, Weights, Dot::kMaxRows>(job, block);
}

template <typename Dot>
constexpr QuantisedKernels quantised_table(bool words) {
  QuantisedKernels kernels;
  kernels.words = words;
  kernels.int8 = run_quantised_panel<Dot, Int8Weights<Dot>>;
  kernels.int4 = run_quantised_panel<Dot, Int4Weights<Dot>>;
  return kernels;
}

}  // namespace bifrons::cpu
