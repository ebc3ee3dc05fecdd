// Group normalisation of NHWC pictures: one kernel for the statistics, one for the values. Each
// picture has its own blocks, which do the same whatever other pictures there are.
#include <type_traits>

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/pictures.h"

namespace bifrons::cuda {

constexpr int kNormThreads = 256;
// A picture is cut into at most this many chunks; the cut depends only on its size.
constexpr int64_t kMostChunks = 256;
constexpr int64_t kMostGroups = kNormThreads;

struct GroupNormJob {
  int64_t pixels, channels;
  int groups, width;  // width: channels of a group
  int chunks;
  int64_t chunk;  // pixels
  float eps;
};

// Sums of x - pivot and of its square. The pivot is the picture's first element of the group, so
// that a large mean costs no precision.
struct Sums {
  double first, second;
};

// kCount neighbouring channels.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Channels {
  T of[kCount];
};

// Turns the sums of all chunks into a mean and a factor per channel, as floats [2][channels]. The
// mean is stored separately, which keeps enough precision: y = (x - mean) * factor + bias.
template <typename T>
__device__ inline void finish_statistics(float* mean, float* factor, const Sums* parts, const T* x,
                                         const float* weight, const GroupNormJob& job) {
  __shared__ Sums partials[kNormThreads];
  __shared__ double group_mean[kMostGroups], group_factor[kMostGroups];
  // Each thread of a group adds every `each`-th chunk; then the partial sums are added in order.
  const int each = kNormThreads / job.groups;
  const int group = static_cast<int>(threadIdx.x) / each, partial = threadIdx.x % each;
  Sums sums{};
  for (int i = partial; group < job.groups && i < job.chunks; i += each) {
    sums.first += parts[i * job.groups + group].first;
    sums.second += parts[i * job.groups + group].second;
  }
  partials[threadIdx.x] = sums;
  __syncthreads();
  if (group < job.groups && partial == 0) {
    for (int i = 1; i < each; ++i) {
      sums.first += partials[threadIdx.x + i].first;
      sums.second += partials[threadIdx.x + i].second;
    }
    const double n = static_cast<double>(job.pixels) * job.width;
    const double offset = sums.first / n;
    const double variance = fmax(0.0, sums.second / n - offset * offset);
    group_mean[group] = static_cast<double>(to_float(x[int64_t{group} * job.width])) + offset;
    group_factor[group] = 1.0 / sqrt(variance + static_cast<double>(job.eps));
  }
  __syncthreads();
  for (int64_t c = threadIdx.x; c < job.channels; c += blockDim.x) {
    mean[c] = static_cast<float>(group_mean[c / job.width]);
    factor[c] = static_cast<float>(group_factor[c / job.width]) * weight[c];
  }
}

// Block (i, p) sums chunk i of picture p. The last block of a picture to finish computes its
// statistics. A thread reads kCount channels at once. Two blocks per multiprocessor: without the
// bound the compiler aims at four, and spills.
template <typename T, int kCount>
__global__ void __launch_bounds__(kNormThreads, 2)
    group_statistics_kernel(float* mean, float* factor, Sums* parts, int* counter, const T* x,
                            const float* weight, GroupNormJob job) {
  using Vector = Channels<T, kCount>;
  __shared__ float sums[kNormThreads * kCount], squares[kNormThreads * kCount];
  x += blockIdx.y * job.pixels * job.channels;
  parts += int64_t{blockIdx.y} * job.chunks * job.groups;
  const int64_t first = blockIdx.x * job.chunk;
  const int64_t last = first + job.chunk < job.pixels ? first + job.chunk : job.pixels;
  // Threads cover the channels, and several pixels if there are more threads than channels.
  const int vectors = static_cast<int>(job.channels / kCount);
  const int across = vectors < kNormThreads ? vectors : kNormThreads;
  const int deep = kNormThreads / across;
  const int column = threadIdx.x % across, layer = threadIdx.x / across;
  double total = 0.0, total_squares = 0.0;  // sums of the group that this thread adds
  for (int base = 0; base < vectors; base += across) {
    float sum[kCount] = {}, square[kCount] = {};
    if (layer < deep && base + column < vectors) {
      float pivot[kCount];
      for (int i = 0; i < kCount; ++i) {
        pivot[i] = to_float(x[((base + column) * kCount + i) / job.width * job.width]);
      }
      const auto* from = reinterpret_cast<const Vector*>(x) + base + column;
#pragma unroll 4
      for (int64_t p = first + layer; p < last; p += deep) {
        const Vector v = from[p * vectors];
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          const float d = to_float(v.of[i]) - pivot[i];
          sum[i] += d;
          square[i] = fmaf(d, d, square[i]);
        }
      }
    }
    for (int i = 0; i < kCount; ++i) {
      sums[threadIdx.x * kCount + i] = sum[i];
      squares[threadIdx.x * kCount + i] = square[i];
    }
    __syncthreads();
    const int here = base * kCount, wide = across * kCount;  // channels in these sums
    if (static_cast<int>(threadIdx.x) < job.groups) {
      const int begin = static_cast<int>(threadIdx.x) * job.width;
      for (int channel = begin; channel < begin + job.width; ++channel) {
        if (channel < here || channel >= here + wide) continue;
        for (int l = 0; l < deep; ++l) {
          total += sums[l * wide + channel - here];
          total_squares += squares[l * wide + channel - here];
        }
      }
    }
    __syncthreads();
  }
  if (static_cast<int>(threadIdx.x) < job.groups) {
    parts[blockIdx.x * job.groups + threadIdx.x] = {total, total_squares};
  }
  if (!last_to_arrive(counter + blockIdx.y, job.chunks)) return;
  const int64_t statistics = blockIdx.y * 2 * job.channels;
  finish_statistics(mean + statistics, factor + statistics, parts, x, weight, job);
}

