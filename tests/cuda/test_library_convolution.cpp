// The library convolves what the visual tokenizer asks of it. Where it refuses, our own kernels do,
// more slowly and without a word; the cases of conv2d do not tell.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

TEST(LibraryConvolution, TakesTheShapesOfTheDecoder) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  if (cuda::LibraryConvolutions::name().empty()) GTEST_SKIP() << "built without cuDNN";
  cuda::CudaBackend b(0, false);
  cuda::LibraryConvolutions library;
  constexpr int64_t kSide = 24, kIn = 64, kOut = 128;
  const Buffer x = b.allocate(kSide * kSide * kIn * 2), y = b.allocate(kSide * kSide * kOut * 2);
  const Tensor from = x.view(DType::kBf16, {kSide, kSide, kIn});
  const Tensor to = y.view(DType::kBf16, {kSide, kSide, kOut});
  for (const int64_t kernel : {1, 3}) {
    const int64_t taps = kernel * kernel;
    const HostValues weight(spread(1, kOut * kIn * taps, DType::kBf16), DType::kBf16, kOut,
                            kIn * taps);
    const HostValues bias(spread(2, kOut, DType::kBf16), DType::kBf16, 1, kOut);
    const Convolution convolution = b.make_convolution(
        weight.array, bias.array, kernel, kernel == 3 ? Padding::kSame : Padding::kNone);
    for (const Tensor* residual : {static_cast<const Tensor*>(nullptr), &to}) {
      EXPECT_TRUE(library.run(b.on_card(), to, from, convolution, residual))
          << kernel << (residual ? " with a residual" : "");
    }
  }
  b.synchronize();
}

}  // namespace
}  // namespace bifrons::testing
