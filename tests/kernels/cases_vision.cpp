// Cases of the ops that work on pictures.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "tests/kernels/op_case.h"

namespace bifrons::testing {
namespace {

using reference::Size;

OpCase group_norm_case(DType dtype, Size size, int64_t channels, int64_t groups, bool silu) {
  const int64_t n = size.height * size.width * channels;
  const std::vector shape{size.height, size.width, channels};
  const auto x = [=] {
    Values values = spread(41, n, dtype);
    // A mean far from zero must not cost precision.
    for (double& v : values) v = reference::rounded(v + 3.0, dtype);
    return values;
  };
  const auto weight = [=] { return spread(42, channels, DType::kF32); };
  const auto bias = [=] { return spread(43, channels, DType::kF32); };
  return {
      .name = fmt::format("group_norm{}_{}_{}x{}x{}_in_{}", silu ? "_silu" : "", name_of(dtype),
                          size.height, size.width, channels, groups),
      .op = Op::kGroupNorm,
      .prepare =
          [=](Backend& b, Operands& w) {
            const HostValues shift(bias(), DType::kF32, 1, channels);
            w.norm =
                b.make_norm(HostValues(weight(), DType::kF32, 1, channels).array, &shift.array);
            w.in.emplace_back(b, dtype, shape, x());
            w.out.emplace_back(b, dtype, shape);
          },
      .run =
          [=](Backend& b, Operands& w) {
            b.group_norm(w.out[0].tensor(), w.in[0].tensor(), w.norm, groups, 1e-6, silu);
          },
      .expect =
          [=] { return reference::group_norm(x(), weight(), bias(), groups, 1e-6, silu, dtype); },
      .tolerance = {(silu ? 4 : 1) * half_step(dtype) + 1e-6, 2e-6},
      .bytes = 3 * n * size_of(dtype) + 8 * channels,
      .flops = (silu ? 9 : 5) * n};
}

OpCase upsample_case(DType dtype, Size size, int64_t channels) {
  const std::vector shape{size.height, size.width, channels};
  const int64_t n = size.height * size.width * channels;
  const auto x = [=] { return spread(44, n, dtype); };
  return {
      .name =
          fmt::format("upsample2x_{}_{}x{}x{}", name_of(dtype), size.height, size.width, channels),
      .op = Op::kUpsample2x,
      .prepare =
          [=](Backend& b, Operands& w) {
            w.in.emplace_back(b, dtype, shape, x());
            w.out.emplace_back(b, dtype, std::vector{2 * size.height, 2 * size.width, channels});
          },
      .run = [](Backend& b, Operands& w) { b.upsample2x(w.out[0].tensor(), w.in[0].tensor()); },
      .expect = [=] { return reference::upsample2x(x(), size, channels); },
      .tolerance = {},
      .bytes = 5 * n * size_of(dtype),
      .flops = 0};
}

// `odd` is a NaN or infinity, if given. It is in the last element. The other values include all
// edges of the clamp.
OpCase pixels_case(DType dtype, int64_t height, int64_t width, std::optional<double> odd = {}) {
  const auto x = [=] {
    Values values = spread(45, height * width * 3, dtype);
    for (double& v : values) v = reference::rounded(v * 1.2, dtype);
    const Values edges{-1, 1, 0, 1e30, -1e30, 3e38, -3e38, 1e-40, -1.0078125, 0.9921875};
    for (size_t i = 0; i < std::min(edges.size(), values.size()); ++i) {
      values[i] = reference::rounded(edges[i], dtype);
    }
    if (odd) values.back() = *odd;
    return values;
  };
  const int64_t n = height * width * 3;
  const char* suffix = !odd ? "" : std::isnan(*odd) ? "_nan" : *odd > 0 ? "_inf" : "_minus_inf";
  return {.name = fmt::format("to_pixels_{}_{}x{}{}", name_of(dtype), height, width, suffix),
          .op = Op::kToPixels,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.in.emplace_back(b, dtype, std::vector<int64_t>{height, width, 3}, x());
                w.out.emplace_back(b, DType::kU8, std::vector<int64_t>{height, width, 3});
                w.out.emplace_back(b, DType::kI32, std::vector<int64_t>{1});
              },
          .run =
              [](Backend& b, Operands& w) {
                const int32_t none = 0;
                b.upload(w.out[1].tensor(), &none);
                b.to_pixels(w.out[0].tensor(), w.in[0].tensor(), w.out[1].tensor());
              },
          .expect =
              [=] {
                Values values = reference::to_pixels(x());
                values.push_back(odd ? 1 : 0);
                return values;
              },
          .tolerance = {},
          .bytes = n * (size_of(dtype) + 1),
          .flops = 4 * n};
}

struct Shape {
  Size size;
  int64_t in, out, kernel;
  Padding padding;
};

OpCase convolution_case(DType dtype, DType stored, const Shape& shape, bool add) {
  const auto [size, in, out, kernel, padding] = shape;
  const int64_t stride = padding == Padding::kRightBottom ? 2 : 1;
  const int64_t height = size.height / stride, width = size.width / stride;
  const int64_t taps = in * kernel * kernel, n = height * width * out;
  const auto x = [=] { return spread(46, size.height * size.width * in, dtype); };
  const auto weight = [=] { return spread(47, out * taps, stored); };
  const auto bias = [=] { return spread(48, out, stored); };
  const auto residual = [=] { return add ? spread(49, n, dtype) : Values{}; };
  const auto prepare = [=](Backend& b, Operands& w) {
    w.convolution = b.make_convolution(HostValues(weight(), stored, out, taps).array,
                                       HostValues(bias(), stored, 1, out).array, kernel, padding);
    w.in.emplace_back(b, dtype, std::vector{size.height, size.width, in}, x());
    if (add) w.in.emplace_back(b, dtype, std::vector{height, width, out}, residual());
    w.out.emplace_back(b, dtype, std::vector{height, width, out});
  };
  const auto run = [=](Backend& b, Operands& w) {
    const Tensor &y = w.out[0].tensor(), &from = w.in[0].tensor();
    add ? b.conv2d_add(y, from, w.convolution, w.in[1].tensor()) : b.conv2d(y, from, w.convolution);
  };
  const double reach = 3.0 * std::sqrt(static_cast<double>(taps));
  const std::string_view kind = kernel == 1 ? "1x1" : stride == 2 ? "halving" : "3x3";
  return {.name = fmt::format("conv2d{}_{}_{}_by_{}_{}x{}_{}to{}", add ? "_add" : "", kind,
                              name_of(dtype), name_of(stored), size.height, size.width, in, out),
          .op = add ? Op::kConv2dAdd : Op::kConv2d,
          .prepare = prepare,
          .run = run,
          .expect =
              [=] {
                return reference::conv2d(x(), weight(), bias(), residual(), size, in, out, kernel,
                                         padding, dtype);
              },
          .tolerance = {half_step(dtype),
                        0x1p-24 * reach * reach + (add ? 2 * half_step(dtype) * reach : 0.0)},
          .bytes = out * taps * (stored == DType::kBf16 ? 2 : 4) +  // f16 is stored as f32
                   size.height * size.width * in * size_of(dtype) +
                   (add ? 2 : 1) * n * size_of(dtype),
          .flops = 2 * height * width * out * taps + (add ? n : 0)};
}

}  // namespace