// Neighbouring floats: one, or whole groups of four from an address that is a multiple of 16 bytes.
template <int kCount>
struct Floats {
  float of[kCount];

  __device__ explicit Floats(const float* from) {
    if constexpr (kCount % 4 == 0) {
#pragma unroll
      for (int i = 0; i < kCount; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(from + i);
        of[i] = four.x, of[i + 1] = four.y, of[i + 2] = four.z, of[i + 3] = four.w;
      }
    } else {
      of[0] = *from;
    }
  }
};

// Rounds neighbouring values, and again after silu. Same bits as one by one.
template <typename T, int kCount>
__device__ inline Channels<T, kCount> finished(const float (&value)[kCount], bool silu_after) {
  Channels<T, kCount> to;
  if constexpr (std::is_same_v<T, Bf16> && kCount % 2 == 0) {
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      uint32_t pair = round_pair(value[i], value[i + 1]);
      if (silu_after) pair = round_pair(silu(lower_of(pair)), silu(upper_of(pair)));
      to.of[i].bits = static_cast<uint16_t>(pair);
      to.of[i + 1].bits = static_cast<uint16_t>(pair >> 16);
    }
  } else {
    for (int i = 0; i < kCount; ++i) {
      const float x = rounded<T>(value[i]);
      to.of[i] = round_to<T>(silu_after ? silu(x) : x);
    }
  }
  return to;
}

// A thread computes kCount channels of a pixel; a pixel has `across` threads. n: number of threads
// of a picture, blockIdx.y.
template <typename T, int kCount>
__global__ void normalise_kernel(T* y, const T* x, const float* mean, const float* factor,
                                 const float* bias, uint32_t n, uint32_t across, bool silu_after) {
  using Vector = Channels<T, kCount>;
  // 32-bit integers: a 64-bit division takes about a hundred instructions.
  const uint32_t at = blockIdx.x * kNormThreads + threadIdx.x;
  if (at >= n) return;
  const int64_t vector = int64_t{blockIdx.y} * n + at,
                statistics = int64_t{blockIdx.y} * 2 * across;
  mean += statistics * kCount;
  factor += statistics * kCount;
  const Vector from = reinterpret_cast<const Vector*>(x)[vector];
  const uint32_t first = at % across * kCount;
  const Floats<kCount> means(mean + first), factors(factor + first), biases(bias + first);
  float value[kCount];
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    value[i] = (to_float(from.of[i]) - means.of[i]) * factors.of[i] + biases.of[i];
  }
  reinterpret_cast<Vector*>(y)[vector] = finished<T>(value, silu_after);
}

void group_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                double eps, bool silu_after) {
  if (x.count() == 0) return;
  check(groups <= kMostGroups, "group_norm: at most 256 groups");
  const int64_t pictures = picture_count(x), pixels = x.rows() / pictures;
  check(pixels * x.cols() <= INT32_MAX, "group_norm: at most 2^31 - 1 elements of a picture");
  check(pictures <= 65535, "group_norm: at most 65535 pictures");
  GroupNormJob job{.pixels = pixels,
                   .channels = x.cols(),
                   .groups = static_cast<int>(groups),
                   .width = static_cast<int>(x.cols() / groups),
                   .chunks = 0,
                   .chunk = ceil_div(pixels, kMostChunks),
                   .eps = static_cast<float>(eps)};
  job.chunks = static_cast<int>(ceil_div(job.pixels, job.chunk));
  const int64_t part_bytes = pictures * job.chunks * groups * static_cast<int64_t>(sizeof(Sums));
  std::byte* area = s.workspace.area(part_bytes + pictures * 2 * x.cols() * size_of(DType::kF32));
  auto* mean = reinterpret_cast<float*>(area + part_bytes);
  float* factor = mean + x.cols();
  const auto each = static_cast<unsigned>(pictures);
  const auto addresses = reinterpret_cast<uintptr_t>(x.data) | reinterpret_cast<uintptr_t>(y.data);
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const auto run = [&](auto count) {
      constexpr int kCount = decltype(count)::value;
      launch(s.handle, group_statistics_kernel<T, kCount>,
             {dim3(static_cast<unsigned>(job.chunks), each), dim3(kNormThreads)}, mean, factor,
             reinterpret_cast<Sums*>(area), s.workspace.counters(pictures), x.as<T>(),
             static_cast<const float*>(norm.weight.data()), job);
      const int64_t n = pixels * x.cols() / kCount;
      launch(s.handle, normalise_kernel<T, kCount>,
             {dim3(static_cast<unsigned>(ceil_div(n, kNormThreads)), each), dim3(kNormThreads)},
             y.as<T>(), x.as<T>(), mean, factor, static_cast<const float*>(norm.bias.data()),
             static_cast<uint32_t>(n), static_cast<uint32_t>(x.cols() / kCount), silu_after);
    };
    const bool vectors = x.cols() % kVector == 0 && addresses % 16 == 0;
    vectors ? run(std::integral_constant<int, kVector>{}) : run(std::integral_constant<int, 1>{});
  });
}

}  // namespace bifrons::cuda
