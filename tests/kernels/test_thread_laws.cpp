// The number of threads does not change the result of any CPU op.
#include <gtest/gtest.h>

#include "tests/kernels/op_case.h"

namespace bifrons::testing {
namespace {

TEST(OpLaws, OneThreadEqualsMany) {
  const auto one = make_cpu_backend(1), two = make_cpu_backend(2), five = make_cpu_backend(5);
  for (const OpCase& op : op_cases()) {
    const Values alone = run_case(op, *one);
    EXPECT_EQ(difference(alone, run_case(op, *two)), "") << op.name;
    EXPECT_EQ(difference(alone, run_case(op, *five)), "") << op.name;
  }
}

}  // namespace
}  // namespace bifrons::testing
