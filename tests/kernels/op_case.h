// The table of op cases: one op at one size each. Tests compare it with the oracle; the benchmark
// times the same calls.
#pragma once

#include <deque>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/guarded.h"

namespace bifrons::testing {

// What a call needs, alive as long as it runs.
struct Workbench {
  std::deque<Guarded> in;   // must stay untouched
  std::deque<Guarded> out;  // compared with what is expected, one after another
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
  std::function<void(Backend&, Workbench&)> prepare;
  std::function<void(Backend&, Workbench&)> run;
  std::function<Values()> expect;
  Tolerance tolerance;
  int64_t bytes = 0;
  int64_t flops = 0;
};

// What a failing test says of its case.
inline void PrintTo(const OpCase& op, std::ostream* out) { *out << op.name; }

// Half a step of a dtype beside 1, with a little room for values on the edge.
double half_step(DType dtype);

std::vector<OpCase> row_cases();
std::vector<OpCase> linear_cases();
std::vector<OpCase> attention_cases();
std::vector<OpCase> sampling_cases();
std::vector<OpCase> vision_cases();
std::vector<OpCase> convolution_cases();

// All of them.
std::vector<OpCase> op_cases();

// Runs a case on a backend; the outputs' values, one after another.
Values outcome(const OpCase& op, Backend& b);

// What is wrong when two results differ in a bit, NaN included; empty when they do not.
std::string difference(const Values& a, const Values& b);

// Runs a case and checks results, guards, inputs and the meter; the sentence of what is wrong, or
// nothing.
std::string verdict(const OpCase& op, Backend& b);

}  // namespace bifrons::testing
