// Quantisation of weight matrices on the host: round to nearest, for int4 with a search of the
// scale that errs least.
#pragma once

#include <memory>
#include <span>

#include "kernels/weights.h"

namespace bifrons {

// Quantises matrices on a number of threads; 0 takes the cores of this process. The result does not
// depend on the threads nor on the machine.
class Quantiser {
 public:
  explicit Quantiser(int threads = 0);
  ~Quantiser();
  Quantiser(const Quantiser&) = delete;
  Quantiser& operator=(const Quantiser&) = delete;

  // Writes the integers and the scales of `matrix` (f32, bf16 or f16; its columns are a multiple of
  // group_of(format)) in the order of QuantisedArray: value_bytes() and scale_bytes() for each row.
  // int8: scale = max|w| / 127. int4: of 28 scales around max|w| / 8, of both signs, the one with
  // the least squared error. Returns whether all elements are finite; if not, the result is not
  // defined.
  bool quantise(const HostArray& matrix, LinearFormat format, std::span<std::byte> values,
                std::span<std::byte> scales);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons
