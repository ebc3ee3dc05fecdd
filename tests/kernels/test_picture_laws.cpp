// Several pictures in one call of an op: each has the bits that it has alone, also beside a picture
// of NaN.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

constexpr int64_t kMostPictures = 5;

// An op that maps P pictures (or sequences) to P results.
struct PictureOp {
  std::string name;
  std::vector<int64_t> from, to;  // shapes of one
  DType result;
  // `residual` is like y.
  std::function<void(Backend&, const Tensor& y, const Tensor& x, const Tensor& residual)> run;
};

int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t n = 1;
  for (const int64_t each : shape) n *= each;
  return n;
}

std::vector<int64_t> several(int64_t pictures, std::vector<int64_t> shape) {
  if (pictures > 0) shape.insert(shape.begin(), pictures);
  return shape;
}

// The results of `pictures` in one call; 0: one picture without a leading dimension.
Values results_of(const PictureOp& op, Backend& b, DType dtype, int64_t pictures, const Values& x,
                  const Values& residual) {
  const GuardedTensor from(b, dtype, several(pictures, op.from), x);
  const GuardedTensor added(b, dtype, several(pictures, op.to), residual);
  const GuardedTensor to(b, op.result, several(pictures, op.to));
  op.run(b, to.tensor(), from.tensor(), added.tensor());
  EXPECT_TRUE(to.guards_intact()) << op.name << " " << pictures;
  EXPECT_TRUE(from.untouched()) << op.name << " " << pictures;
  return to.values();
}

Values values_of_picture(const Values& values, int64_t index, int64_t size) {
  return {values.begin() + index * size, values.begin() + (index + 1) * size};
}

void expect_pictures_alone(const PictureOp& op, Backend& b, DType dtype) {
  const int64_t in = element_count(op.from), out = element_count(op.to);
  Values x = spread(51, kMostPictures * in, dtype),
         residual = spread(52, kMostPictures * out, dtype);
  for (const bool with_nan : {false, true}) {
    // All of picture 1 is NaN: whatever reads across pictures spreads it.
    if (with_nan) std::fill_n(x.begin() + in, in, NAN);
    std::vector<Values> alone;
    for (int64_t p = 0; p < kMostPictures; ++p) {
      alone.push_back(results_of(op, b, dtype, 0, values_of_picture(x, p, in),
                                 values_of_picture(residual, p, out)));
    }
    EXPECT_NE(difference(alone[0], alone[2]), "") << op.name << ": the pictures must differ";
    for (int64_t n = 1; n <= kMostPictures; ++n) {
      const Values some(x.begin(), x.begin() + n * in);
      const Values added(residual.begin(), residual.begin() + n * out);
      const Values together = results_of(op, b, dtype, n, some, added);
      for (int64_t p = 0; p < n; ++p) {
        EXPECT_EQ(difference(values_of_picture(together, p, out), alone[p]), "")
            << op.name << " " << name_of(dtype) << ", picture " << p << " of " << n
            << (with_nan ? " beside NaN" : "");
      }
    }
  }
}

// Convolutions for which no library has a kernel, so that a GPU uses ours: its promise is that of
// every op. cuDNN's is checked where it is used (vision/networks/vq_together.h).
struct LawShape {
  int64_t height, width, in, out, kernel;
  Padding padding;
};
constexpr LawShape kConvolutions[] = {{9, 7, 16, 20, 3, Padding::kSame},          // vectors
                                      {5, 6, 5, 3, 3, Padding::kSame},            // elements
                                      {4, 9, 24, 12, 1, Padding::kNone},          // 1x1
                                      {6, 8, 16, 16, 3, Padding::kRightBottom}};  // stride 2

TEST(PictureLaws, ConvolutionsDoNotDependOnOtherPictures) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  for (const auto& b : backends_under_test()) {
    for (const LawShape& shape : kConvolutions) {
      const int64_t taps = shape.in * shape.kernel * shape.kernel;
      const int64_t stride = shape.padding == Padding::kRightBottom ? 2 : 1;
      for (const DType stored : {DType::kF32, DType::kBf16}) {
        const HostValues weight(spread(53, shape.out * taps, stored), stored, shape.out, taps);
        const HostValues bias(spread(54, shape.out, stored), stored, 1, shape.out);
        const Convolution convolution =
            b->make_convolution(weight.array, bias.array, shape.kernel, shape.padding);
        for (const DType dtype : kActivations) {
          PictureOp op{fmt::format("conv2d {}to{}", shape.in, shape.out),
                       {shape.height, shape.width, shape.in},
                       {shape.height / stride, shape.width / stride, shape.out},
                       dtype,
                       [&](Backend& on, const Tensor& y, const Tensor& x, const Tensor&) {
                         on.conv2d(y, x, convolution);
                       }};
          expect_pictures_alone(op, *b, dtype);
          op.name += " add";
          op.run = [&](Backend& on, const Tensor& y, const Tensor& x, const Tensor& residual) {
            on.conv2d_add(y, x, convolution, residual);
          };
          expect_pictures_alone(op, *b, dtype);
        }
      }
    }
  }
}

