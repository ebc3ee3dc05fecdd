// The program's own main: where no GPU answers there is one test, which says why it is skipped.
#include <gtest/gtest.h>

#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

TEST(Gpu, Answers) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
}

}  // namespace
}  // namespace bifrons::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (!bifrons::testing::no_backend_because().empty()) GTEST_FLAG_SET(filter, "Gpu.Answers");
  return RUN_ALL_TESTS();
}
