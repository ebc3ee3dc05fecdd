// A captured step (CUDA graph capture) gives the same as the step itself, at every run.
#include <gtest/gtest.h>

#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

// The step itself advances the id, so every run reads another row.
TEST(CapturedStep, RunsReadCurrentDeviceMemory) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  const HostValues rows({10, 11, 20, 21, 30, 31}, DType::kF32, 3, 2);
  const Table table = b->make_table(rows.array);
  const GuardedTensor ids(*b, DType::kI32, {1}, {0}), x(*b, DType::kF32, {1, 2}, {0, 0});
  const auto captured = b->capture([&] {
    b->gather(x.tensor(), table, ids.tensor());
    b->advance(ids.tensor());
  });
  for (double first : {10.0, 20.0, 30.0}) {
    captured->run();
    b->synchronize();
    EXPECT_EQ(x.values(), (Values{first, first + 1}));
  }
  EXPECT_EQ(ids.values(), Values{3});
}

TEST(CapturedStep, AnEmptyStepBreaksTheContract) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  EXPECT_THROW(backend_under_test()->capture(nullptr), ContractError);
}

}  // namespace
}  // namespace bifrons::testing