std::vector<OpCase> vision_cases() {
  std::vector<OpCase> cases;
  for (DType dtype : kActivations) {
    for (bool silu : {false, true}) {
      cases.push_back(group_norm_case(dtype, {1, 1}, 2, 1, silu));
      cases.push_back(group_norm_case(dtype, {3, 5}, 12, 4, silu));
      cases.push_back(group_norm_case(dtype, {11, 93}, 32, 32, silu));  // one under a chunk
      cases.push_back(group_norm_case(dtype, {7, 71}, 66, 3, silu));    // one over
      cases.push_back(group_norm_case(dtype, {5, 13}, 160, 2, silu));   // a group in two blocks
      cases.push_back(group_norm_case(dtype, {67, 97}, 32, 4, silu));
      cases.push_back(group_norm_case(dtype, {24, 24}, 512, 32, silu));
      cases.push_back(group_norm_case(dtype, {53, 47}, 128, 32, silu));
    }
    for (const Size& size : {Size{1, 1}, Size{3, 7}, Size{24, 24}}) {
      for (int64_t channels : {1, 5, 64}) cases.push_back(upsample_case(dtype, size, channels));
    }
    cases.push_back(pixels_case(dtype, 1, 1));
    cases.push_back(pixels_case(dtype, 7, 5));
    cases.push_back(pixels_case(dtype, 192, 192));
    for (const double odd : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
      cases.push_back(pixels_case(dtype, 7, 5, odd));
    }
  }
  return cases;
}

std::vector<OpCase> convolution_cases() {
  const Padding same = Padding::kSame, none = Padding::kNone, half = Padding::kRightBottom;
  const Shape shapes[] = {
      {{1, 1}, 1, 1, 3, same},     {{1, 1}, 3, 2, 1, none},     {{2, 2}, 1, 1, 3, half},
      {{3, 5}, 3, 31, 3, same},    {{7, 9}, 5, 33, 1, none},    {{6, 10}, 7, 32, 3, half},
      {{17, 8}, 16, 64, 3, same},  {{9, 16}, 64, 8, 1, none},   {{16, 18}, 32, 32, 3, half},
      {{19, 23}, 32, 3, 3, same},  {{24, 24}, 8, 256, 1, none}, {{24, 24}, 64, 128, 3, same},
      {{40, 97}, 16, 16, 3, same},
  };
  std::vector<OpCase> cases;
  for (const Shape& shape : shapes) {
    for (DType dtype : kActivations) {
      for (DType stored : {DType::kF32, DType::kBf16, DType::kF16}) {
        cases.push_back(convolution_case(dtype, stored, shape, false));
        cases.push_back(convolution_case(dtype, stored, shape, true));
      }
    }
  }
  return cases;
}

}  // namespace bifrons::testing
