// The order weights lie in on the card, and their way there.
//
// bf16: tiles of 16 outputs by 32 inputs, the inputs of an output tile one after another. A tile is
// two mma operands; a lane's 16 bytes of each are contiguous, so a warp streams a tile with two
// 16-byte loads a lane and no detour. Within a tile input 8 t + i belongs to lane t of its group,
// so that the other operand, rows of activations, is read 16 bytes at a time as well.
// Others: [in][out], for the plain kernels.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/ops.h"
#include "kernels/weights.h"

namespace bifrons::cuda {

constexpr int64_t kTileOut = 16;
constexpr int64_t kTileIn = 32;

// Where W[out][in] lies, in elements; `steps` tiles cover the inputs.
constexpr int64_t tiled_index(int64_t out, int64_t in, int64_t steps) {
  const int64_t tile = out / kTileOut * steps + in / kTileIn;
  const int64_t group = out % 8, lower = out % kTileOut / 8;
  const int64_t t = in % kTileIn / 8, half = in % 8 / 4, pair = in % 4 / 2;
  const int64_t lane = group * 4 + t;
  return ((tile * 2 + half) * 32 + lane) * 8 + pair * 4 + lower * 2 + in % 2;
}

// Elements that the storage of a weight takes.
constexpr int64_t stored_elements(DType dtype, int64_t out, int64_t in) {
  if (dtype != DType::kBf16) return out * in;
  return (out + kTileOut - 1) / kTileOut * kTileOut * ((in + kTileIn - 1) / kTileIn * kTileIn);
}

enum class WeightOrder : uint8_t {
  kGemm,  // as said above
  kRows,  // [out][in]
};

// Lays the stacked parts, row-major in host memory, into zero-filled `storage`. Input k of the
// result is input k % channels * taps + k / channels of a row: `taps` is 1 for a matrix, and for a
// convolution turns (in, kh, kw) into (kh, kw, in).
void lay_weights(Stream& s, const Tensor& storage, std::span<const HostArray> parts, int64_t taps,
                 WeightOrder order = WeightOrder::kGemm);

}  // namespace bifrons::cuda
