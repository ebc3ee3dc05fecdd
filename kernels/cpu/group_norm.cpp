// Group normalisation of one NHWC picture: one pass for the statistics, one for the values.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/exponential.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

// A picture is cut into at most kMostChunks chunks of at least kLeastElements elements. The cut
// depends only on its size, so sums have the same order for any number of threads.
constexpr int64_t kMostChunks = 64;
constexpr int64_t kLeastElements = 32 << 10;
// Pixels that are summed in f32 before the sum moves to double.
constexpr int64_t kRun = 64;
// Channels whose sums are computed together: kBlock in plain loops, kMostChannels at most.
constexpr int64_t kBlock = 64;
constexpr int64_t kMostChannels = 128;

// Arguments of one call. Arrays with one element per channel are in the channel order of the
// kernels, if there are kernels.
struct Problem {
  const Tensor& y;
  const Tensor& x;
  int64_t groups;
  const GroupNormKernels* kernels;  // null: plain loops
  int64_t pixels = x.rows();
  int64_t channels = x.cols();
  int64_t width = channels / groups;  // channels of a group
  int64_t chunk = std::max(
      {(pixels + kMostChunks - 1) / kMostChunks, kLeastElements / channels, int64_t{1}});  // pixels
  int64_t chunks = (pixels + chunk - 1) / chunk;

  // Index of channel c in the arrays per channel.
  int64_t place(int64_t c) const {
    if (!kernels) return c;
    const int64_t within = c % kNormChannels;
    return c - within + within % 2 * (kNormChannels / 2) + within / 2;
  }
  // `n` pixels from `pixel` on, `count` channels from `first` on.
  NormPixels at(int64_t pixel, int64_t n, int64_t first, int64_t count) const {
    const int64_t size = size_of(x.dtype);
    return {x.row(pixel) + first * size,
            y.row(pixel) + first * size,
            x.pitch * size,
            y.pitch * size,
            n,
            count};
  }
};

// Count, mean, and sum of squared deviations from the mean, of the elements of one group in one
// chunk.
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

