// Copies weights to the GPU as they are in the file, slab by slab, and reorders them there.
#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/quantised_weights.h"
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

// One thread per integer of a slab, as lay_kernel(). Two rows of int4 share a byte: the thread of
// the upper one writes both, unless it is in another slab.
template <LinearFormat kIs>
__global__ void lay_integers_kernel(uint8_t* to, const uint8_t* slab, int64_t first, int64_t rows,
                                    int64_t in) {
  const int64_t i = int64_t{blockIdx.x} * kLayThreads + threadIdx.x;
  if (i >= rows * in) return;
  const int64_t row = i / in, k = i % in, out = first + row;
  uint8_t& byte = to[quantised_index(kIs, out, k, in / kTileIn)];
  if constexpr (kIs == LinearFormat::kInt8) {
    byte = slab[i];
  } else {
    const auto half = [&](int64_t r) {
      return static_cast<uint32_t>(slab[(r * in + k) / 2]) >> (k % 2 * 4) & 15u;
    };
    const bool lower = out % kTileOut >= 8;
    if (lower && row >= 8) return;
    uint32_t both = byte | half(row) << (lower ? 4 : 0);
    if (!lower && row + 8 < rows) both |= half(row + 8) << 4;
    byte = static_cast<uint8_t>(both);
  }
}

// One thread per scale of a slab.
__global__ void lay_scales_kernel(uint16_t* to, const uint16_t* slab, int64_t first, int64_t rows,
                                  int64_t groups) {
  const int64_t i = int64_t{blockIdx.x} * kLayThreads + threadIdx.x;
  if (i >= rows * groups) return;
  to[scale_index(first + i / groups, i % groups, groups)] = slab[i];
}

// Lays `rows` rows, whose integers and scales are on the GPU, at row `first`.
void lay_slab(Stream& s, const Tensor& storage, const QuantisedArray& slab, int64_t first,
              int64_t scales_at) {
  const auto* const values = reinterpret_cast<const uint8_t*>(slab.values);
  const auto* const scales = reinterpret_cast<const uint16_t*>(slab.scales);
  const int64_t in = slab.cols, groups = in / group_of(slab.format);
  const auto grid = [](int64_t n) {
    return Grid{dim3(static_cast<unsigned>(ceil_div(n, kLayThreads))), dim3(kLayThreads)};
  };
  launch(s.handle,
         slab.format == LinearFormat::kInt8 ? lay_integers_kernel<LinearFormat::kInt8>
                                            : lay_integers_kernel<LinearFormat::kInt4>,
         grid(slab.rows * in), storage.as<uint8_t>(), values, first, slab.rows, in);
  launch(s.handle, lay_scales_kernel, grid(slab.rows * groups),
         reinterpret_cast<uint16_t*>(storage.as<uint8_t>() + scales_at), scales, first, slab.rows,
         groups);
}

void lay_quantised(Stream& s, const Tensor& storage, std::span<const QuantisedArray> parts) {
  const LinearFormat format = parts[0].format;
  const int64_t in = parts[0].cols;
  const int64_t of_values = value_bytes(format, in), of_scales = scale_bytes(format, in);
  int64_t out = 0;
  for (const QuantisedArray& part : parts) out += part.rows;
  if (out * in == 0) return;
  const int64_t slab_rows = std::clamp<int64_t>(kSlabBytes / (of_values + of_scales), 1, out);
  const Buffer slab = allocate_device(slab_rows * (of_values + of_scales));
  std::byte* const values = static_cast<std::byte*>(slab.data());
  std::byte* const scales = values + slab_rows * of_values;
  const auto copy = [&](std::byte* to, const std::byte* from, int64_t bytes) {
    must(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, s.handle), "copying weights");
  };
  int64_t first = 0;
  for (const QuantisedArray& part : parts) {
    for (int64_t done = 0; done < part.rows; done += slab_rows) {
      const int64_t rows = std::min(slab_rows, part.rows - done);
      copy(values, part.values + done * of_values, rows * of_values);
      copy(scales, part.scales + done * of_scales, rows * of_scales);
      lay_slab(s, storage, {values, scales, format, rows, in}, first + done,
               stored_rows(out) * of_values);
    }
    first += part.rows;
  }
  must(cudaStreamSynchronize(s.handle), "copying weights");
}

}  // namespace bifrons::cuda
