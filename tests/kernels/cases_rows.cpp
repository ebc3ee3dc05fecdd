// Cases of the ops that work row by row, and of linear.
#include <fmt/format.h>

#include <cmath>

#include "tests/kernels/op_case.h"

namespace bifrons::testing {
namespace {

OpCase rms_norm_case(DType dtype, int64_t rows, int64_t cols, int64_t gap) {
  const auto x = [=] { return spread(1, rows * cols, dtype); };
  const auto weight = [=] { return spread(2, cols, DType::kF32); };
  const int64_t size = size_of(dtype);
  return {
      .name = fmt::format("rms_norm_{}_{}x{}_gap{}", name_of(dtype), rows, cols, gap),
      .op = Op::kRmsNorm,
      .prepare =
          [=](Backend& b, Operands& w) {
            w.in.emplace_back(b, dtype, std::vector{rows, cols}, x(), gap);
            w.out.emplace_back(b, dtype, std::vector{rows, cols}, Values{}, gap);
            w.norm = b.make_norm(HostValues(weight(), DType::kF32, 1, cols).array, nullptr);
          },
      .run = [](Backend& b,
                Operands& w) { b.rms_norm(w.out[0].tensor(), w.in[0].tensor(), w.norm, 1e-6); },
      .expect = [=] { return reference::rms_norm(x(), weight(), 1e-6, dtype); },
      // Two roundings; the first may go to the other side of a tie. In addition, half the rounding
      // errors of the sum of squares (16 or more partial sums, and their total), because of the
      // square root.
      .tolerance = {4 * half_step(dtype) + (cols / 16 + 48) / 2.0 * half_step(DType::kF32), 0.0},
      .bytes = 2 * rows * cols * size + 4 * cols,
      .flops = 4 * rows * cols};
}

OpCase layer_norm_case(DType dtype, int64_t rows, int64_t cols) {
  const auto x = [=] {
    Values values = spread(1, rows * cols, dtype);
    for (double& v : values) v = reference::rounded(v + 3.0, dtype);  // a mean far from zero
    return values;
  };
  const auto weight = [=] { return spread(2, cols, DType::kF32); };
  const auto bias = [=] { return spread(12, cols, DType::kF32); };
  return {
      .name = fmt::format("layer_norm_{}_{}x{}", name_of(dtype), rows, cols),
      .op = Op::kLayerNorm,
      .prepare =
          [=](Backend& b, Operands& w) {
            w.in.emplace_back(b, dtype, std::vector{rows, cols}, x(), kGap);
            w.out.emplace_back(b, dtype, std::vector{rows, cols}, Values{}, kGap);
            const HostValues shift(bias(), DType::kF32, 1, cols);
            w.norm = b.make_norm(HostValues(weight(), DType::kF32, 1, cols).array, &shift.array);
          },
      .run = [](Backend& b,
                Operands& w) { b.layer_norm(w.out[0].tensor(), w.in[0].tensor(), w.norm, 1e-6); },
      .expect = [=] { return reference::layer_norm(x(), weight(), bias(), 1e-6); },
      // The mean of numbers near 3 has an error of about 2^-23, which is divided by their spread.
      .tolerance = {half_step(dtype), 0x1p-18},
      .bytes = 2 * rows * cols * size_of(dtype) + 8 * cols,
      .flops = 8 * rows * cols};
}

OpCase gather_case(DType dtype, DType stored, int64_t cols) {
  const Values ids{3, 0, -7, 4, 3};
  const int64_t rows = 5, n = static_cast<int64_t>(ids.size());
  const auto table = [=] { return spread(3, rows * cols, stored); };
  return {.name = fmt::format("gather_{}_of_{}_{}", name_of(dtype), name_of(stored), cols),
          .op = Op::kGather,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.table = b.make_table(HostValues(table(), stored, rows, cols).array);
                w.in.emplace_back(b, DType::kI32, std::vector{n}, ids);
                w.out.emplace_back(b, dtype, std::vector{n, cols}, Values{}, kGap);
              },
          .run = [](Backend& b,
                    Operands& w) { b.gather(w.out[0].tensor(), w.table, w.in[0].tensor()); },
          .expect = [=] { return reference::gather(table(), cols, ids); },
          .tolerance = {half_step(dtype), 0.0},
          .bytes = n * cols * (size_of(dtype) + size_of(stored)) + 4 * n,
          .flops = 0};
}

OpCase swiglu_case(DType dtype, int64_t rows, int64_t half) {
  const auto x = [=] {
    Values values = spread(4, rows * 2 * half, dtype);
    for (double& v : values) v *= 8.0;
    values[0] = -100.0;  // its exponential overflows
    return values;
  };
  return {.name = fmt::format("swiglu_{}_{}x{}", name_of(dtype), rows, half),
          .op = Op::kSwiglu,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.in.emplace_back(b, dtype, std::vector{rows, 2 * half}, x(), kGap);
                w.out.emplace_back(b, dtype, std::vector{rows, half}, Values{}, kGap);
              },
          .run = [](Backend& b, Operands& w) { b.swiglu(w.out[0].tensor(), w.in[0].tensor()); },
          .expect = [=] { return reference::swiglu(x(), half, dtype); },
          .tolerance = {4 * half_step(dtype), 1e-30},
          .bytes = 3 * rows * half * size_of(dtype),
          .flops = 5 * rows * half};
}

