// Memory: limits, alignment, uninitialised reads, cp.async, and waiting for earlier kernels.
#include <gtest/gtest.h>

#include "tests/ptx/small_kernel.h"

namespace ptx {
namespace {

TEST(PtxMemory, AccessesStayInsideOfAnArea) {
  SmallKernel small(4);
  EXPECT_EQ(small.run("ld.global.u32 %r2, [%rd0+28];", threads(1)), "");
  for (const char* body : {"ld.global.u32 %r2, [%rd0+32];", "st.global.u32 [%rd0+-4], %r0;",
                           "ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd0+32];"}) {
    EXPECT_TRUE(finds(small.run(body, threads(1)), "outside of all memory")) << body;
  }
  EXPECT_TRUE(finds(small.run("st.shared.u32 [dynamic+64], %r0;", threads(1, 64)),
                    "outside of the block's shared memory"));
  EXPECT_TRUE(finds(small.run("ld.param.u32 %r2, [small_param_0+8];", threads(1)),
                    "outside of the parameters"));
}

TEST(PtxMemory, AddressesAreMultiplesOfTheirSize) {
  SmallKernel small;
  EXPECT_EQ(small.run("ld.global.v2.u32 {%r2, %r3}, [%rd0+8];", threads(1)), "");
  EXPECT_TRUE(finds(small.run("ld.global.v2.u32 {%r2, %r3}, [%rd0+4];", threads(1)),
                    "not a multiple of its size"));
  EXPECT_TRUE(finds(small.run("st.shared.u32 [dynamic+2], %r0;", threads(1, 64)),
                    "not a multiple of its size"));
}

TEST(PtxMemory, SharedMemoryIsReadAfterItWasWritten) {
  SmallKernel small;
  const char* const kBoth = "st.shared.u32 [dynamic], %r0;\nld.shared.u32 %r2, [dynamic];";
  EXPECT_EQ(small.run(kBoth, threads(1, 64)), "");
  EXPECT_TRUE(finds(
      small.run("st.shared.u32 [dynamic], %r0;\nld.shared.u32 %r2, [dynamic+4];", threads(1, 64)),
      "never written"));
  // Shared memory of the previous block does not count as initialised either.
  LaunchShape two = threads(1, 64);
  two.blocks.x = 2;
  EXPECT_TRUE(finds(small.run("setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [dynamic], %r0;\n"
                              "@!%p1 ld.shared.u32 %r2, [dynamic];",
                              two),
                    "never written"));
}

TEST(PtxMemory, BytesAreFollowedOneByOne) {
  SmallKernel small;
  EXPECT_EQ(small.run("cvt.u64.u32 %rd1, %r0;\nadd.s64 %rd2, %rd0, %rd1;\n"
                      "st.global.u8 [%rd2], %r0;\nst.shared.u8 [dynamic], %r0;",
                      threads(1, 16)),
            "");
  EXPECT_EQ(small.run("cvt.u64.u32 %rd1, %r0;\nadd.s64 %rd2, %rd0, %rd1;\n"
                      "st.global.u8 [%rd2], %r0;",
                      threads(64)),
            "");
}

// Copies 16 bytes from the area to dynamic shared memory, and then runs `rest`.
std::string copied(const std::string& rest, int count = 1) {
  SmallKernel small;
  small.data[0] = 0x0000000200000001u;
  return small.run(
      "mov.u32 %r2, dynamic;\nshl.b32 %r3, %r0, 4;\nadd.s32 %r2, %r2, %r3;\n"
      "cp.async.cg.shared.global [%r2], [%rd0], 16, 16;\ncp.async.commit_group;\n" +
          rest,
      threads(count, 1024));
}

TEST(PtxMemory, CopiesHaveArrivedWhenTheyWereWaitedFor) {
  EXPECT_EQ(copied("cp.async.wait_group 0;\nld.shared.u32 %r4, [%r2+4];"), "");
  EXPECT_TRUE(finds(copied("ld.shared.u32 %r4, [%r2];\ncp.async.wait_group 0;"),
                    "cp.async is still copying"));
  EXPECT_TRUE(finds(copied("cp.async.wait_group 1;\nld.shared.u32 %r4, [%r2];\n"
                           "cp.async.wait_group 0;"),
                    "cp.async is still copying"));
  EXPECT_TRUE(finds(copied("st.shared.u32 [%r2], %r0;\ncp.async.wait_group 0;"),
                    "cp.async is still copying"));
  EXPECT_TRUE(finds(copied(""), "ends with cp.async on its way"));
}

// A wait covers only the thread's own copies. Other threads see them after a barrier.
TEST(PtxMemory, CopiesOfOthersNeedABarrier) {
  const std::string other =
      "xor.b32 %r5, %r0, 32;\nshl.b32 %r5, %r5, 4;\nmov.u32 %r6, dynamic;\n"
      "add.s32 %r6, %r6, %r5;\n";
  EXPECT_EQ(copied(other + "cp.async.wait_group 0;\nbar.sync 0;\nld.shared.u32 %r4, [%r6];", 64),
            "");
  EXPECT_NE(copied(other + "cp.async.wait_group 0;\nld.shared.u32 %r4, [%r6];", 64), "");
}

TEST(PtxMemory, ACopyWithoutASourceWritesZeros) {
  SmallKernel small;
  small.data[0] = ~uint64_t{0};
  EXPECT_EQ(small.run("mov.u32 %r2, dynamic;\nmov.u32 %r3, 0;\n"
                      "cp.async.cg.shared.global [%r2], [%rd0+4096], 16, %r3;\n"
                      "cp.async.commit_group;\ncp.async.wait_group 0;\n"
                      "ld.shared.u32 %r4, [%r2+12];\nst.global.u32 [%rd0], %r4;",
                      threads(1, 16)),
            "");
  EXPECT_EQ(small.as<uint32_t>()[0], 0u);
}

TEST(PtxMemory, ABlockAsksForMoreThan48Kibibytes) {
  SmallKernel small;
  LaunchShape shape = threads(1, 40 << 10);
  EXPECT_EQ(small.run("", shape), "");
  EXPECT_TRUE(finds(small.run(".shared .align 4 .b8 own[16384];\nst.shared.u32 [own], %r0;", shape),
                    "more shared memory than was asked for"));
  shape.asked_shared = 64 << 10;
  EXPECT_EQ(small.run(".shared .align 4 .b8 own[16384];\nst.shared.u32 [own], %r0;", shape), "");
}

// Runs a kernel that may begin early (PDL), after a kernel that writes the area's second word.
std::string early(const std::string& body, int blocks = 1) {
  SmallKernel small;
  const std::function<void()> before = [&] {
    small.start("st.global.u32 [%rd0+8], 5;", threads(1));
  };
  LaunchShape shape = threads(1);
  shape.blocks.x = blocks;
  return small.run(body, shape, &before);
}

TEST(PtxMemory, WhatEarlierKernelsWriteIsTouchedAfterTheWait) {
  EXPECT_EQ(early("ld.global.u32 %r2, [%rd0];\ngriddepcontrol.wait;\nld.global.u32 %r3, [%rd0+8];"),
            "");
  EXPECT_TRUE(finds(early("ld.global.u32 %r2, [%rd0+8];\ngriddepcontrol.wait;"),
                    "reads before griddepcontrol.wait"));
  EXPECT_TRUE(finds(early("st.global.u32 [%rd0], %r0;\ngriddepcontrol.wait;"),
                    "writes before griddepcontrol.wait"));
  EXPECT_TRUE(finds(early("ld.global.u32 %r2, [%rd0];"), "ends without griddepcontrol.wait"));
}

TEST(PtxMemory, EveryBlockWaitsForEarlierKernels) {
  const std::string body = "setp.eq.u32 %p1, %r1, 0;\n@%p1 griddepcontrol.wait;\n";
  EXPECT_TRUE(finds(early(body + "ld.global.u32 %r2, [%rd0+8];", 3), "before griddepcontrol.wait"));
  EXPECT_TRUE(finds(early(body, 3), "ends without griddepcontrol.wait"));
}

}  // namespace
}  // namespace ptx
