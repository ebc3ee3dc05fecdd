// Code shared by both implementations of convolution: sizes, bands of rows, conversion of weights.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/tensor.h"
#include "kernels/weights.h"

namespace bifrons::cpu {

// Geometry along one axis.
struct Taps {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t before = 1;  // zeros before the first element

  explicit Taps(const Convolution& weight)
      : kernel(weight.kernel),
        stride(weight.padding == Padding::kRightBottom ? 2 : 1),
        before(weight.padding == Padding::kSame ? 1 : 0) {}
};

// Consecutive output rows and the input rows that they depend on.
struct Band {
  int64_t first = 0;        // output row
  int64_t rows = 0;         // output rows
  int64_t input_first = 0;  // first input row inside the picture
  int64_t input_rows = 0;   // input rows inside the picture
  int64_t above = 0;        // rows of zeros above them
  int64_t below = 0;        // rows of zeros below them
};

// Cuts a picture of `height` input and `out_height` output rows into bands. A small picture gives
// at least eight bands, so that threads can share it. A big one gives bands of about `pixels`
// pixels, which stay in a core's cache.
std::vector<Band> cut_bands(const Taps& taps, int64_t height, int64_t out_height, int64_t out_width,
                            int64_t pixels);

// Element i of an array in a file, converted to f32 exactly.
float widened(const HostArray& array, int64_t i);

// A bias [1, n] as f32 [n].
Buffer widened_bias(const HostArray& bias);

// to[i] = round(to[i] + residual[i]) for n elements of a dtype.
void add_in_place(void* to, const void* residual, DType dtype, int64_t n);

}  // namespace bifrons::cpu
