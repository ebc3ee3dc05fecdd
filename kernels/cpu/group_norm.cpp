// Group normalisation of one NHWC picture: one pass for the statistics, one for the values.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/exponential.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/scalar.h"
#include "kernels/cpu/vectorise.h"

namespace bifrons::cpu {
namespace {

// Pixels of one chunk. Fixed, so that sums are formed in the same order for any number of threads.
constexpr int64_t kChunk = 512;
// Pixels that are summed in f32 before the sum moves to double.
constexpr int64_t kRun = 64;
// Channels whose sums are formed together.
constexpr int64_t kBlock = 64;

// Mean and sum of squared distances from it, of the elements of one group in one chunk.
struct Moments {
  double count = 0.0;
  double mean = 0.0;
  double squares = 0.0;

  // Chan, Golub and LeVeque's pairwise update.
  void merge(const Moments& other) {
    const double total = count + other.count, distance = other.mean - mean;
    squares += other.squares + distance * distance * (count * other.count / total);
    mean += distance * (other.count / total);
    count = total;
  }
};

// Per channel: sums of x - pivot and of its square over `pixels` pixels. The sums of kBlock channels
// at a time stay in registers.
template <typename T>
void add_sums(float* sums, float* squares, const float* pivots, const T* x, int64_t pixels,
              int64_t pitch, int64_t channels) {
  vectorised([=]() __attribute__((always_inline)) {
    int64_t first = 0;
    for (; first + kBlock <= channels; first += kBlock) {
      float sum[kBlock] = {}, square[kBlock] = {}, pivot[kBlock];
      for (int64_t c = 0; c < kBlock; ++c) pivot[c] = pivots[first + c];
      for (int64_t p = 0; p < pixels; ++p) {
        const T* pixel = x + p * pitch + first;
        for (int64_t c = 0; c < kBlock; ++c) {
          const float d = to_float(pixel[c]) - pivot[c];
          sum[c] += d;
          square[c] += d * d;
        }
      }
      for (int64_t c = 0; c < kBlock; ++c) {
        sums[first + c] = sum[c];
        squares[first + c] = square[c];
      }
    }
    for (int64_t c = first; c < channels; ++c) {
      sums[c] = squares[c] = 0.0f;
      for (int64_t p = 0; p < pixels; ++p) {
        const float d = to_float(x[p * pitch + c]) - pivots[c];
        sums[c] += d;
        squares[c] += d * d;
      }
    }
  });
}

// Distances are taken from the picture's first pixel, so that a large mean costs no digits.
template <typename T>
void chunk_moments(Moments* moments, const T* x, const T* first, int64_t pixels, int64_t pitch,
                   int64_t channels, int64_t groups) {
  std::vector<float> scratch(3 * channels);
  std::vector<double> totals(2 * channels, 0.0);
  float *pivots = scratch.data(), *sums = pivots + channels, *squares = sums + channels;
  for (int64_t c = 0; c < channels; ++c) pivots[c] = to_float(first[c]);
  for (int64_t p = 0; p < pixels; p += kRun) {
    add_sums(sums, squares, pivots, x + p * pitch, std::min(kRun, pixels - p), pitch, channels);
    for (int64_t c = 0; c < channels; ++c) {
      totals[2 * c] += sums[c];
      totals[2 * c + 1] += squares[c];
    }
  }
  const double n = static_cast<double>(pixels);
  const int64_t width = channels / groups;
  for (int64_t g = 0; g < groups; ++g) {
    Moments group;
    for (int64_t c = g * width; c < (g + 1) * width; ++c) {
      const double offset = totals[2 * c] / n;
      group.merge({n, pivots[c] + offset, totals[2 * c + 1] - offset * totals[2 * c]});
    }
    moments[g] = group;
  }
}

// v sigmoid(v)
[[gnu::always_inline]] inline float silu_of(float v) { return v / (1.0f + exponential(-v)); }

// silu of every bf16 number. Reading it costs a third of computing an exponential and a quotient.
const std::vector<uint16_t>& silu_table() {
  static const std::vector<uint16_t> table = [] {
    std::vector<uint16_t> values(1 << 16);
    for (uint32_t bits = 0; bits < values.size(); ++bits) {
      values[bits] = to_bf16(silu_of(to_float(Bf16{static_cast<uint16_t>(bits)}))).bits;
    }
    return values;
  }();
  return table;
}

// In place y sigmoid(y) of n rounded elements.
void apply_silu(Bf16* y, int64_t n) {
  const uint16_t* table = silu_table().data();
  for (int64_t i = 0; i < n; ++i) y[i].bits = table[y[i].bits];
}

void apply_silu(float* y, int64_t n) {
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < n; ++i) y[i] = silu_of(y[i]);
  });
}

