// Quantises the rows of x and splits a quantised linear layer into chunks of panels.
#include "kernels/cpu/quantised_linear.h"

#include <algorithm>
#include <limits>

#include "kernels/cpu/linear.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

constexpr int64_t kSlab = 256;             // rows of x per pass, as in linear.cpp
constexpr int64_t kChunkWork = 256 << 10;  // bytes of weights times rows, as in linear.cpp
constexpr int64_t kFewRows = 8;            // up to so many rows the caller quantises alone

constexpr float kLargest = 32512.0f;   // 127 * 256: its high byte stays in a signed byte
constexpr float kLeast = 0x1p-110f;    // below this a group counts as zeros
constexpr float kRound = 12582912.0f;  // adding it rounds to the nearest integer
constexpr uint32_t kRoundBits = 0x4b400000u;
constexpr uint32_t kInfinity = 0x7f800000u;

struct GroupOut {
  std::byte* integers;
  float* scale;
  int32_t* offset;
};

// One group of one row. `offset`: what was added to the weights, 128 or 8.
template <int kGroup, bool kWords, typename T>
[[gnu::always_inline]] inline void quantise_group(const T* x, const GroupOut& out, int32_t offset) {
  float values[kGroup];
  uint32_t highest = 0;
  for (int k = 0; k < kGroup; ++k) values[k] = to_float(x[k]);
  for (int k = 0; k < kGroup; ++k) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(values[k]) & 0x7fffffffu;
    highest = magnitude > highest ? magnitude : highest;
  }
  const float largest = std::bit_cast<float>(highest);
  const bool finite = highest < kInfinity;
  const bool some = finite && largest >= kLeast;
  const float inverse = some ? kLargest / largest : 0.0f;
  *out.scale = some ? largest / kLargest : finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
  if (!some) std::fill(values, values + kGroup, 0.0f);
  int32_t sum = 0;
  int32_t integers[kGroup];
  for (int k = 0; k < kGroup; ++k) {
    const float rounded = values[k] * inverse + kRound;
    integers[k] = static_cast<int32_t>(std::bit_cast<uint32_t>(rounded) - kRoundBits);
    sum += integers[k];
  }
  *out.offset = -offset * sum;
  if constexpr (kWords) {
    auto* words = reinterpret_cast<int16_t*>(out.integers);
    for (int k = 0; k < kGroup; ++k) words[k] = static_cast<int16_t>(integers[k]);
  } else {
    auto* bytes = reinterpret_cast<int8_t*>(out.integers);
    for (int k = 0; k < kGroup; ++k) {
      const int32_t high = (integers[k] + 128) >> 8;
      bytes[k] = static_cast<int8_t>(high);
      bytes[kGroup + k] = static_cast<int8_t>(integers[k] - 256 * high);
    }
  }
}

// Destination of all rows, [group][row].
struct RowsOut {
  std::byte* integers;
  float* scales;
  int32_t* offsets;
  int64_t rows;
};

template <int kGroup, bool kWords, typename T>
void quantise_row(const Tensor& x, int64_t m, const RowsOut& out) {
  const T* from = reinterpret_cast<const T*>(x.row(m));
  const int64_t groups = x.cols() / kGroup, rows = out.rows;
  constexpr int32_t kOffset = kGroup == 32 ? 8 : 128;
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t at = g * rows + m;
      quantise_group<kGroup, kWords>(
          from + g * kGroup, {out.integers + at * 2 * kGroup, out.scales + at, out.offsets + at},
          kOffset);
    }
  });
}

template <int kGroup, typename T>
void quantise_row(const Tensor& x, int64_t m, const RowsOut& out, bool words) {
  if (words) return quantise_row<kGroup, true, T>(x, m, out);
  quantise_row<kGroup, false, T>(x, m, out);
}

}  // namespace

int64_t quantised_panel_bytes(LinearFormat format, int64_t in) {
  const int64_t groups = in / group_of(format);
  return (groups + 1) / 2 * 64 + kQuantisedRows * value_bytes(format, in);
}

int64_t quantised_panel_count(int64_t out) { return (out + kQuantisedRows - 1) / kQuantisedRows; }

void QuantisedRunner::quantise_rows(ThreadPool& pool, const Tensor& x, LinearFormat format) {
  const int64_t rows = x.rows(), groups = x.cols() / group_of(format);
  integers_.resize(std::max<size_t>(integers_.size(), rows * x.cols()));
  scales_.resize(std::max<size_t>(scales_.size(), rows * groups));
  offsets_.resize(std::max<size_t>(offsets_.size(), rows * groups));
  const RowsOut out{reinterpret_cast<std::byte*>(integers_.data()), scales_.data(), offsets_.data(),
                    rows};
  const bool words = isa_.quantised->words;
  const auto one = [&](int64_t m) {
    visit_activation(x.dtype, [&]<typename T>(T) {
      if (format == LinearFormat::kInt4) return quantise_row<32, T>(x, m, out, words);
      quantise_row<128, T>(x, m, out, words);
    });
  };
  if (rows > kFewRows) return pool.run(rows, one);
  for (int64_t m = 0; m < rows; ++m) one(m);
}

void QuantisedRunner::run(ThreadPool& pool, const Tensor& y, const Tensor& x, const Linear& weight,
                          bool add) {
  for (int64_t m = 0; m < x.rows(); m += kSlab) {
    const int64_t n = std::min(kSlab, x.rows() - m);
    run_slab(pool, y.slice_rows(m, n), x.slice_rows(m, n), weight, add);
  }
}

void QuantisedRunner::run_slab(ThreadPool& pool, const Tensor& y, const Tensor& x,
                               const Linear& weight, bool add) {
  quantise_rows(pool, x, weight.format);
  QuantisedJob job;
  job.rows = x.rows();
  job.x = reinterpret_cast<const std::byte*>(integers_.data());
  job.x_scales = scales_.data();
  job.x_offsets = offsets_.data();
  job.groups = weight.in / group_of(weight.format);
  job.y_pitch = y.pitch * size_of(y.dtype);
  job.y_is_bf16 = y.dtype == DType::kBf16;
  job.add = add;
  const QuantisedKernels::Panel kernel =
      weight.format == LinearFormat::kInt4 ? isa_.quantised->int4 : isa_.quantised->int8;
  const int64_t bytes = quantised_panel_bytes(weight.format, weight.in);
  const int64_t work = std::max<int64_t>(1, bytes * std::max<int64_t>(2, job.rows));
  cut_panels(starts_, quantised_panel_count(weight.out), std::max<int64_t>(1, kChunkWork / work),
             pool.threads());
  pool.run(static_cast<int64_t>(starts_.size()) - 1, [&](int64_t chunk) {
    QuantisedJob mine = job;
    for (int64_t p = starts_[chunk]; p < starts_[chunk + 1]; ++p) {
      const int64_t first = p * kQuantisedRows;
      mine.panel = static_cast<const std::byte*>(weight.storage.data()) + p * bytes;
      mine.next = p + 1 < starts_[chunk + 1] ? mine.panel + bytes : mine.panel;
      mine.columns = static_cast<int>(std::min<int64_t>(kQuantisedRows, weight.out - first));
      const auto* bias = static_cast<const float*>(weight.bias.data());
      mine.bias = bias ? bias + first : nullptr;
      mine.y = static_cast<std::byte*>(y.data) + first * size_of(y.dtype);
      kernel(mine);
    }
  });
}

}  // namespace bifrons::cpu
