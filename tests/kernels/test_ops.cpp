// Every case of the table against the oracle.
#include <gtest/gtest.h>

#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

class Ops : public ::testing::TestWithParam<OpCase> {};

std::string name_of_case(const ::testing::TestParamInfo<OpCase>& info) { return info.param.name; }

TEST_P(Ops, AgreeWithTheOracle) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto backend = backend_under_test();
  EXPECT_EQ(check_case(GetParam(), *backend), "");
}

INSTANTIATE_TEST_SUITE_P(All, Ops, ::testing::ValuesIn(op_cases()), name_of_case);

}  // namespace
}  // namespace bifrons::testing
