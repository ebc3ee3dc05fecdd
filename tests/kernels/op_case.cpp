// Runs one case of the table.
#include "tests/kernels/op_case.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace bifrons::testing {
namespace {

Values outputs(const Operands& bench) {
  Values all;
  for (const GuardedTensor& out : bench.out) {
    const Values values = out.values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// Describes the element that is furthest outside the tolerance; empty when all are inside.
std::string worst_element(const Values& got, const Values& expected, const Tolerance& tolerance) {
  if (got.size() != expected.size()) {
    return fmt::format("{} values instead of {}", got.size(), expected.size());
  }
  double worst = 1.0;
  std::string words;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(got[i])) continue;
    if (got[i] == expected[i]) continue;
    const double allowed = tolerance.absolute + tolerance.relative * std::fabs(expected[i]);
    const double excess = std::fabs(got[i] - expected[i]) / allowed;
    if (excess <= worst) continue;  // false for NaN, so a NaN is reported
    worst = std::isnan(excess) ? INFINITY : excess;
    words = fmt::format("element {} is {} instead of {}; allowed {}, {:.3} times that", i, got[i],
                        expected[i], allowed, excess);
  }
  return words;
}

}  // namespace

double half_step(DType dtype) {
  const double half = dtype == DType::kBf16 ? 0x1p-8 : 0x1p-24;
  return 1.01 * half;
}

std::vector<OpCase> op_cases() {
  std::vector<OpCase> all;
  for (const auto& table : {row_cases(), linear_cases(), attention_cases(), sampling_cases(),
                            vision_cases(), convolution_cases()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

Values run_case(const OpCase& op, Backend& b) {
  Operands bench;
  op.prepare(b, bench);
  op.run(b, bench);
  return outputs(bench);
}

std::string difference(const Values& a, const Values& b) {
  if (a.size() != b.size()) return fmt::format("{} values and {}", a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<uint64_t>(a[i]) == std::bit_cast<uint64_t>(b[i])) continue;
    return fmt::format("element {} is {} and {}", i, a[i], b[i]);
  }
  return {};
}

std::string check_case(const OpCase& op, Backend& b) {
  Operands bench;
  op.prepare(b, bench);
  b.meter().reset();
  op.run(b, bench);
  const Meter::Count count = b.meter().of(op.op);
  for (size_t i = 0; i < bench.in.size(); ++i) {
    if (!bench.in[i].untouched()) return fmt::format("input {} was changed", i);
  }
  for (size_t i = 0; i < bench.out.size(); ++i) {
    if (!bench.out[i].guards_intact()) return fmt::format("wrote outside of output {}", i);
  }
  if (count.calls != 1 || b.meter().total().calls != 1) return "the meter counted other calls";
  // On a device attention counts the whole cache, because the host cannot read the positions.
  if (b.memory_space() == MemorySpace::kHost &&
      (count.bytes != op.bytes || count.flops != op.flops)) {
    return fmt::format("the meter counted {} bytes and {} operations instead of {} and {}",
                       count.bytes, count.flops, op.bytes, op.flops);
  }
  return worst_element(outputs(bench), op.expect(), op.tolerance);
}

}  // namespace bifrons::testing