// y = round((x - mean) * scale + shift)
template <typename T>
void normalise(T* y, const T* x, const float* mean, const float* scale, const float* shift,
               int64_t pixels, int64_t y_pitch, int64_t x_pitch, int64_t channels) {
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t p = 0; p < pixels; ++p) {
      const T* from = x + p * x_pitch;
      T* to = y + p * y_pitch;
      for (int64_t c = 0; c < channels; ++c) {
        to[c] = round_to<T>((to_float(from[c]) - mean[c]) * scale[c] + shift[c]);
      }
    }
  });
}

template <typename T>
void group_norm_of(ThreadPool& pool, const Tensor& y, const Tensor& x, const Norm& norm,
                   int64_t groups, double eps, bool silu) {
  const int64_t channels = x.cols(), pixels = x.rows(), chunks = (pixels + kChunk - 1) / kChunk;
  const auto size = [&](int64_t chunk) { return std::min(kChunk, pixels - chunk * kChunk); };
  std::vector<Moments> moments(chunks * groups);
  pool.run(chunks, [&](int64_t i) {
    chunk_moments(&moments[i * groups], reinterpret_cast<const T*>(x.row(i * kChunk)), x.as<T>(),
                  size(i), x.pitch, channels, groups);
  });

  std::vector<float> factors(3 * channels);
  float *mean = factors.data(), *scale = mean + channels, *shift = scale + channels;
  const float* weight = static_cast<const float*>(norm.weight.data());
  const float* bias = static_cast<const float*>(norm.bias.data());
  for (int64_t g = 0; g < groups; ++g) {
    Moments group;
    for (int64_t i = 0; i < chunks; ++i) group.merge(moments[i * groups + g]);
    const double inverse = 1.0 / std::sqrt(group.squares / group.count + eps);
    for (int64_t c = g * (channels / groups); c < (g + 1) * (channels / groups); ++c) {
      mean[c] = static_cast<float>(group.mean);
      scale[c] = static_cast<float>(inverse) * weight[c];
      shift[c] = bias ? bias[c] : 0.0f;
    }
  }
  pool.run(chunks, [&](int64_t i) {
    // In short runs, so that silu finds its numbers in the nearest cache.
    for (int64_t p = i * kChunk; p < i * kChunk + size(i); p += kRun) {
      const int64_t n = std::min(kRun, pixels - p);
      T* to = reinterpret_cast<T*>(y.row(p));
      normalise(to, reinterpret_cast<const T*>(x.row(p)), mean, scale, shift, n, y.pitch, x.pitch,
                channels);
      for (int64_t k = 0; silu && k < n; ++k) apply_silu(to + k * y.pitch, channels);
    }
  });
}

}  // namespace

void group_norm(ThreadPool& pool, const Tensor& y, const Tensor& x, const Norm& norm,
                int64_t groups, double eps, bool silu) {
  visit_activation(x.dtype, [&](auto element) {
    group_norm_of<decltype(element)>(pool, y, x, norm, groups, eps, silu);
  });
}

}  // namespace bifrons::cpu
