// Every case of the table against the oracle.
#include <gtest/gtest.h>

#include "tests/kernels/op_case.h"

namespace bifrons::testing {
namespace {

class Ops : public ::testing::TestWithParam<OpCase> {};

std::string name_of_case(const ::testing::TestParamInfo<OpCase>& info) { return info.param.name; }

TEST_P(Ops, AgreeWithTheOracle) {
  const auto backend = make_cpu_backend(2);
  EXPECT_EQ(verdict(GetParam(), *backend), "");
}

INSTANTIATE_TEST_SUITE_P(Cpu, Ops, ::testing::ValuesIn(op_cases()), name_of_case);

}  // namespace
}  // namespace bifrons::testing
