// Races: every way to order two accesses, and the finding without it.
#include <gtest/gtest.h>

#include "tests/ptx/small_kernel.h"

namespace ptx {
namespace {

std::string ran(const std::string& body, int count, int blocks = 1) {
  SmallKernel small;
  LaunchShape shape = threads(count, 1024);
  shape.blocks.x = blocks;
  return small.run(body, shape);
}

// Each thread writes its word of shared memory and reads the word of thread %r0 ^ `other`.
std::string exchange(int other, const std::string& between) {
  return "shl.b32 %r2, %r0, 2;\nmov.u32 %r3, dynamic;\nadd.s32 %r4, %r3, %r2;\nxor.b32 %r5, %r0, " +
         std::to_string(other) +
         ";\nshl.b32 %r5, %r5, 2;\nadd.s32 %r5, %r3, %r5;\nst.shared.u32 [%r4], %r0;\n" + between +
         "\nld.shared.u32 %r6, [%r5];\n";
}

TEST(PtxOrder, ThreadsOfABlockNeedABarrier) {
  EXPECT_EQ(ran(exchange(32, "bar.sync 0;"), 64), "");
  EXPECT_TRUE(finds(ran(exchange(32, "bar.warp.sync -1;"), 64), "another thread may still write"));
  EXPECT_FALSE(ran(exchange(32, ""), 64).empty());
}

TEST(PtxOrder, LanesOfAWarpNeedOneAsWell) {
  EXPECT_EQ(ran(exchange(1, "bar.warp.sync -1;"), 32), "");
  EXPECT_EQ(ran(exchange(0, ""), 32), "");  // reads its own word
  EXPECT_TRUE(finds(ran(exchange(1, ""), 32), "another thread may still write"));
}

// A write after a read of another thread needs a barrier between them.
TEST(PtxOrder, WritingWaitsForReaders) {
  const std::string again = "st.shared.u32 [%r4], %r6;\n";
  EXPECT_EQ(ran(exchange(32, "bar.sync 0;") + "bar.sync 0;\n" + again, 64), "");
  EXPECT_TRUE(finds(ran(exchange(32, "bar.sync 0;") + again, 64), "may still read"));
}

// Several threads read a word, and one of them writes it. The write must be ordered after all
// reads.
TEST(PtxOrder, AllReadersCount) {
  const std::string all_read =
      "setp.eq.u32 %p1, %r0, 0;\n@%p1 st.shared.u32 [dynamic], %r0;\n"
      "bar.sync 0;\nld.shared.u32 %r2, [dynamic];\n";
  EXPECT_EQ(ran(all_read + "bar.sync 0;\n@%p1 st.shared.u32 [dynamic], %r2;", 64), "");
  EXPECT_FALSE(ran(all_read + "@%p1 st.shared.u32 [dynamic], %r2;", 64).empty());
}

TEST(PtxOrder, AtomicsMayMeetEachOtherOnly) {
  const std::string clear =
      "setp.eq.u32 %p1, %r0, 0;\nmov.u32 %r3, 0;\n"
      "@%p1 st.shared.u32 [dynamic], %r3;\n";
  const std::string add = "atom.shared.add.u32 %r2, [dynamic], 1;\n";
  EXPECT_EQ(ran(clear + "bar.sync 0;\n" + add + "bar.sync 0;\nld.shared.u32 %r2, [dynamic];", 64),
            "");
  EXPECT_FALSE(ran(clear + add, 64).empty());
  EXPECT_FALSE(ran(clear + "bar.sync 0;\n" + add + "ld.shared.u32 %r2, [dynamic];", 64).empty());
}

TEST(PtxOrder, BlocksAreInNoOrder) {
  const std::string one_writes = "setp.eq.u32 %p1, %r1, 1;\n@%p1 st.global.u32 [%rd0], %r0;\n";
  EXPECT_EQ(ran(one_writes, 1, 4), "");
  EXPECT_TRUE(finds(ran(one_writes + "@!%p1 ld.global.u32 %r2, [%rd0];", 1, 4), "another block"));
  EXPECT_FALSE(ran("ld.global.u32 %r2, [%rd0];\n" + one_writes, 1, 4).empty());
}

// Last-block reduction: each block writes its words and arrives at a counter. The last block reads
// the words of all blocks and adds them up.
struct LastBlock {
  std::string fence = "membar.gl;\n", barrier = "bar.sync 0;\n", then = "bar.sync 0;\n",
              acquire = "membar.gl;\n";

  std::string body() const {
    return "mov.u32 %r20, %ntid.x;\nmad.lo.s32 %r2, %r1, %r20, %r0;\nmul.wide.u32 %rd1, %r2, 4;\n"
           "add.s64 %rd2, %rd0, %rd1;\nst.global.u32 [%rd2+16], %r0;\n" +
           fence + barrier +
           "setp.ne.u32 %p1, %r0, 0;\n@%p1 bra $others;\n"
           "atom.global.add.u32 %r3, [%rd0], 1;\nst.shared.u32 [dynamic], %r3;\n$others:\n" +
           then + "ld.shared.u32 %r4, [dynamic];\nsetp.ne.u32 %p2, %r4, 2;\n@%p2 ret;\n" + acquire +
           "mul.wide.u32 %rd3, %r0, 4;\nadd.s64 %rd4, %rd0, %rd3;\nld.global.u32 %r5, [%rd4+16];\n"
           "ld.global.u32 %r6, [%rd4+272];\nld.global.u32 %r7, [%rd4+528];\n";
  }
  std::string found() const {
    std::string all;
    for (const uint64_t seed : {1, 2, 3, 4}) {
      SmallKernel small(256, seed);
      LaunchShape shape = threads(64, 16);
      shape.blocks.x = 3;
      all += small.run(body(), shape);
    }
    return all;
  }
};

TEST(PtxOrder, CountersWithFencesOrderBlocks) {
  EXPECT_EQ(LastBlock{}.found(), "");
  EXPECT_TRUE(finds(LastBlock{.fence = ""}.found(), "without a fence after the block's results"));
  EXPECT_TRUE(
      finds(LastBlock{.barrier = ""}.found(), "without a barrier after the block's results"));
  EXPECT_TRUE(finds(LastBlock{.then = ""}.found(), "another thread"));
  EXPECT_TRUE(finds(LastBlock{.acquire = ""}.found(), "without a fence after the counter"));
}

// One fence of one thread can serve the whole block: after the barrier to publish, before the
// barrier to acquire.
TEST(PtxOrder, OneFenceServesABlock) {
  const std::string by_one = "bar.sync 0;\nmembar.gl;\n";
  EXPECT_EQ((LastBlock{.fence = "", .barrier = by_one}.found()), "");
  EXPECT_EQ((LastBlock{.then = "@!%p1 membar.gl;\nbar.sync 0;\n", .acquire = ""}.found()), "");
}

TEST(PtxOrder, TheReadOnlyPathIsForWhatNobodyWrites) {
  const std::string write =
      "setp.eq.u32 %p1, %r0, 0;\n@%p1 st.global.u32 [%rd0], %r0;\nbar.sync 0;\n";
  EXPECT_EQ(ran(write + "ld.global.u32 %r2, [%rd0];", 64), "");
  EXPECT_TRUE(finds(ran(write + "ld.global.nc.u32 %r2, [%rd0];", 64), "read-only path"));
}

}  // namespace
}  // namespace ptx
