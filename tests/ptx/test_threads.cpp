// Threads: divergence and reconvergence, barriers, exchange within a warp, and the matrix product.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/ptx/small_kernel.h"

namespace ptx {
namespace {

constexpr const char* kOwnWord = "mul.wide.u32 %rd1, %r0, 4;\nadd.s64 %rd2, %rd0, %rd1;\n";

// Each thread counts up to its own number in a loop, so the loops have different lengths.
TEST(PtxThreads, LoopsOfDifferentLengths) {
  for (const uint64_t seed : {1, 2, 3}) {
    SmallKernel small(64, seed);
    EXPECT_EQ(
        small.run(std::string(kOwnWord) +
                      "mov.u32 %r2, 0;\nmov.u32 %r3, 0;\n$again:\n"
                      "add.s32 %r2, %r2, 3;\nadd.s32 %r3, %r3, 1;\nsetp.le.u32 %p1, %r3, %r0;\n"
                      "@%p1 bra $again;\nst.global.u32 [%rd2], %r2;",
                  threads(100)),
        "");
    for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(small.as<uint32_t>()[i], 3 * (i + 1));
  }
}

TEST(PtxThreads, BarriersCount) {
  SmallKernel small;
  EXPECT_EQ(
      small.run(std::string(kOwnWord) + "and.b32 %r2, %r0, 3;\nsetp.eq.u32 %p1, %r2, 0;\n"
                                        "bar.red.popc.u32 %r3, 0, %p1;\nst.global.u32 [%rd2], %r3;",
                threads(70)),
      "");
  for (int i = 0; i < 70; ++i) EXPECT_EQ(small.as<uint32_t>()[i], 18u);
}

TEST(PtxThreads, AllMeetAtOneBarrier) {
  SmallKernel small;
  const std::string parted =
      "setp.lt.u32 %p1, %r0, 32;\n@%p1 bra $one;\nbar.sync 0;\nbra $end;\n"
      "$one:\nbar.sync 0;\n$end:\n";
  EXPECT_TRUE(finds(small.run(parted, threads(64)), "different barriers"));
  EXPECT_EQ(small.run("setp.lt.u32 %p1, %r0, 32;\n@%p1 ret;\nbar.sync 0;", threads(64)), "");
}

TEST(PtxThreads, LanesThatWaitInVainAreFound) {
  SmallKernel small;
  EXPECT_TRUE(
      finds(small.run("setp.lt.u32 %p1, %r0, 8;\n@%p1 bra $one;\nbar.warp.sync 4294967295;\n"
                      "bra $end;\n$one:\nbar.warp.sync 4294967295;\n$end:\n",
                      threads(32)),
            "different places"));
  EXPECT_TRUE(
      finds(small.run("setp.lt.u32 %p1, %r0, 8;\n@%p1 bra $one;\nbar.warp.sync 4294967295;\n"
                      "bra $end;\n$one:\nbar.sync 0;\n$end:\n",
                      threads(32)),
            "different places"));
}

TEST(PtxThreads, ShufflesAndTheirMasks) {
  SmallKernel small;
  const auto shuffle = [&](const std::string& line, int count) {
    return small.run(kOwnWord + line + "\nst.global.u32 [%rd2], %r3;", threads(count));
  };
  EXPECT_EQ(shuffle("shfl.sync.bfly.b32 %r3|%p1, %r0, 5, 31, -1;", 64), "");
  for (uint32_t i = 0; i < 64; ++i) EXPECT_EQ(small.as<uint32_t>()[i], i ^ 5);
  EXPECT_EQ(shuffle("shfl.sync.idx.b32 %r3|%p1, %r0, 7, 31, -1;", 32), "");
  EXPECT_EQ(small.as<uint32_t>()[30], 7u);
  EXPECT_TRUE(finds(shuffle("shfl.sync.bfly.b32 %r3|%p1, %r0, 1, 31, 65535;", 32), "mask"));
  EXPECT_TRUE(finds(shuffle("setp.lt.u32 %p2, %r0, 4;\n@%p2 ret;\n"
                            "shfl.sync.idx.b32 %r3|%p1, %r0, 2, 31, -1;",
                            32),
                    "lane that has left"));
}

// D = A B + C with small integers, which bf16 holds exactly.
TEST(PtxThreads, MatrixProduct) {
  SmallKernel small(512);
  float a[16][16], b[16][8];
  const auto bf16 = [](float x) { return std::bit_cast<uint32_t>(x) >> 16; };
  const auto pair = [&](float low, float high) { return bf16(high) << 16 | bf16(low); };
  for (int r = 0; r < 16; ++r) {
    for (int k = 0; k < 16; ++k) a[r][k] = static_cast<float>((3 * r + 5 * k) % 11 - 4);
  }
  for (int k = 0; k < 16; ++k) {
    for (int n = 0; n < 8; ++n) b[k][n] = static_cast<float>((7 * k + 2 * n) % 9 - 3);
  }
  auto* words = small.as<uint32_t>();  // words by [lane][16]: 4 of a, 2 of b, 4 of c
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4 * 2;
    uint32_t* mine = words + 16 * lane;
    mine[0] = pair(a[g][t], a[g][t + 1]);
    mine[1] = pair(a[g + 8][t], a[g + 8][t + 1]);
    mine[2] = pair(a[g][t + 8], a[g][t + 9]);
    mine[3] = pair(a[g + 8][t + 8], a[g + 8][t + 9]);
    mine[4] = pair(b[t][g], b[t + 1][g]);
    mine[5] = pair(b[t + 8][g], b[t + 9][g]);
    for (int e = 0; e < 4; ++e) mine[6 + e] = std::bit_cast<uint32_t>(static_cast<float>(e));
  }
  std::string body = "mul.wide.u32 %rd1, %r0, 64;\nadd.s64 %rd2, %rd0, %rd1;\n";
  for (int w = 0; w < 10; ++w) {
    body +=
        "ld.global.u32 %r" + std::to_string(10 + w) + ", [%rd2+" + std::to_string(4 * w) + "];\n";
  }
  body +=
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r20, %r21, %r22, %r23}, "
      "{%r10, %r11, %r12, %r13}, {%r14, %r15}, {%r16, %r17, %r18, %r19};\n"
      "st.global.v4.u32 [%rd2], {%r20, %r21, %r22, %r23};";
  EXPECT_EQ(small.run(body, threads(32)), "");
  for (int lane = 0; lane < 32; ++lane) {
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + e / 2 * 8, n = lane % 4 * 2 + e % 2;
      float sum = static_cast<float>(e);
      for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][n];
      EXPECT_EQ(std::bit_cast<float>(words[16 * lane + e]), sum) << lane << " " << e;
    }
  }
  EXPECT_TRUE(finds(small.run(body, threads(16)), "needs all lanes"));
}

}  // namespace
}  // namespace ptx
