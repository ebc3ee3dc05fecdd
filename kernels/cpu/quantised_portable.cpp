// Quantised panels for any target of the compiler.
#include "kernels/cpu/quantised_kernels.h"

namespace bifrons::cpu {
namespace {

struct PortableDot {
  static constexpr int kMaxRows = 1;

  // Four bytes of a weight vector: the k of one row. `high`: the second four k of int4.
  template <typename Weights>
  static int32_t dot(const uint8_t* w, const int16_t* x, bool high) {
    int32_t sum = 0;
    for (int i = 0; i < 4; ++i) {
      const int32_t q = Weights::kGroup == 128 ? w[i] : high ? w[i] >> 4 : w[i] & 15;
      sum += q * x[i];
    }
    return sum;
  }

  template <typename Weights, int kRows>
  static void accumulate(const QuantisedJob& job, const RowBlock& block, float* sums) {
    constexpr bool kHalves = Weights::kGroup == 32;
    constexpr int kStep = kHalves ? 8 : 4;  // k of a vector of weights
    for (int r = 0; r < kQuantisedRows; ++r) sums[r] = 0;
    const std::byte* panel = job.panel;
    const std::byte* scales = panel;
    for (int64_t g = 0; g < job.groups; ++g) {
      if (g % 2 == 0) {
        scales = panel;
        panel += 64;
      }
      const auto* sw = reinterpret_cast<const uint16_t*>(scales) + g % 2 * kQuantisedRows;
      const int64_t at = g * job.rows + block.first;
      const auto* x = reinterpret_cast<const int16_t*>(job.x) + at * Weights::kGroup;
      int32_t sum[kQuantisedRows];
      for (int r = 0; r < kQuantisedRows; ++r) sum[r] = job.x_offsets[at];
      for (int k = 0; k < Weights::kGroup; k += kStep, panel += 4 * kQuantisedRows) {
        const auto* w = reinterpret_cast<const uint8_t*>(panel);
        for (int r = 0; r < kQuantisedRows; ++r) {
          sum[r] += dot<Weights>(w + 4 * r, x + k, false);
          if constexpr (kHalves) sum[r] += dot<Weights>(w + 4 * r, x + k + 4, true);
        }
      }
      for (int r = 0; r < kQuantisedRows; ++r) {
        sums[r] += job.x_scales[at] * widened<PortableDot>(sw[r]) * static_cast<float>(sum[r]);
      }
    }
  }
};

}  // namespace

const QuantisedKernels kPortableQuantised = quantised_table<PortableDot>(true);

}  // namespace bifrons::cpu
