// A backend like a library that has another kernel for some numbers of pictures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/pictures.h"
#include "tests/support/forwarding_backend.h"

namespace bifrons::testing {

// Of the convolution `in`, one sum in a hundred rounds differently in its last bit when it has one
// of `numbers` pictures. `inner` computes on the host.
class OtherSums final : public ForwardingBackend {
 public:
  OtherSums(Backend& inner, std::vector<int64_t> numbers)
      : ForwardingBackend(inner), inner_(inner), numbers_(std::move(numbers)) {}

  const Convolution* in = nullptr;

 private:
  void do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                 const Tensor* residual) override {
    residual ? inner_.conv2d_add(y, x, weight, *residual) : inner_.conv2d(y, x, weight);
    if (&weight != in) return;
    const int64_t pictures = picture_count(x);
    if (std::find(numbers_.begin(), numbers_.end(), pictures) == numbers_.end()) return;
    for (int64_t i = 0; i < y.count(); i += 100) {
      if (y.dtype == DType::kF32) {
        y.as<uint32_t>()[i] ^= 1;
      } else {
        y.as<uint16_t>()[i] ^= 1;
      }
    }
  }

  Backend& inner_;
  const std::vector<int64_t> numbers_;
};

}  // namespace bifrons::testing