// Per channel: sums of x - pivot and of its square over all pixels. The sums of kBlock channels at
// a time stay in registers.
template <typename T>
void add_sums(const NormPixels& from, const float* pivots, float* sums, float* squares) {
  const T* x = reinterpret_cast<const T*>(from.x);
  const int64_t pixels = from.pixels, channels = from.channels;
  const int64_t pitch = from.x_pitch / static_cast<int64_t>(sizeof(T));
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

// Merges the moments of one chunk, for `count` channels from `first` on, into the moments of their
// groups. The pivot of a channel is its first pixel's value, so that a large mean costs no
// precision.
template <typename T>
void add_moments(Moments* moments, const Problem& p, int64_t pixel, int64_t pixels, int64_t first,
                 int64_t count) {
  float pivots[kMostChannels], sums[kMostChannels], squares[kMostChannels];
  double total[kMostChannels] = {}, total_squares[kMostChannels] = {};
  for (int64_t c = 0; c < count; ++c) pivots[p.place(c)] = to_float(p.x.as<T>()[first + c]);
  for (int64_t done = 0; done < pixels; done += kRun) {
    const NormPixels run = p.at(pixel + done, std::min(kRun, pixels - done), first, count);
    p.kernels ? p.kernels->sums(run, pivots, sums, squares)
              : add_sums<T>(run, pivots, sums, squares);
    for (int64_t c = 0; c < count; ++c) {
      total[c] += sums[c];
      total_squares[c] += squares[c];
    }
  }
  const double n = static_cast<double>(pixels);
  for (int64_t c = 0; c < count; ++c) {
    const int64_t at = p.place(c);
    const double offset = total[at] / n;
    moments[(first + c) / p.width].merge(
        {n, pivots[at] + offset, total_squares[at] - offset * total[at]});
  }
}

// v sigmoid(v)
[[gnu::always_inline]] inline float silu_of(float v) { return v / (1.0f + exponential(-v)); }

// silu of every bf16 number, and one more entry that the kernels need. A table lookup costs a third
// of an exponential and a division.
const std::vector<uint16_t>& silu_table() {
  static const std::vector<uint16_t> table = [] {
    constexpr uint32_t kNumbers = 1 << 16;
    std::vector<uint16_t> values(kNumbers + 1);
    for (uint32_t bits = 0; bits < kNumbers; ++bits) {
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

// y = round((x - mean) * scale + shift), then the same of y sigmoid(y) if `silu`.
template <typename T>
void normalise(const NormPixels& job, const NormFactors& by, bool silu) {
  for (int64_t p = 0; p < job.pixels; ++p) {
    const T* from = reinterpret_cast<const T*>(job.x + p * job.x_pitch);
    T* to = reinterpret_cast<T*>(job.y + p * job.y_pitch);
    const int64_t channels = job.channels;
    const float *mean = by.mean, *scale = by.scale, *shift = by.shift;
    vectorised([=]() __attribute__((always_inline)) {
      for (int64_t c = 0; c < channels; ++c) {
        to[c] = round_to<T>((to_float(from[c]) - mean[c]) * scale[c] + shift[c]);
      }
    });
    if (silu) apply_silu(to, channels);
  }
}

template <typename T>
void group_norm_of(ThreadPool& pool, const Problem& p, const Norm& norm, double eps, bool silu) {
  const auto size = [&](int64_t chunk) { return std::min(p.chunk, p.pixels - chunk * p.chunk); };
  std::vector<Moments> moments(p.chunks * p.groups);
  pool.run(p.chunks, [&](int64_t i) {
    for (int64_t c = 0; c < p.channels; c += kMostChannels) {
      add_moments<T>(&moments[i * p.groups], p, i * p.chunk, size(i), c,
                     std::min(kMostChannels, p.channels - c));
    }
  });

  std::vector<float> factors(3 * p.channels);
  float *mean = factors.data(), *scale = mean + p.channels, *shift = scale + p.channels;
  const float* weight = static_cast<const float*>(norm.weight.data());
  const float* bias = static_cast<const float*>(norm.bias.data());
  for (int64_t g = 0; g < p.groups; ++g) {
    Moments group;
    for (int64_t i = 0; i < p.chunks; ++i) group.merge(moments[i * p.groups + g]);
    const double inverse = 1.0 / std::sqrt(group.squares / group.count + eps);
    for (int64_t c = g * p.width; c < (g + 1) * p.width; ++c) {
      mean[p.place(c)] = static_cast<float>(group.mean);
      scale[p.place(c)] = static_cast<float>(inverse) * weight[c];
      shift[p.place(c)] = bias ? bias[c] : 0.0f;
    }
  }
  const NormFactors by{mean, scale, shift};
  pool.run(p.chunks, [&](int64_t i) {
    // Backwards: the chunks that the statistics read last are still in the caches.
    const int64_t chunk = p.chunks - 1 - i;
    const NormPixels job = p.at(chunk * p.chunk, size(chunk), 0, p.channels);
    p.kernels ? p.kernels->normalise(job, by, silu ? silu_table().data() : nullptr)
              : normalise<T>(job, by, silu);
  });
}

}  // namespace

void group_norm(ThreadPool& pool, const InstructionSet& isa, const Tensor& y, const Tensor& x,
                const Norm& norm, int64_t groups, double eps, bool silu) {
  const bool kernels = x.dtype == DType::kBf16 && x.cols() % kNormChannels == 0 &&
                       isa.group_norm.normalise != nullptr;
  const Problem problem{y, x, groups, kernels ? &isa.group_norm : nullptr};
  visit_activation(x.dtype, [&](auto element) {
    group_norm_of<decltype(element)>(pool, problem, norm, eps, silu);
  });
}

}  // namespace bifrons::cpu