OpCase gelu_case(DType dtype, int64_t rows, int64_t cols) {
  const auto x = [=] {
    Values values = spread(5, rows * cols, dtype);
    for (double& v : values) v *= 4.0;
    return values;
  };
  return {.name = fmt::format("gelu_{}_{}x{}", name_of(dtype), rows, cols),
          .op = Op::kGelu,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.in.emplace_back(b, dtype, std::vector{rows, cols}, x(), kGap);
                w.out.emplace_back(b, dtype, std::vector{rows, cols}, Values{}, kGap);
              },
          .run = [](Backend& b, Operands& w) { b.gelu(w.out[0].tensor(), w.in[0].tensor()); },
          .expect = [=] { return reference::gelu(x()); },
          // 1 + erf cancels on the left.
          .tolerance = {half_step(dtype) + 0x1p-22, 4 * 0x1p-23},
          .bytes = 2 * rows * cols * size_of(dtype),
          .flops = 5 * rows * cols};
}

OpCase guide_case(int64_t pictures, int64_t codes, int64_t rows = 2) {
  const auto logits = [=] { return spread(6, rows * pictures * codes, DType::kF32); };
  const auto scale = [=] { return spread(7, (rows - 1) * pictures, DType::kBf16); };
  return {
      .name = rows == 2 ? fmt::format("guide_{}x{}", pictures, codes)
                        : fmt::format("guide_{}x{}_of_{}_rows", pictures, codes, rows),
      .op = Op::kGuide,
      .prepare =
          [=](Backend& b, Operands& w) {
            w.in.emplace_back(b, DType::kF32, std::vector{rows * pictures, codes}, logits(), kGap);
            w.in.emplace_back(b, DType::kF32, std::vector{(rows - 1) * pictures}, scale());
            w.out.emplace_back(b, DType::kF32, std::vector{pictures, codes}, Values{}, kGap);
          },
      .run = [](Backend& b,
                Operands& w) { b.guide(w.out[0].tensor(), w.in[0].tensor(), w.in[1].tensor()); },
      .expect = [=] { return reference::guide(logits(), scale(), codes, rows); },
      .tolerance = {0.0, static_cast<double>(6 * (rows - 1)) * 0x1p-24},
      .bytes = 4 * ((rows + 1) * pictures * codes + (rows - 1) * pictures),
      .flops = 3 * (rows - 1) * pictures * codes};
}

OpCase advance_case(int64_t n) {
  return {.name = fmt::format("advance_{}", n),
          .op = Op::kAdvance,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.out.emplace_back(b, DType::kI32, std::vector{n}, Values(n, 41.0));
              },
          .run = [](Backend& b, Operands& w) { b.advance(w.out[0].tensor()); },
          .expect = [=] { return Values(n, 42.0); },
          .tolerance = {},
          .bytes = 8 * n,
          .flops = 0};
}

struct LinearSize {
  int64_t rows, out, in;
};

