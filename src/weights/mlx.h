// Weights that MLX has quantised: packed integers with a scale and a bias for each group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dtype.h"
#include "src/io/directory.h"

namespace bifrons {

// Affine quantisation: an element is q * scale + bias, where q is an unsigned integer of `bits`
// bits, and `group` consecutive elements of a row share scale and bias.
struct MlxFormat {
  int64_t bits = 4;    // 4 or 8
  int64_t group = 64;  // 32, 64 or 128
  friend bool operator==(const MlxFormat&, const MlxFormat&) = default;
};

// The record of the formats: "quantization" in config.json, which mlx-lm and tLLM write. Which
// tensors are packed is told by the tensors that stand beside them.
struct MlxQuantization {
  MlxFormat format;
  std::map<std::string, MlxFormat, std::less<>> others;  // modules with a format of their own
  std::string where;                                     // file and field, for messages

  const MlxFormat& of(std::string_view module) const;
  // "MLX 4-bit"
  std::string name() const;
};

// Nothing where config.json is absent, is not JSON or has no "quantization". Throws Error (data):
// a format that is not read.
std::optional<MlxQuantization> read_mlx_quantization(const Directory& directory);

// A packed matrix [rows, columns]. Of a row, word i holds the elements from i * 32 / bits on, the
// first one in its lowest bits.
struct MlxMatrix {
  MlxFormat format;
  DType dtype = DType::kF16;  // of scales and biases
  int64_t rows = 0;
  int64_t columns = 0;

  int64_t words() const { return columns * format.bits / 32; }  // u32, of a row
  int64_t groups() const { return columns / format.group; }     // of a row
};

// Elements of whole rows in `matrix.dtype`: q * scale + bias, exact (but for bf16 and f32 with
// exponents far apart) and rounded once. The spans have the words, scales and biases of the same
// rows, little-endian. Returns the index of the first group whose scale, bias or elements are not
// finite; nullopt if all are.
std::optional<int64_t> dequantise(const MlxMatrix& matrix, std::span<const std::byte> words,
                                  std::span<const std::byte> scales,
                                  std::span<const std::byte> biases, std::span<std::byte> out);

}  // namespace bifrons
