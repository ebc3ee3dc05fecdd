// Group normalisation of one NHWC picture: one kernel for the statistics, one for the values.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

constexpr int kNormThreads = 256;
// A picture is cut into at most so many chunks, by its size alone.
constexpr int64_t kMostChunks = 256;
constexpr int64_t kMostGroups = kNormThreads;

struct GroupNormJob {
  int64_t pixels, channels;
  int groups, width;  // width: channels of a group
  int chunks;
  int64_t chunk;  // pixels
  float eps;
};

// Sums of x - pivot and of its square; the pivot is the group's first element of the picture, so
// that a large mean costs no digits.
struct Sums {
  double first, second;
};

// Turns the sums of all chunks into a factor and an offset a channel, as floats [2][channels]: the
// mean comes back exactly enough because it is kept apart: y = (x - mean) * factor + bias.
template <typename T>
__device__ inline void finish_statistics(float* mean, float* factor, const Sums* parts, const T* x,
                                         const float* weight, const GroupNormJob& job) {
  __shared__ double group_mean[kMostGroups], group_factor[kMostGroups];
  for (int g = threadIdx.x; g < job.groups; g += blockDim.x) {
    Sums sums{};
    for (int i = 0; i < job.chunks; ++i) {
      sums.first += parts[i * job.groups + g].first;
      sums.second += parts[i * job.groups + g].second;
    }
    const double n = static_cast<double>(job.pixels) * job.width;
    const double offset = sums.first / n;
    const double variance = fmax(0.0, sums.second / n - offset * offset);
    group_mean[g] = static_cast<double>(to_float(x[int64_t{g} * job.width])) + offset;
    group_factor[g] = 1.0 / sqrt(variance + static_cast<double>(job.eps));
  }
  __syncthreads();
  for (int64_t c = threadIdx.x; c < job.channels; c += blockDim.x) {
    mean[c] = static_cast<float>(group_mean[c / job.width]);
    factor[c] = static_cast<float>(group_factor[c / job.width]) * weight[c];
  }
}

// Block i sums chunk i; the last block to finish makes the statistics of the picture.
template <typename T>
__global__ void __launch_bounds__(kNormThreads)
    group_statistics_kernel(float* mean, float* factor, Sums* parts, int* counter, const T* x,
                            const float* weight, GroupNormJob job) {
  __shared__ float sums[kNormThreads], squares[kNormThreads];
  const int64_t first = blockIdx.x * job.chunk;
  const int64_t last = first + job.chunk < job.pixels ? first + job.chunk : job.pixels;
  // Threads stand side by side over the channels and, where there is room, several pixels deep.
  const int64_t channels = job.channels;
  const int across = static_cast<int>(channels < kNormThreads ? channels : kNormThreads);
  const int deep = kNormThreads / across;
  const int column = threadIdx.x % across, layer = threadIdx.x / across;
  double total = 0.0, total_squares = 0.0;  // of the group this thread answers for
  for (int64_t base = 0; base < channels; base += across) {
    const int64_t c = base + column;
    float sum = 0.0f, square = 0.0f;
    if (layer < deep && c < channels) {
      const float pivot = to_float(x[c / job.width * job.width]);
      for (int64_t p = first + layer; p < last; p += deep) {
        const float d = to_float(x[p * channels + c]) - pivot;
        sum += d;
        square = fmaf(d, d, square);
      }
    }
    sums[threadIdx.x] = sum;
    squares[threadIdx.x] = square;
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < job.groups) {
      const int64_t begin = int64_t{threadIdx.x} * job.width, end = begin + job.width;
      for (int64_t channel = begin; channel < end; ++channel) {
        if (channel < base || channel >= base + across) continue;
        for (int l = 0; l < deep; ++l) {
          total += sums[l * across + channel - base];
          total_squares += squares[l * across + channel - base];
        }
      }
    }
    __syncthreads();
  }
  if (static_cast<int>(threadIdx.x) < job.groups) {
    parts[blockIdx.x * job.groups + threadIdx.x] = {total, total_squares};
  }
  if (last_to_arrive(counter, job.chunks)) finish_statistics(mean, factor, parts, x, weight, job);
}

template <typename T>
__global__ void normalise_kernel(T* y, const T* x, const float* mean, const float* factor,
                                 const float* bias, int64_t n, int64_t channels, bool silu_after) {
  const int64_t i = int64_t{blockIdx.x} * kNormThreads + threadIdx.x;
  if (i >= n) return;
  const int64_t c = i % channels;
  const float value = rounded<T>((to_float(x[i]) - mean[c]) * factor[c] + bias[c]);
  y[i] = round_to<T>(silu_after ? silu(value) : value);
}

void group_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                double eps, bool silu_after) {
  if (x.count() == 0) return;
  check(groups <= kMostGroups, "group_norm: at most 256 groups");
  GroupNormJob job{.pixels = x.rows(),
                   .channels = x.cols(),
                   .groups = static_cast<int>(groups),
                   .width = static_cast<int>(x.cols() / groups),
                   .chunks = 0,
                   .chunk = ceil_div(x.rows(), kMostChunks),
                   .eps = static_cast<float>(eps)};
  job.chunks = static_cast<int>(ceil_div(job.pixels, job.chunk));
  const int64_t part_bytes = job.chunks * groups * static_cast<int64_t>(sizeof(Sums));
  std::byte* area = s.workspace.area(part_bytes + 2 * x.cols() * size_of(DType::kF32));
  auto* mean = reinterpret_cast<float*>(area + part_bytes);
  float* factor = mean + x.cols();
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    launch(s.handle, group_statistics_kernel<T>,
           {dim3(static_cast<unsigned>(job.chunks)), dim3(kNormThreads)}, mean, factor,
           reinterpret_cast<Sums*>(area), s.workspace.counters(1), x.as<T>(),
           static_cast<const float*>(norm.weight.data()), job);
    launch(s.handle, normalise_kernel<T>,
           {dim3(static_cast<unsigned>(ceil_div(x.count(), kNormThreads))), dim3(kNormThreads)},
           y.as<T>(), x.as<T>(), mean, factor, static_cast<const float*>(norm.bias.data()),
           x.count(), x.cols(), silu_after);
  });
}

}  // namespace bifrons::cuda
