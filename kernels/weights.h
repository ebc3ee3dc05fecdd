// Weights in the layout that a backend needs, made once at load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/buffer.h"

namespace bifrons {

// A matrix or a flat array as it lies in a file: row-major, maybe unaligned, never cast.
struct HostArray {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
};

// y = x W^T + bias. W is [out, in] in its stored dtype, laid out in the order in which the
// backend's kernels read it.
struct Linear {
  Buffer storage;
  Buffer bias;  // f32 [out]; empty when there is none
  int64_t out = 0;
  int64_t in = 0;
  DType dtype = DType::kF32;
};

// Zero padding of a convolution.
enum class Padding : uint8_t {
  kNone,         // 1x1
  kSame,         // one pixel on every side, stride 1
  kRightBottom,  // one pixel right and bottom, stride 2: downsampling (docs/janus-pro.md 3.1)
};

// An NHWC convolution with bias.
struct Convolution {
  Buffer storage;
  Buffer bias;  // f32 [out]
  int64_t out = 0;
  int64_t in = 0;
  int64_t kernel = 3;  // 1 or 3
  Padding padding = Padding::kSame;
  DType dtype = DType::kF32;
  int64_t id = -1;  // key of the backend's cached plans for this convolution
};

// Scale (and shift) of a normalisation, widened to f32 exactly.
struct Norm {
  Buffer weight;  // f32 [n]
  Buffer bias;    // f32 [n]; empty for rms_norm
  int64_t size = 0;
};

// A table from which `gather` reads rows: [rows, cols] in its stored dtype.
struct Table {
  Buffer storage;
  int64_t rows = 0;
  int64_t cols = 0;
  DType dtype = DType::kF32;
  Tensor tensor() const { return storage.view(dtype, {rows, cols}); }
};

}  // namespace bifrons