// Two stacked weights, with or without a bias. `wide`: y is f32, whatever the dtype of x.
OpCase linear_case(DType dtype, DType stored, LinearSize size, bool bias, bool add, bool wide) {
  const auto [rows, out, in] = size;
  const DType result = wide ? DType::kF32 : dtype;
  const int64_t first = (out + 1) / 2;
  const auto x = [=] { return spread(8, rows * in, dtype); };
  const auto weight = [=] { return spread(9, out * in, stored); };
  const auto shift = [=] { return bias ? spread(10, out, stored) : Values{}; };
  const auto start = [=] { return add ? spread(11, rows * out, result) : Values{}; };
  const auto prepare = [=](Backend& b, Operands& w) {
    const Values all = weight(), offsets = shift();
    const HostValues upper({all.begin(), all.begin() + first * in}, stored, first, in);
    const HostValues lower({all.begin() + first * in, all.end()}, stored, out - first, in);
    std::vector<HostArray> parts{upper.array}, biases;
    if (first < out) parts.push_back(lower.array);
    const HostValues flat(offsets, stored, 1, out);
    if (bias) {
      biases.push_back({flat.bytes.data(), stored, 1, first});
      if (first < out) {
        biases.push_back({flat.bytes.data() + first * size_of(stored), stored, 1, out - first});
      }
    }
    w.linear = b.make_linear(parts, biases);
    w.in.emplace_back(b, dtype, std::vector{rows, in}, x(), kGap);
    w.out.emplace_back(b, result, std::vector{rows, out}, start(), kGap);
  };
  // Sums of `in` products below 1: rounding of the sum, and with `add` also rounding of the
  // product.
  const double reach = 3.0 * std::sqrt(static_cast<double>(in));
  const double sum = 0x1p-24 * reach * reach + (add ? 2 * half_step(result) * reach : 0.0);
  return {
      .name = fmt::format("linear{}_{}_by_{}{}{}_{}x{}x{}", add ? "_add" : "", name_of(dtype),
                          name_of(stored), bias ? "_bias" : "", wide ? "_wide" : "", rows, out, in),
      .op = add ? Op::kLinearAdd : Op::kLinear,
      .prepare = prepare,
      .run =
          [=](Backend& b, Operands& w) {
            add ? b.linear_add(w.out[0].tensor(), w.in[0].tensor(), w.linear)
                : b.linear(w.out[0].tensor(), w.in[0].tensor(), w.linear);
          },
      .expect =
          [=] {
            return add ? reference::linear_add(start(), x(), weight(), shift(), in, out, dtype)
                       : reference::linear(x(), weight(), shift(), in, out);
          },
      .tolerance = {half_step(result), sum},
      .bytes = out * in * size_of(stored) + rows * in * size_of(dtype) +
               (add ? 2 : 1) * rows * out * size_of(result),
      .flops = 2 * rows * out * in + (add ? rows * out : 0)};
}

}  // namespace

std::vector<OpCase> row_cases() {
  std::vector<OpCase> cases;
  for (DType dtype : kActivations) {
    for (int64_t cols : {1, 15, 16, 17, 1009, 2048}) {
      cases.push_back(rms_norm_case(dtype, 3, cols, kGap));
      if (cols > 1) cases.push_back(layer_norm_case(dtype, 3, cols));
    }
    // Rows that consist of whole vectors.
    for (int64_t cols : {8, 2048, 4104}) cases.push_back(rms_norm_case(dtype, 3, cols, 8));
    for (int64_t cols : {1, 8, 31, 2048}) {
      for (DType stored : {DType::kF32, DType::kBf16, DType::kF16}) {
        cases.push_back(gather_case(dtype, stored, cols));
      }
    }
    for (int64_t half : {1, 31, 33, 5632}) cases.push_back(swiglu_case(dtype, 3, half));
    for (int64_t cols : {1, 31, 33, 4096}) cases.push_back(gelu_case(dtype, 3, cols));
  }
  for (int64_t codes : {1, 17, 16384}) cases.push_back(guide_case(3, codes));
  for (int64_t rows : {3, 5}) {
    for (int64_t codes : {1, 17, 16384}) cases.push_back(guide_case(4, codes, rows));
  }
  for (int64_t n : {1, 7, 64}) cases.push_back(advance_case(n));
  return cases;
}

std::vector<OpCase> linear_cases() {
  constexpr LinearSize kSizes[] = {{1, 1, 1},    {3, 31, 7},    {5, 33, 65},
                                   {9, 64, 129}, {17, 97, 256}, {2, 2048, 2048}};
  std::vector<OpCase> cases;
  for (const LinearSize& size : kSizes) {
    for (DType dtype : kActivations) {
      for (DType stored : {DType::kF32, DType::kBf16, DType::kF16}) {
        cases.push_back(linear_case(dtype, stored, size, true, false, false));
        cases.push_back(linear_case(dtype, stored, size, false, true, false));
        cases.push_back(linear_case(dtype, stored, size, false, false, true));
      }
    }
  }
  // As many rows as in a batch or a long prompt: with few tiles, and with many of the largest tile.
  for (const LinearSize& size : {LinearSize{70, 200, 65}, LinearSize{1025, 1030, 40}}) {
    cases.push_back(linear_case(DType::kBf16, DType::kBf16, size, true, false, false));
    cases.push_back(linear_case(DType::kBf16, DType::kBf16, size, false, true, false));
  }
  return cases;
}

}  // namespace bifrons::testing
