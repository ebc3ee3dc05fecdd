// Copies weights to the GPU as they are in the file, slab by slab, and reorders them there.
#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/weight_order.h"

namespace bifrons::cuda {

constexpr int64_t kSlabBytes = 64 << 20;
constexpr int kLayThreads = 256;

// One thread per element of a slab of `rows` rows; its first row is row `first` of the result.
template <typename T>
__global__ void lay_kernel(T* to, const T* slab, int64_t first, int64_t rows, int64_t out,
                           int64_t in, int64_t taps, WeightOrder order) {
  const int64_t i = int64_t{blockIdx.x} * kLayThreads + threadIdx.x;
  if (i >= rows * in) return;
  const int64_t row = i / in, k = i % in, channels = in / taps;
  const T value = slab[row * in + k % channels * taps + k / channels];
  const int64_t steps = (in + kTileIn - 1) / kTileIn;
  const int64_t tiled =
      std::is_same_v<T, Bf16> ? tiled_index(first + row, k, steps) : k * out + first + row;
  to[order == WeightOrder::kRows ? (first + row) * in + k : tiled] = value;
}

void lay_weights(Stream& s, const Tensor& storage, std::span<const HostArray> parts, int64_t taps,
                 WeightOrder order) {
  const int64_t in = parts[0].cols, row_bytes = in * size_of(parts[0].dtype);
  int64_t out = 0;
  for (const HostArray& part : parts) out += part.rows;
  if (out * in == 0) return;
  const int64_t slab_rows = std::clamp<int64_t>(kSlabBytes / row_bytes, 1, out);
  const Buffer slab = allocate_device(slab_rows * row_bytes);
  int64_t first = 0;
  for (const HostArray& part : parts) {
    for (int64_t done = 0; done < part.rows; done += slab_rows) {
      const int64_t rows = std::min(slab_rows, part.rows - done);
      must(cudaMemcpyAsync(slab.data(), part.data + done * row_bytes, rows * row_bytes,
                           cudaMemcpyHostToDevice, s.handle),
           "copying weights");
      const Grid grid{dim3(static_cast<unsigned>(ceil_div(rows * in, kLayThreads))),
                      dim3(kLayThreads)};
      visit_stored(part.dtype, [&](auto element) {
        using T = decltype(element);
        launch(s.handle, lay_kernel<T>, grid, storage.as<T>(), static_cast<const T*>(slab.data()),
               first + done, rows, out, in, taps, order);
      });
    }
    first += part.rows;
  }
  must(cudaStreamSynchronize(s.handle), "copying weights");
}

}  // namespace bifrons::cuda
