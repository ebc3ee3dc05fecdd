// The table of op cases: one op at one size each. Tests compare each case with the oracle.
#pragma once

#include <deque>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/guarded_tensor.h"

namespace bifrons::testing {

inline constexpr DType kActivations[] = {DType::kF32, DType::kBf16};
inline constexpr int64_t kGap = 5;  // poisoned elements between rows

// Operands of a call; they must live while it runs.
struct Operands {
  std::deque<GuardedTensor> in;   // must not change
  std::deque<GuardedTensor> out;  // compared with the expected values, in order
  Norm norm;
  Linear linear;
  Convolution convolution;
  Table table;
};

// |got - expected| <= absolute + relative |expected|
struct Tolerance {
  double relative = 0.0;
  double absolute = 0.0;
};

struct OpCase {
  std::string name;
  Op op = Op::kCount;
  std::function<void(Backend&, Operands&)> prepare;
  std::function<void(Backend&, Operands&)> run;
  std::function<Values()> expect;
  Tolerance tolerance;
  int64_t bytes = 0;
  int64_t flops = 0;
};

// Name of a case in the message of a failing test.
inline void PrintTo(const OpCase& op, std::ostream* out) { *out << op.name; }

// Half a rounding step of a dtype at 1, with a small margin for values on the edge.
double half_step(DType dtype);

std::vector<OpCase> row_cases();
std::vector<OpCase> linear_cases();
std::vector<OpCase> attention_cases();
std::vector<OpCase> sampling_cases();
std::vector<OpCase> vision_cases();
std::vector<OpCase> convolution_cases();

// All cases.
std::vector<OpCase> op_cases();

// Runs a case on a backend; returns the values of all outputs in order.
Values run_case(const OpCase& op, Backend& b);

// Describes the first difference in a bit of two results, NaN included; empty when there is none.
std::string difference(const Values& a, const Values& b);

// Runs a case and checks results, guards, inputs and the meter. Describes the first error; empty if
// there is none.
std::string check_case(const OpCase& op, Backend& b);

}  // namespace bifrons::testing
