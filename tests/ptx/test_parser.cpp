// Parser for PTX: unknown input is refused and never runs with another meaning.
#include <gtest/gtest.h>

#include "tests/ptx/small_kernel.h"

namespace ptx {
namespace {

std::string refusal(const std::string& body) {
  Kernels kernels;
  try {
    parse_module(SmallKernel::module_of(body), "file.ptx", kernels);
  } catch (const ParseError& e) {
    return e.what();
  }
  return "none";
}

TEST(PtxParser, WhatIsNotKnownIsRefusedWithItsLine) {
  EXPECT_TRUE(finds(refusal("\n\nwgmma.fence.sync.aligned;"), "file.ptx:18: no such instruction"));
  for (const char* body :
       {"add.cc.u32 %r1, %r2, %r3;", "add.rz.f32 %f1, %f2, %f3;",
        "ld.volatile.global.u32 %r1, [%rd0];", "membar.cta;", "bar.sync 1;", "bar.sync 0, 64;",
        "cp.async.cg.shared.global [%r1], [%rd0], 8, 8;",
        "atom.global.cas.b32 %r1, [%rd0], %r2, %r3;", "mov.u32 %r1, %laneid;", "bra nowhere;",
        "add.s64 %rd1, %r2, %rd3;", "ld.local.u32 %r1, [%rd0];", "cvt.rni.s32.f32 %r1, %f1;"}) {
    EXPECT_NE(refusal(body), "none") << body;
  }
}

TEST(PtxParser, ParametersLieWhereTheirAlignmentPutsThem) {
  Kernels kernels;
  parse_module(
      ".visible .entry two(.param .u32 two_param_0, .param .align 8 .b8 two_param_1[24],\n"
      ".param .u8 two_param_2)\n.maxntid 16, 4, 1\n.minnctapersm 2\n{\nret;\n}\n",
      "file", kernels);
  const Kernel& kernel = kernels.at("two");
  ASSERT_EQ(kernel.parameters.size(), 3u);
  EXPECT_EQ(kernel.parameters[1].offset, 8u);
  EXPECT_EQ(kernel.parameters[1].bytes, 24u);
  EXPECT_EQ(kernel.parameters[2].offset, 32u);
  EXPECT_EQ(kernel.parameter_bytes, 33u);
  EXPECT_EQ(kernel.most_threads, 64);
}

// Module variables get memory in the kernels that use them. Dynamic shared memory follows them.
TEST(PtxParser, SharedVariablesHaveTheirPlaces) {
  Kernels kernels;
  parse_module(
      ".shared .align 4 .b8 unused[400];\n.shared .align 1 .u8 flag;\n"
      ".extern .shared .align 16 .b8 rest[];\n"
      ".entry k()\n{\n.reg .b32 %r<9>;\n.shared .align 8 .b8 own[12];\n"
      "mov.u32 %r1, flag;\nmov.u32 %r2, own;\nmov.u32 %r3, rest;\nst.shared.u32 [rest+4], %r3;\n"
      "ret;\n}\n",
      "file", kernels);
  const Kernel& kernel = kernels.at("k");
  EXPECT_EQ(kernel.static_shared, 32);  // 1, then 12 at 8, rounded up to 16n
  EXPECT_EQ(kernel.code[3].address.displacement, 36);
}

TEST(PtxParser, RegistersOfAScopeHideOthers) {
  SmallKernel small;
  EXPECT_EQ(small.run("setp.eq.u32 %p1, %r0, %r0;\n"
                      "{\n.reg .pred %p1;\nsetp.ne.u32 %p1, %r0, %r0;\n}\n"
                      "selp.b32 %r2, 5, 6, %p1;\nst.global.u32 [%rd0], %r2;",
                      threads(1)),
            "");
  EXPECT_EQ(small.data[0], 5u);
}

}  // namespace
}  // namespace ptx
