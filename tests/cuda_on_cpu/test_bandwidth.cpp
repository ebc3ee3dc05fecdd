// The kernel that measures a GPU's bandwidth reads its whole buffer once per pass; otherwise it
// throws.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include "kernels/read_bandwidth.h"
#include "tests/support/under_test.h"

namespace bifrons {

std::unique_ptr<ReadBandwidth> make_cuda_on_cpu_read_bandwidth(Backend& backend, int64_t bytes);

namespace {

// One vector, fewer and more than a block reads at once, and several rounds of several blocks.
TEST(ReadBandwidth, ReadsEveryWord) {
  const auto b = testing::backend_under_test();
  for (int64_t pieces : {1, 3, 255, 257, 2047, 2048, 2049, 5000, 13001}) {
    EXPECT_GT(make_cuda_on_cpu_read_bandwidth(*b, 16 * pieces)->measure(), 0) << pieces;
  }
  const auto probe = make_cuda_on_cpu_read_bandwidth(*b, 16 * 4099 + 15);
  for (int i = 0; i < 2; ++i) EXPECT_GT(probe->measure(), 0) << "again";
}

TEST(ReadBandwidth, UsesAtMostAQuarterOfFreeMemory) {
  cuda_on_cpu::machine().memory = 1 << 20;
  const auto b = testing::backend_under_test();
  const auto probe = make_cuda_on_cpu_read_bandwidth(*b, kBandwidthBytes);
  EXPECT_GE(*b->free_bytes(), (3 << 20) / 4 - 1024);
  EXPECT_GT(probe->measure(), 0);
  cuda_on_cpu::machine() = {};
}

TEST(ReadBandwidth, IsOfACudaBackend) {
  EXPECT_THROW(make_cuda_on_cpu_read_bandwidth(*make_cpu_backend(1), 64), ContractError);
}

}  // namespace
}  // namespace bifrons
