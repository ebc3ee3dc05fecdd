// Random matrices in poisoned memory, for the tests of linear layers.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace bifrons::linear_test {

inline float widened(const std::byte* at, DType dtype) {
  if (dtype == DType::kF32) {
    float x;
    std::memcpy(&x, at, sizeof x);
    return x;
  }
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return dtype == DType::kBf16 ? to_float(Bf16{bits}) : to_float(F16{bits});
}

// A weight matrix as in a file: it begins at an odd address, which safetensors allows.
class Weights {
 public:
  Weights(DType dtype, int64_t rows, int64_t cols, uint32_t seed)
      : bytes_(1 + rows * cols * size_of(dtype)), array_{bytes_.data() + 1, dtype, rows, cols} {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < rows * cols; ++i) {
      std::byte* to = bytes_.data() + 1 + i * size_of(dtype);
      const float x = normal(random);
      const Bf16 b = to_bf16(x);
      const F16 h{static_cast<uint16_t>(random() & 0xbfffu)};  // finite, subnormals included
      if (dtype == DType::kF32) std::memcpy(to, &x, 4);
      if (dtype == DType::kBf16) std::memcpy(to, &b, 2);
      if (dtype == DType::kF16) std::memcpy(to, &h, 2);
    }
  }

  const HostArray& array() const { return array_; }
  double at(int64_t row, int64_t col) const {
    return widened(array_.data + (row * array_.cols + col) * size_of(array_.dtype), array_.dtype);
  }

 private:
  std::vector<std::byte> bytes_;
  HostArray array_;
};

// A strided matrix in the middle of memory that is filled with NaN.
class GuardedMatrix {
 public:
  GuardedMatrix(DType dtype, int64_t rows, int64_t cols)
      : dtype_(dtype), pitch_(cols + 5), bytes_((rows + 2) * pitch_ * size_of(dtype)) {
    tensor_ = Tensor(bytes_.data() + pitch_ * size_of(dtype), dtype, {rows, cols});
    tensor_.pitch = pitch_;
    for (size_t i = 0; i < bytes_.size() / size_of(dtype); ++i) write(i, kTrap);
  }

  const Tensor& tensor() const { return tensor_; }
  float at(int64_t m, int64_t i) const {
    return widened(tensor_.row(m) + i * size_of(dtype_), dtype_);
  }
  void set(int64_t m, int64_t i, float x) { write((m + 1) * pitch_ + i, x); }
  void fill_random(uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (int64_t m = 0; m < tensor_.rows(); ++m) {
      for (int64_t i = 0; i < tensor_.cols(); ++i) set(m, i, normal(random));
    }
  }
  // Whether everything outside of the matrix is unchanged.
  bool guards_intact() const {
    for (int64_t i = 0; i < static_cast<int64_t>(bytes_.size()) / size_of(dtype_); ++i) {
      const int64_t m = i / pitch_ - 1;
      const bool inside = m >= 0 && m < tensor_.rows() && i % pitch_ < tensor_.cols();
      if (!inside && !std::isnan(widened(bytes_.data() + i * size_of(dtype_), dtype_)))
        return false;
    }
    return true;
  }
  bool same_row(int64_t m, const GuardedMatrix& other, int64_t other_m) const {
    return std::memcmp(tensor_.row(m), other.tensor_.row(other_m),
                       tensor_.cols() * size_of(dtype_)) == 0;
  }

 private:
  static constexpr float kTrap = std::numeric_limits<float>::quiet_NaN();

  void write(int64_t i, float x) {
    const Bf16 b = to_bf16(x);
    std::memcpy(bytes_.data() + i * size_of(dtype_),
                dtype_ == DType::kF32 ? static_cast<void*>(&x) : const_cast<Bf16*>(&b),
                size_of(dtype_));
  }

  DType dtype_;
  int64_t pitch_;
  std::vector<std::byte> bytes_;
  Tensor tensor_;
};

struct Types {
  DType weight;
  DType x;
  std::string name() const {
    return std::string(name_of(weight)) + " weights, " + std::string(name_of(x)) + " x";
  }
};

inline const std::vector<Types>& all_types() {
  static const std::vector<Types> all = {{DType::kF32, DType::kF32},   {DType::kBf16, DType::kF32},
                                         {DType::kF16, DType::kF32},   {DType::kF32, DType::kBf16},
                                         {DType::kBf16, DType::kBf16}, {DType::kF16, DType::kBf16}};
  return all;
}

}  // namespace bifrons::linear_test
