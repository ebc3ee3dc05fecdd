// Layout of weights on the GPU, and their upload.
//
// bf16: tiles of 16 outputs by 32 inputs; all tiles of the same outputs are contiguous. A tile is
// two operands of mma.m16n8k16. A lane's 16 bytes of each operand are contiguous, so a warp reads a
// tile with two 16-byte loads per lane and no shuffles. Within a tile, input 8 t + i belongs to
// lane t of its group, so that the other operand (rows of activations) is also read 16 bytes at a
// time.
// Other types: [in][out], for the SIMT kernels.
// Quantised: quantised_weights.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/ops.h"
#include "kernels/weights.h"

namespace bifrons::cuda {

constexpr int64_t kTileOut = 16;
constexpr int64_t kTileIn = 32;

// Index of W[out][in], in elements; `steps` tiles cover the inputs.
constexpr int64_t tiled_index(int64_t out, int64_t in, int64_t steps) {
  const int64_t tile = out / kTileOut * steps + in / kTileIn;
  const int64_t group = out % 8, lower = out % kTileOut / 8;
  const int64_t t = in % kTileIn / 8, half = in % 8 / 4, pair = in % 4 / 2;
  const int64_t lane = group * 4 + t;
  return ((tile * 2 + half) * 32 + lane) * 8 + pair * 4 + lower * 2 + in % 2;
}

// Number of elements in the storage of a weight.
constexpr int64_t stored_elements(DType dtype, int64_t out, int64_t in) {
  if (dtype != DType::kBf16) return out * in;
  return (out + kTileOut - 1) / kTileOut * kTileOut * ((in + kTileIn - 1) / kTileIn * kTileIn);
}

enum class WeightOrder : uint8_t {
  kGemm,  // the layout above
  kRows,  // [out][in]
};

// Writes the stacked parts (row-major in host memory) into zero-filled `storage`. Input k of the
// result is input k % channels * taps + k / channels of a row. `taps` is 1 for a matrix; for a
// convolution it turns (in, kh, kw) into (kh, kw, in).
void lay_weights(Stream& s, const Tensor& storage, std::span<const HostArray> parts, int64_t taps,
                 WeightOrder order = WeightOrder::kGemm);

// The same for stacked quantised parts; `storage` has the bytes of quantised_storage().
void lay_quantised(Stream& s, const Tensor& storage, std::span<const QuantisedArray> parts);

// Bytes of a quantised weight with whole tiles.
constexpr int64_t quantised_storage(LinearFormat format, int64_t out, int64_t in) {
  const int64_t rows = (out + kTileOut - 1) / kTileOut * kTileOut;
  return rows * (value_bytes(format, in) + scale_bytes(format, in));
}

}  // namespace bifrons::cuda
