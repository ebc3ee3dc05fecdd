// Random quantised matrices in the order of files, for the tests of quantised linear layers.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/support/guarded_tensor.h"

namespace bifrons::testing {

class QuantisedWeights {
 public:
  // Integers of the whole range, scales of either sign around 0.01.
  QuantisedWeights(LinearFormat format, int64_t rows, int64_t cols, uint32_t seed)
      : values_(rows * value_bytes(format, cols)), scales_(rows * scale_bytes(format, cols)) {
    std::mt19937 random(seed);
    for (std::byte& b : values_) b = static_cast<std::byte>(random());
    for (size_t i = 0; i < scales_.size(); i += 2) {
      const float sign = random() % 2 == 0 ? 0.01f : -0.01f;
      set_scale(i / 2, sign * (0.5f + static_cast<float>(random() % 1000) / 1000.0f));
    }
    array_ = {values_.data(), scales_.data(), format, rows, cols};
  }
  QuantisedWeights(const QuantisedWeights&) = delete;
  QuantisedWeights& operator=(const QuantisedWeights&) = delete;

  void set_scale(size_t i, float scale) {
    const Bf16 stored = to_bf16(scale);
    std::memcpy(scales_.data() + 2 * i, &stored, 2);
  }
  void fill(std::byte value) { std::fill(values_.begin(), values_.end(), value); }
  const QuantisedArray& array() const { return array_; }
  Linear linear(Backend& b) const { return b.make_quantised_linear({&array_, 1}, {}); }

 private:
  std::vector<std::byte> values_, scales_;
  QuantisedArray array_;
};

// The product of x [rows, in] as one kernel computes it.
inline Values product(Backend& b, const Linear& linear, DType dtype, const Values& x,
                      int64_t rows) {
  const GuardedTensor from(b, dtype, {rows, linear.in}, x, 5);
  const GuardedTensor to(b, DType::kF32, {rows, linear.out}, {}, 5);
  b.linear(to.tensor(), from.tensor(), linear);
  return to.guards_intact() && from.untouched() ? to.values() : Values{};
}

}  // namespace bifrons::testing
