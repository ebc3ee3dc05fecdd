// Weights in the layout that a backend needs, made once at load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/buffer.h"

namespace bifrons {

// A matrix or a flat array as it lies in a file: row-major, maybe unaligned, never cast.
struct HostArray {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
};

// How the matrix of a Linear is kept: in the floating-point type of its file, or quantised:
// integers q, with one scale for each group of consecutive k of one output row; w = scale * q
// (docs/quantization.md).
enum class LinearFormat : uint8_t { kStored, kInt8, kInt4 };

// Consecutive k that share a scale; `in` of a quantised Linear is a multiple of it.
constexpr int64_t group_of(LinearFormat format) { return format == LinearFormat::kInt4 ? 32 : 128; }

constexpr std::string_view name_of(LinearFormat format) {
  return format == LinearFormat::kInt4 ? "int4" : format == LinearFormat::kInt8 ? "int8" : "stored";
}

// Bytes of the integers of one row, and of its scales.
constexpr int64_t value_bytes(LinearFormat format, int64_t in) {
  return format == LinearFormat::kInt4 ? in / 2 : in;
}
constexpr int64_t scale_bytes(LinearFormat format, int64_t in) { return in / group_of(format) * 2; }

// A quantised matrix as it lies in a file, row-major. int8: q from -128 to 127, one byte each.
// int4: q + 8, from 0 to 15; of two neighbouring k the even one is the low half of a byte. Scales:
// bf16, finite, [rows, cols / group_of(format)].
struct QuantisedArray {
  const std::byte* values = nullptr;
  const std::byte* scales = nullptr;
  LinearFormat format = LinearFormat::kInt8;
  int64_t rows = 0;
  int64_t cols = 0;
};

// y = x W^T + bias. W is [out, in] in its stored dtype or quantised, laid out in the order in which
// the backend's kernels read it.
struct Linear {
  Buffer storage;
  Buffer bias;  // f32 [out]; empty when there is none
  int64_t out = 0;
  int64_t in = 0;
  DType dtype = DType::kF32;  // of a matrix that is not quantised
  LinearFormat format = LinearFormat::kStored;

  // Bytes of the matrix, scales included, without padding.
  int64_t matrix_bytes() const {
    if (format == LinearFormat::kStored) return out * in * size_of(dtype);
    return out * (value_bytes(format, in) + scale_bytes(format, in));
  }
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
