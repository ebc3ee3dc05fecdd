// Arena: counting without memory gives the same sizes and offsets as allocation.
#include <gtest/gtest.h>

#include "kernels/arena.h"
#include "kernels/backend.h"

namespace bifrons {
namespace {

std::vector<Tensor> taken_from(Arena& arena) {
  return {arena.take(DType::kF32, {3, 5}), arena.take(DType::kU8, {1}),
          arena.take(DType::kBf16, {2, 7, 4}), arena.take(DType::kI32, {0})};
}

TEST(Arena, TensorsFollowEachOtherAligned) {
  Arena counted;
  for (const Tensor& t : taken_from(counted)) EXPECT_EQ(t.data, nullptr);
  EXPECT_EQ(counted.bytes(), 64 + 64 + 128);

  const auto backend = make_cpu_backend(1);
  const Buffer buffer = backend->allocate(counted.bytes());
  Arena arena(buffer);
  int64_t end = 0;
  for (const Tensor& t : taken_from(arena)) {
    const int64_t begin = static_cast<std::byte*>(t.data) - static_cast<std::byte*>(buffer.data());
    EXPECT_GE(begin, end);
    EXPECT_EQ(begin % 64, 0);
    end = begin + t.bytes();
  }
  EXPECT_EQ(arena.bytes(), counted.bytes());
}

TEST(Arena, BytesOfALayout) {
  EXPECT_EQ(arena_bytes([](Arena& arena) { taken_from(arena); }), 64 + 64 + 128);
  EXPECT_EQ(arena_bytes([](Arena&) {}), 0);
}

TEST(Arena, ABufferThatIsTooSmallIsABrokenContract) {
  const auto backend = make_cpu_backend(1);
  const Buffer buffer = backend->allocate(64);
  Arena arena(buffer);
  arena.take(DType::kF32, {16});
  EXPECT_THROW(arena.take(DType::kU8, {1}), ContractError);
}

TEST(Tensor, TheFirstEntriesOfAVectorAndOfAMatrix) {
  float values[12] = {};
  const Tensor vector(values, DType::kF32, {12}), matrix(values, DType::kF32, {3, 4});
  EXPECT_EQ(vector.first(5).count(), 5);
  EXPECT_EQ(vector.first(5).rank, 1);
  EXPECT_EQ(matrix.first(2).rows(), 2);
  EXPECT_EQ(matrix.first(2).cols(), 4);
  EXPECT_THROW(matrix.first(4), ContractError);
}

}  // namespace
}  // namespace bifrons
