// cuDNN accepts the convolutions of the visual tokenizer and computes them correctly. If it refused
// one, our kernels would compute it, more slowly and without a message; the op cases of conv2d
// would not reveal that.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

constexpr DType kType = DType::kBf16;

struct Shape {
  int64_t side, in, out, kernel;
};

// A map on the GPU, filled with numbers.
struct Map {
  Map(Backend& b, uint32_t seed, int64_t side, int64_t channels)
      : values(spread(seed, side * side * channels, kType), kType, side * side, channels),
        buffer(b.allocate(side * side * channels * size_of(kType))),
        tensor(buffer.view(kType, {side, side, channels})) {
    b.upload(tensor, values.array.data);
  }
  HostValues values;
  Buffer buffer;
  Tensor tensor;
};

std::vector<float> values_of(Backend& b, const Tensor& tensor) {
  std::vector<uint16_t> bits(tensor.count());
  b.download(bits.data(), tensor);
  std::vector<float> values;
  for (const uint16_t each : bits) values.push_back(to_float(Bf16{each}));
  return values;
}

class LibraryConvolution : public ::testing::TestWithParam<Shape> {};

TEST_P(LibraryConvolution, AgreesWithOurOwn) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  if (cuda::CudnnConvolutions::name().empty()) GTEST_SKIP() << "built without cuDNN";
  const auto [side, in, out, kernel] = GetParam();
  cuda::CudaBackend b(0, false, std::nullopt);
  cuda::CudnnConvolutions library;
  const int64_t terms = in * kernel * kernel;
  const HostValues weight(spread(1, out * terms, kType), kType, out, terms);
  const HostValues bias(spread(2, out, kType), kType, 1, out);
  const Convolution convolution = b.make_convolution(weight.array, bias.array, kernel,
                                                     kernel == 3 ? Padding::kSame : Padding::kNone);
  const Map x(b, 3, side, in), residual(b, 4, side, out);
  const Map theirs(b, 5, side, out), ours(b, 6, side, out);
  for (const Tensor* added : {static_cast<const Tensor*>(nullptr), &residual.tensor}) {
    ASSERT_TRUE(library.run(b.on_card(), theirs.tensor, x.tensor, convolution, added));
    cuda::convolution(b.on_card(), ours.tensor, x.tensor, convolution, added);
    const std::vector<float> a = values_of(b, theirs.tensor), c = values_of(b, ours.tensor);
    // Both sums are f32, in different orders. Each term adds an error of one f32 step of the
    // partial sum, which is about as large as the largest result. Both sums are rounded to bf16,
    // ours before the residual (at most 1) is added as well.
    double largest = 0;
    for (const float each : c) largest = std::max(largest, std::fabs(double{each}));
    const double order = 2.0 * static_cast<double>(terms) * 0x1p-23 * largest;
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a[i], c[i], order + 0x1p-7 * (std::fabs(a[i]) + 1.0)) << "at " << i;
    }
  }
}

TEST(CudnnConvolutions, RefusesMapsThatBeginBetweenVectors) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  if (cuda::CudnnConvolutions::name().empty()) GTEST_SKIP() << "built without cuDNN";
  cuda::CudaBackend b(0, false, std::nullopt);
  cuda::CudnnConvolutions library;
  const HostValues weight(spread(1, 64, kType), kType, 8, 8),
      bias(spread(2, 8, kType), kType, 1, 8);
  const Convolution convolution = b.make_convolution(weight.array, bias.array, 1, Padding::kNone);
  const Buffer buffer = b.allocate(4096);
  const Tensor x = buffer.view(kType, {4, 4, 8}, size_of(kType));
  EXPECT_FALSE(
      library.run(b.on_card(), buffer.view(kType, {4, 4, 8}, 2048), x, convolution, nullptr));
}

INSTANTIATE_TEST_SUITE_P(TheDecodersShapes, LibraryConvolution,
                         ::testing::Values(Shape{24, 256, 512, 3}, Shape{24, 512, 512, 3},
                                           Shape{24, 512, 512, 1}, Shape{48, 512, 512, 3},
                                           Shape{96, 512, 256, 3}, Shape{96, 512, 256, 1},
                                           Shape{384, 128, 128, 3}));

}  // namespace
}  // namespace bifrons::testing
