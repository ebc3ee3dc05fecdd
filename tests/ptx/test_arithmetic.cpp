// Single instructions. The expected results are worked out by hand from the PTX manual.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/ptx/small_kernel.h"

namespace ptx {
namespace {

uint64_t bits(float x) { return std::bit_cast<uint32_t>(x); }
uint64_t bits(double x) { return std::bit_cast<uint64_t>(x); }

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

struct Case {
  const char* text;  // writes y; reads a, b and c
  uint64_t a, b, c, expected;
};

// "ra" after a blank or a brace stands for a in a 32-bit register; the other letters likewise.
std::string body_of(const std::string& text) {
  static const std::map<char, std::string> kPrefix = {
      {'r', "%r"}, {'d', "%rd"}, {'s', "%rs"}, {'f', "%f"}, {'g', "%fd"}};
  const std::string names = "yabc", before = " {", after = ",;}";
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = i > 0 && before.find(text[i - 1]) != before.npos && i + 1 < text.size();
    const size_t name = begins ? names.find(text[i + 1]) : names.npos;
    const bool ends = i + 2 >= text.size() || after.find(text[i + 2]) != after.npos;
    if (name == names.npos || !ends || kPrefix.count(text[i]) == 0) {
      result += text[i];
      continue;
    }
    result += kPrefix.at(text[i]) + std::to_string(10 + name);
    ++i;
  }
  return "ld.global.u64 %rd11, [%rd0+8];\nld.global.u64 %rd12, [%rd0+16];\n"
         "ld.global.u64 %rd13, [%rd0+24];\nld.global.u32 %r11, [%rd0+8];\n"
         "ld.global.u32 %r12, [%rd0+16];\nld.global.u32 %r13, [%rd0+24];\n"
         "ld.global.u16 %rs11, [%rd0+8];\nld.global.u16 %rs12, [%rd0+16];\n"
         "ld.global.f32 %f11, [%rd0+8];\nld.global.f32 %f12, [%rd0+16];\n"
         "ld.global.f32 %f13, [%rd0+24];\nld.global.f64 %fd11, [%rd0+8];\n"
         "ld.global.f64 %fd12, [%rd0+16];\n" +
         result + ";\n";
}

std::string store_of(const std::string& text) {
  const size_t at = text.find(" ") + 1;
  switch (text[at]) {
    case 'd':
      return "st.global.u64 [%rd0], %rd10;";
    case 's':
      return "st.global.u16 [%rd0], %rs10;";
    case 'f':
      return "st.global.f32 [%rd0], %f10;";
    case 'g':
      return "st.global.f64 [%rd0], %fd10;";
    case '%':
      return "selp.b32 %r10, 1, 0, %p1;\nst.global.u32 [%rd0], %r10;";
    default:
      return "st.global.u32 [%rd0], %r10;";
  }
}

void expect(const Case& each) {
  SmallKernel small;
  small.data[0] = 0;
  small.data[1] = each.a;
  small.data[2] = each.b;
  small.data[3] = each.c;
  EXPECT_EQ(small.run(body_of(each.text) + store_of(each.text), threads(1)), "") << each.text;
  EXPECT_EQ(small.data[0], each.expected) << each.text << " " << std::hex << small.data[0];
}

constexpr uint64_t kMinus = 0xffffffffu;

TEST(PtxArithmetic, Integers) {
  const Case cases[] = {
      {"add.s32 ry, ra, rb", kMinus, 3, 0, 2},
      {"sub.s64 dy, da, db", 3, 5, 0, ~uint64_t{1}},
      {"mul.lo.s32 ry, ra, rb", 0x10001, 0x10000, 0, 0x10000},
      {"mul.hi.u32 ry, ra, rb", 0x80000000u, 6, 0, 3},
      {"mul.hi.s32 ry, ra, rb", kMinus, 6, 0, kMinus},
      {"mul.wide.s32 dy, ra, rb", kMinus, 6, 0, ~uint64_t{5}},
      {"mul.wide.u32 dy, ra, rb", kMinus, 2, 0, 0x1fffffffeu},
      {"mul.wide.u16 ry, sa, sb", 0xffff, 0xffff, 0, 0xfffe0001u},
      {"mad.lo.s32 ry, ra, rb, rc", 7, 6, kMinus, 41},
      {"mad.wide.s32 dy, ra, rb, dc", kMinus, 2, 1, ~uint64_t{0}},
      {"div.s32 ry, ra, rb", ~uint64_t{6}, 2, 0, 0xfffffffdu},
      {"rem.s64 dy, da, db", ~uint64_t{6}, 4, 0, ~uint64_t{2}},
      {"div.u32 ry, ra, rb", kMinus, 2, 0, 0x7fffffff},
      {"min.s32 ry, ra, rb", kMinus, 1, 0, kMinus},
      {"min.u64 dy, da, db", kMinus, 1, 0, 1},
      {"max.s32 ry, ra, rb", kMinus, 1, 0, 1},
      {"neg.s64 dy, da", 5, 0, 0, ~uint64_t{4}},
      {"shl.b32 ry, ra, rb", 3, 31, 0, 0x80000000u},
      {"shl.b32 ry, ra, rb", 3, 32, 0, 0},
      {"shl.b64 dy, da, rb", 3, 33, 0, uint64_t{3} << 33},
      {"shr.s32 ry, ra, rb", 0x80000000u, 40, 0, kMinus},
      {"shr.u32 ry, ra, rb", 0x80000000u, 31, 0, 1},
      {"shr.u16 sy, sa, rb", 0x8000, 15, 0, 1},
      {"xor.b32 ry, ra, rb", 0xff, 0x0f, 0, 0xf0},
      {"not.b64 dy, da", 1, 0, 0, ~uint64_t{1}},
      {"bfi.b64 dy, da, db, 8, 4", 0x3f, 0, 0, 0xf00},
      {"bfi.b64 dy, da, db, 32, 32", 5, 7, 0, uint64_t{5} << 32 | 7},
      {"prmt.b32 ry, ra, rb, 29968", 0x44332211, 0x88776655, 0, 0x88662211u},  // selector 0x7510
      {"prmt.b32 ry, ra, rb, 34832", 0x44332281, 0x88776655, 0, 0xffff2281u},  // selector 0x8810
      // a & b | c, a ^ b ^ c, and the choice of b or c by a.
      {"lop3.b32 ry, ra, rb, rc, 234", 0xff0, 0x3c3c, 0x8f01, 0x8f31},
      {"lop3.b32 ry, ra, rb, rc, 150", 0xff0, 0x3c3c, 0x8001, 0xb3cd},
      {"lop3.b32 ry, ra, rb, rc, 202", 0xff0, 0x3c3c, 0x8f01, 0x8c31},
      {"mov.b32 ry, {sa, sb}", 0x1234, 0xabcd, 0, 0xabcd1234u},
      {"mov.b64 dy, {ra, rb}", 1, 2, 0, uint64_t{2} << 32 | 1},
      {"setp.lt.s32 %p1, ra, rb", kMinus, 0, 0, 1},
      {"setp.lt.u32 %p1, ra, rb", kMinus, 0, 0, 0},
      {"setp.eq.s16 %p1, sa, -1", 0xffff, 0, 0, 1},
  };
  for (const Case& each : cases) expect(each);
}

TEST(PtxArithmetic, Floats) {
  const Case cases[] = {
      {"add.rn.f32 fy, fa, fb", bits(1.5f), bits(2.0f), 0, bits(3.5f)},
      {"sub.rn.f64 gy, ga, gb", bits(1.0), bits(0.25), 0, bits(0.75)},
      // 1 + 2^-24 + 2^-24 is 1 with two roundings. A fused operation rounds once.
      {"fma.rn.f32 fy, fa, fb, fc", bits(0x1p-12f), bits(0x1p-11f), bits(1.0f),
       bits(1.0f + 0x1p-23f)},
      {"fma.rm.f32 fy, fa, fb, fc", bits(-0x1p-30f), bits(1.0f), bits(1.0f), bits(1.0f - 0x1p-24f)},
      // 143 - 136 and 3 * 0.5 + 1; then 256 + 1.5 and 256 + 1, which round to 258 and, to even,
      // 256.
      {"fma.rn.bf16x2 ry, ra, rb, rc", 0x430f4040, 0x3f803f00, 0xc3083f80, 0x40e04020},
      {"fma.rn.bf16x2 ry, ra, rb, rc", 0x3fc03f80, 0x3f803f80, 0x43804380, 0x43814380},
      // Infinity less itself is NaN.
      {"fma.rn.bf16x2 ry, ra, rb, rc", 0x7f803f80, 0x3f803f80, 0xff80bf80, 0x7fff0000},
      {"div.rn.f32 fy, fa, fb", bits(1.0f), bits(3.0f), 0, 0x3eaaaaab},
      {"max.f32 fy, fa, fb", bits(kNan), bits(2.0f), 0, bits(2.0f)},
      {"neg.f32 fy, fa", bits(0.0f), 0, 0, bits(-0.0f)},
      {"abs.f32 fy, fa", bits(-2.0f), 0, 0, bits(2.0f)},
      {"abs.f32 fy, fa", bits(-0.0f), 0, 0, bits(0.0f)},
      {"sqrt.rn.f32 fy, fa", bits(2.0f), 0, 0, 0x3fb504f3},
      {"rcp.rn.f64 gy, ga", bits(4.0), 0, 0, bits(0.25)},
      {"ex2.approx.ftz.f32 fy, fa", bits(-3.0f), 0, 0, bits(0.125f)},
      {"copysign.f32 fy, fa, fb", bits(-1.0f), bits(3.0f), 0, bits(-3.0f)},
      {"setp.lt.f32 %p1, fa, fb", bits(kNan), bits(0.0f), 0, 0},
      {"setp.geu.f32 %p1, fa, fb", bits(kNan), bits(0.0f), 0, 1},
      {"setp.neu.f32 %p1, fa, fb", bits(kNan), bits(kNan), 0, 1},
  };
  for (const Case& each : cases) expect(each);
}

TEST(PtxArithmetic, Conversions) {
  const Case cases[] = {
      {"cvt.s64.s32 dy, ra", kMinus, 0, 0, ~uint64_t{0}},
      {"cvt.u64.u32 dy, ra", kMinus, 0, 0, kMinus},
      {"cvt.u16.u32 sy, ra", 0x12345, 0, 0, 0x2345},
      {"cvt.u32.u16 ry, sa", 0xffff, 0, 0, 0xffff},
      {"cvt.rn.f32.s32 fy, ra", kMinus, 0, 0, bits(-1.0f)},
      {"cvt.rn.f32.u32 fy, ra", 16777217, 0, 0, bits(16777216.0f)},
      {"cvt.rn.f64.u64 gy, da", uint64_t{1} << 63, 0, 0, bits(0x1p63)},
      {"cvt.rzi.s32.f32 ry, fa", bits(-2.9f), 0, 0, 0xfffffffeu},
      {"cvt.rzi.s32.f32 ry, fa", bits(kInf), 0, 0, 0x7fffffff},
      {"cvt.rzi.u64.f64 dy, ga", bits(-1.0), 0, 0, 0},
      {"cvt.rzi.s32.f32 ry, fa", bits(kNan), 0, 0, 0},
      {"cvt.rn.f32.f64 fy, ga", bits(1.0 + 0x1p-30), 0, 0, bits(1.0f)},
      {"cvt.f64.f32 gy, fa", bits(0.1f), 0, 0, bits(static_cast<double>(0.1f))},
      {"cvt.sat.f32.f32 fy, fa", bits(1.5f), 0, 0, bits(1.0f)},
      {"cvt.sat.f32.f32 fy, fa", bits(kNan), 0, 0, bits(0.0f)},
      // Rounds to nearest even. The first source is the upper half.
      {"cvt.rn.bf16x2.f32 ry, fa, fb", 0x3f808000, 0x3f818000, 0, 0x3f803f82},
  };
  for (const Case& each : cases) expect(each);
}

TEST(PtxArithmetic, DivisionByZeroIsFound) {
  SmallKernel small;
  EXPECT_TRUE(
      finds(small.run("mov.u32 %r2, 0;\ndiv.u32 %r3, %r0, %r2;", threads(4)), "division by zero"));
}

TEST(PtxArithmetic, GuardsHoldForTheirLanes) {
  SmallKernel small;
  EXPECT_EQ(small.run("mul.wide.u32 %rd1, %r0, 4;\nadd.s64 %rd2, %rd0, %rd1;\n"
                      "and.b32 %r2, %r0, 1;\nsetp.eq.u32 %p1, %r2, 1;\nmov.u32 %r3, 7;\n"
                      "@%p1 mov.u32 %r3, 8;\n@!%p1 add.s32 %r3, %r3, %r0;\n"
                      "st.global.u32 [%rd2], %r3;",
                      threads(40)),
            "");
  for (uint32_t i = 0; i < 40; ++i) EXPECT_EQ(small.as<uint32_t>()[i], i % 2 == 1 ? 8 : 7 + i);
}

}  // namespace
}  // namespace ptx