TEST(PictureLaws, NormsAndUpsamplingDoNotDependOnOtherPictures) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  for (const auto& b : backends_under_test()) {
    for (const DType dtype : kActivations) {
      for (const int64_t channels : {32, 12}) {
        const HostValues weight(spread(55, channels, DType::kF32), DType::kF32, 1, channels);
        const HostValues bias(spread(56, channels, DType::kF32), DType::kF32, 1, channels);
        const Norm norm = b->make_norm(weight.array, &bias.array);
        // 273 pixels: chunks of two, the last one shorter.
        const std::vector<int64_t> shape{21, 13, channels};
        for (const bool silu : {false, true}) {
          expect_pictures_alone(
              {fmt::format("group_norm {} {}", channels, silu), shape, shape, dtype,
               [&](Backend& on, const Tensor& y, const Tensor& x, const Tensor&) {
                 on.group_norm(y, x, norm, 4, 1e-6, silu);
               }},
              *b, dtype);
        }
        expect_pictures_alone({fmt::format("upsample2x {}", channels),
                               {5, 3, channels},
                               {10, 6, channels},
                               dtype,
                               [](Backend& on, const Tensor& y, const Tensor& x, const Tensor&) {
                                 on.upsample2x(y, x);
                               }},
                              *b, dtype);
      }
    }
  }
}

// q, k and v as columns of one tensor, as networks have them.
TEST(PictureLaws, FullAttentionDoesNotDependOnOtherSequences) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  for (const auto& b : backends_under_test()) {
    for (const DType dtype : kActivations) {
      for (const auto& [n, channels, heads] :
           {std::tuple{21, 16, 1}, std::tuple{9, 10, 1}, std::tuple{21, 48, 3}}) {
        expect_pictures_alone({fmt::format("full_attention {}x{} {}", n, channels, heads),
                               {n, 3 * channels},
                               {n, channels},
                               dtype,
                               [&](Backend& on, const Tensor& y, const Tensor& x, const Tensor&) {
                                 const auto columns = [&](int64_t first) {
                                   Tensor t = y;
                                   t.data = x.as<std::byte>() + first * size_of(x.dtype);
                                   t.pitch = x.pitch;
                                   return t;
                                 };
                                 on.full_attention(y, columns(0), columns(channels),
                                                   columns(2 * channels), heads);
                               }},
                              *b, dtype);
      }
    }
  }
}

TEST(PictureLaws, PixelsAndWhatIsNotFiniteBelongToOnePicture) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  for (const auto& b : backends_under_test()) {
    for (const DType dtype : kActivations) {
      constexpr int64_t kSide = 7, kOne = kSide * kSide * 3;
      Values x = spread(57, kMostPictures * kOne, dtype);
      x[kOne] = NAN;               // the first element of picture 1
      x[5 * kOne - 1] = INFINITY;  // the last one of picture 4
      Values flags(kMostPictures, 0);
      flags[2] = 1;  // of an earlier call; it stays
      for (int64_t n = 1; n <= kMostPictures; ++n) {
        const Values some(x.begin(), x.begin() + n * kOne);
        const GuardedTensor from(*b, dtype, {n, kSide, kSide, 3}, some);
        const GuardedTensor to(*b, DType::kU8, {n, kSide, kSide, 3});
        const GuardedTensor bad(*b, DType::kI32, {n}, Values(flags.begin(), flags.begin() + n));
        b->to_pixels(to.tensor(), from.tensor(), bad.tensor());
        EXPECT_TRUE(to.guards_intact() && bad.guards_intact());
        const Values expected{0, 1, 1, 0, 1};
        EXPECT_EQ(bad.values(), Values(expected.begin(), expected.begin() + n));
        for (int64_t p = 0; p < n; ++p) {
          const GuardedTensor one(*b, dtype, {kSide, kSide, 3}, values_of_picture(x, p, kOne));
          const GuardedTensor pixels(*b, DType::kU8, {kSide, kSide, 3});
          const GuardedTensor word(*b, DType::kI32, {1}, {0});
          b->to_pixels(pixels.tensor(), one.tensor(), word.tensor());
          EXPECT_EQ(values_of_picture(to.values(), p, kOne), pixels.values()) << p << " of " << n;
          EXPECT_EQ(word.values()[0], p == 1 || p == 4 ? 1 : 0);
        }
      }
    }
  }
}

// Shapes that do not fit are refused, not computed.
TEST(PictureLaws, NumbersOfPicturesThatDoNotFitAreRefused) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  const Buffer x = b->allocate(4096), y = b->allocate(4096), flags = b->allocate(64);
  const auto maps = [](const Buffer& of, std::initializer_list<int64_t> shape) {
    return of.view(DType::kF32, shape);
  };
  EXPECT_THROW(b->upsample2x(maps(y, {3, 4, 4, 1}), maps(x, {2, 2, 2, 1})), ContractError);
  EXPECT_THROW(b->upsample2x(maps(y, {1, 4, 4, 1}), maps(x, {2, 2, 1})), ContractError);
  const HostValues weight(Values{1.0}, DType::kF32, 1, 1), bias(Values{0.0}, DType::kF32, 1, 1);
  const Convolution one = b->make_convolution(weight.array, bias.array, 1, Padding::kNone);
  EXPECT_THROW(b->conv2d(maps(y, {3, 2, 2, 1}), maps(x, {2, 2, 2, 1}), one), ContractError);
  EXPECT_THROW(b->conv2d(maps(y, {1, 2, 2, 1}), maps(x, {2, 2, 1}), one), ContractError);
  const Tensor pixels = y.view(DType::kU8, {2, 2, 2, 3});
  EXPECT_THROW(b->to_pixels(pixels, maps(x, {2, 2, 2, 3}), flags.view(DType::kI32, {1})),
               ContractError);
  b->to_pixels(pixels, maps(x, {2, 2, 2, 3}), flags.view(DType::kI32, {2}));
}

}  // namespace
}  // namespace bifrons::testing
