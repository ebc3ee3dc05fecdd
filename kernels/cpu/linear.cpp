// Splits the GEMM of a linear layer into chunks of weight panels and prepares x for the kernels.
#include "kernels/cpu/linear.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/vectorise.h"

namespace bifrons::cpu {
namespace {

// Rows of x per pass; this bounds the scratch memory. Weights are read again for every pass, which
// is a small part of the work at this many rows.
constexpr int64_t kSlab = 256;

// Least work of a chunk (bytes of weights times rows). Below it, taking a chunk from the pool's
// counter costs too much.
constexpr int64_t kChunkWork = 256 << 10;

// Converts rows of bf16 to f32 and fills with zeros from the end of a row to the next.
void widen(float* to, int64_t pitch, const Tensor& x) {
  for (int64_t m = 0; m < x.rows(); ++m, to += pitch) {
    const auto* from = reinterpret_cast<const Bf16*>(x.row(m));
    const int64_t n = x.cols();
    vectorised([=]() __attribute__((always_inline)) {
      for (int64_t k = 0; k < n; ++k) to[k] = to_float(from[k]);
    });
    std::fill(to + x.cols(), to + pitch, 0.0f);
  }
}

// Copies rows and fills with zeros from the end of a row to the next.
void pad(std::byte* to, int64_t pitch, const Tensor& x) {
  const int64_t bytes = x.cols() * size_of(x.dtype);
  for (int64_t m = 0; m < x.rows(); ++m) {
    std::memcpy(to + m * pitch, x.row(m), bytes);
    std::memset(to + m * pitch + bytes, 0, pitch - bytes);
  }
}

InstructionSet::Panel kernel_for(const InstructionSet& isa, DType weight, bool pairs) {
  if (weight == DType::kBf16) return pairs ? isa.bf16_pairs : isa.bf16;
  return weight == DType::kF16 ? isa.f16 : isa.f32;
}

}  // namespace

void cut_panels(std::vector<int64_t>& starts, int64_t panels, int64_t shortest, int threads) {
  starts.assign(1, 0);
  while (starts.back() < panels) {
    const int64_t left = panels - starts.back();
    starts.push_back(starts.back() + std::min(left, std::max(shortest, left / (2 * threads))));
  }
}

int64_t panel_bytes(DType dtype, int64_t in) {
  const int64_t depth = dtype == DType::kBf16 ? (in + 1) / 2 * 2 : in;
  return depth * kPanelRows * size_of(dtype);
}

int64_t panel_count(int64_t out) { return (out + kPanelRows - 1) / kPanelRows; }

void LinearRunner::run(ThreadPool& pool, const Tensor& y, const Tensor& x, const Linear& weight,
                       bool add) {
  for (int64_t m = 0; m < x.rows(); m += kSlab) {
    const int64_t n = std::min(kSlab, x.rows() - m);
    run_slab(pool, y.slice_rows(m, n), x.slice_rows(m, n), weight, add);
  }
}

void LinearRunner::run_slab(ThreadPool& pool, const Tensor& y, const Tensor& x,
                            const Linear& weight, bool add) {
  const bool depth_two = weight.dtype == DType::kBf16;
  const bool pairs = depth_two && x.dtype == DType::kBf16 && isa_.bf16_pairs;
  PanelJob job;
  job.rows = x.rows();
  job.steps = depth_two ? (x.cols() + 1) / 2 : x.cols();
  job.x = static_cast<const std::byte*>(x.data);
  job.x_pitch = x.pitch * size_of(x.dtype);
  const int64_t padded = depth_two ? job.steps * 2 : job.steps;
  const bool widens = x.dtype == DType::kBf16 && !pairs;
  if (widens || padded != x.cols()) {
    scratch_.resize(std::max<size_t>(scratch_.size(), job.rows * padded));
    job.x = reinterpret_cast<const std::byte*>(scratch_.data());
    job.x_pitch = padded * (widens ? 4 : size_of(x.dtype));
    if (widens) {
      widen(scratch_.data(), padded, x);
    } else {
      pad(reinterpret_cast<std::byte*>(scratch_.data()), job.x_pitch, x);
    }
  }
  job.y_pitch = y.pitch * size_of(y.dtype);
  job.y_is_bf16 = y.dtype == DType::kBf16;
  job.add = add;

  const InstructionSet::Panel kernel = kernel_for(isa_, weight.dtype, pairs);
  const int64_t bytes = panel_bytes(weight.dtype, weight.in);
  cut_panels(starts_, panel_count(weight.out),
             std::max<int64_t>(
                 1, kChunkWork / std::max<int64_t>(1, bytes * std::max<int64_t>(2, job.rows))),
             pool.threads());
  pool.run(static_cast<int64_t>(starts_.size()) - 1, [&](int64_t chunk) {
    PanelJob mine = job;
    for (int64_t p = starts_[chunk]; p < starts_[chunk + 1]; ++p) {
      const int64_t first = p * kPanelRows;
      mine.panel = static_cast<const std::byte*>(weight.storage.data()) + p * bytes;
      mine.next = p + 1 < starts_[chunk + 1] ? mine.panel + bytes : mine.panel;
      mine.columns = static_cast<int>(std::min<int64_t>(kPanelRows, weight.out - first));
      const auto* bias = static_cast<const float*>(weight.bias.data());
      mine.bias = bias ? bias + first : nullptr;
      mine.y = static_cast<std::byte*>(y.data) + first * size_of(y.dtype);
      kernel(mine);
    }
  });
}

}  // namespace bifrons::cpu
