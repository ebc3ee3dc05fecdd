// main() of the test program. Without a GPU it runs a single test, which is skipped with the
// reason.
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
