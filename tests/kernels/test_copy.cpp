// Copies within a backend's memory change the requested rows and nothing else.
#include <gtest/gtest.h>

#include "tests/support/guarded_tensor.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

TEST(Copy, TakesRowsThatLieApart) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  for (DType dtype : {DType::kF32, DType::kBf16, DType::kI32}) {
    const GuardedTensor from(*b, dtype, {3, 4}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23});
    const GuardedTensor to(*b, dtype, {2, 5}, Values(10, 7));
    b->copy(to.tensor().slice_cols(1, 3), from.tensor().slice_rows(1, 2).slice_cols(0, 3));
    EXPECT_EQ(to.values(), (Values{7, 10, 11, 12, 7, 7, 20, 21, 22, 7}));
  }
}

TEST(Copy, ShapesAndTypesMustAgree) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  const GuardedTensor a(*b, DType::kF32, {2, 3}, Values(6, 0)),
      c(*b, DType::kF32, {3, 2}, Values(6, 0));
  const GuardedTensor d(*b, DType::kI32, {2, 3}, Values(6, 0));
  EXPECT_THROW(b->copy(a.tensor(), c.tensor()), ContractError);
  EXPECT_THROW(b->copy(a.tensor(), d.tensor()), ContractError);
}

}  // namespace
}  // namespace bifrons::testing
