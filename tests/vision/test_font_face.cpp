// Both font readers give the same glyphs, and no input crashes the program.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <random>

#include "kernels/error.h"
#include "tests/vision/tiny_font.h"
#include "vision/pictures/font_face.h"
#include "vision/pictures/shaping.h"
#include "vision/pictures/typesetter.h"

namespace bifrons::testing {
namespace {

using Opener = std::function<std::unique_ptr<FontFace>(Bytes)>;
const std::vector<std::pair<std::string, Opener>> kReaders = {{"chosen", open_font},
                                                              {"own", open_truetype}};

Bytes installed_font() {
  std::ifstream file("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Area of the ink in pixels.
double area(const GlyphBitmap& glyph) {
  return std::accumulate(glyph.coverage.begin(), glyph.coverage.end(), 0.0) / 255;
}

TEST(FontFace, ReadsTheTinyFont) {
  for (const auto& [name, open] : kReaders) {
    SCOPED_TRACE(name);
    const auto face = open(TinyFont{}.bytes());
    ASSERT_NE(face, nullptr);
    EXPECT_EQ(face->glyph_of('A'), 1);
    EXPECT_EQ(face->glyph_of('B'), 2);
    EXPECT_EQ(face->glyph_of('C'), 0);
    EXPECT_EQ(face->glyph_of(0x1f98a), 0);
    EXPECT_EQ(face->advance_of(1), 600);
    EXPECT_EQ(face->height(), 1000);
    const GlyphBitmap a = face->draw(1, 100);
    // 40 x 60, plus the area under the curve: two thirds of the triangle 40 x 30.
    EXPECT_NEAR(area(a), 2400 + 2.0 / 3 * 40 * 30 / 2, 4);
    EXPECT_EQ(a.left, 10);
    // Two of these, 30 pixels apart, overlap in 10 of 40 columns.
    EXPECT_GT(area(face->draw(2, 100)), area(a) * 1.6);
    EXPECT_EQ(face->draw(2, 100).left, 10);
    EXPECT_EQ(area(face->draw(0, 100)), 0);
  }
}

TEST(FontFace, BothReadersGiveTheSameGlyphs) {
  const Bytes file = installed_font();
  if (file.empty()) GTEST_SKIP() << "DejaVu Sans is not installed";
  const auto chosen = open_font(file), own = open_truetype(file);
  ASSERT_NE(chosen, nullptr);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(chosen->height(), own->height());
  for (const int point :
       std::initializer_list<int>{'a', 'g', '8', '@', 0xe9, 0x416, 0x5d0, 0x628, 0x2603, 0x1d538}) {
    const int glyph = own->glyph_of(point);
    ASSERT_EQ(chosen->glyph_of(point), glyph) << point;
    ASSERT_NE(glyph, 0) << point;
    EXPECT_EQ(chosen->advance_of(glyph), own->advance_of(glyph)) << point;
    const GlyphBitmap a = chosen->draw(glyph, 24), b = own->draw(glyph, 24);
    EXPECT_NEAR(area(a), area(b), 0.02 * area(a) + 0.5) << point;
    for (int y = 0; y < a.height; ++y) {
      for (int x = 0; x < a.width; ++x) {
        const int other_x = x + a.left - b.left, other_y = y + a.top - b.top;
        const bool inside = other_x >= 0 && other_y >= 0 && other_x < b.width && other_y < b.height;
        const int here = a.coverage[y * a.width + x];
        const int there = inside ? b.coverage[other_y * b.width + other_x] : 0;
        ASSERT_NEAR(here, there, 16) << point << " at " << x << ", " << y;
      }
    }
  }
}

TEST(FontFace, OtherFilesAreNoFonts) {
  Bytes open_type = TinyFont{}.bytes();
  std::copy_n("wOFF", 4, open_type.begin());
  for (const auto& [name, open] : kReaders) {
    SCOPED_TRACE(name);
    EXPECT_EQ(open({}), nullptr);
    EXPECT_EQ(open(Bytes(100, 'x')), nullptr);
    EXPECT_EQ(open(Bytes{0, 1, 0, 0}), nullptr);
    EXPECT_EQ(open(Bytes{'t', 't', 'c', 'f', 0, 1, 0, 0, 0, 0, 0, 1, 255, 255, 255, 0}), nullptr);
    EXPECT_EQ(open(open_type), nullptr);
  }
}

TEST(FontFace, ReportsDamage) {
  for (const auto& [name, open] : kReaders) {
    SCOPED_TRACE(name);
    const auto loop = open(TinyFont{.part_of_b = 2}.bytes());  // B contains itself
    ASSERT_NE(loop, nullptr);
    EXPECT_THROW(loop->draw(2, 40), Error);
    EXPECT_THROW(loop->draw(77, 40), Error);
    // Letters of 1,000 units in a font whose stated height is 5 units.
    EXPECT_EQ(open(TinyFont{.ascender = 5, .descender = 0}.bytes()), nullptr);
    EXPECT_EQ(open(TinyFont{.ascender = -800, .descender = 200}.bytes()), nullptr);
  }
}

// A contour may be empty, so few points can come with very many of them.
TEST(FontFace, EmptyContoursCount) {
  const auto alone = open_truetype(TinyFont{.empty_contours = 1000}.bytes());
  ASSERT_NE(alone, nullptr);
  EXPECT_EQ(alone->draw(1, 100).coverage, open_truetype(TinyFont{}.bytes())->draw(1, 100).coverage);
  const auto many = open_truetype(TinyFont{.parts_of_b = 8000, .empty_contours = 30'000}.bytes());
  ASSERT_NE(many, nullptr);
  EXPECT_THROW(many->draw(2, 40), Error);
}

TEST(FontFace, TypesetterNamesADamagedFont) {
  Typesetter loop, wide;
  ASSERT_TRUE(loop.add_font(TinyFont{.part_of_b = 2}.bytes(), "\"loop.ttf\""));
  ASSERT_TRUE(wide.add_font(
      TinyFont{.units = 32, .ascender = 1, .descender = 0, .advance = 30'000}.bytes(), "wide"));
  EXPECT_NO_THROW(loop.try_out("A", 40));
  EXPECT_THROW(wide.width("A", 40), Error);
  try {
    loop.try_out("AB", 40);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_EQ(std::string(error.what()).find("the font \"loop.ttf\" is damaged: "), 0u)
        << error.what();
  }
}

// Changes some bytes or truncates the file; mostly in the first part, where the tables are listed.
Bytes damaged(const Bytes& whole, uint32_t seed) {
  Bytes file = whole;
  std::mt19937 chance(seed);
  const auto below = [&](size_t most) { return chance() % most; };
  const size_t tables = std::min(file.size(), size_t{12} + 16 * 24);
  for (size_t i = 0, n = 1 + below(6); i < n; ++i) {
    const size_t at = below(3) == 0 ? below(tables) : below(file.size());
    file[at] = below(2) == 0 ? static_cast<uint8_t>(below(256)) : (below(2) == 0 ? 0xff : 0x00);
  }
  if (below(8) == 0) file.resize(below(file.size()));
  return file;
}

void draw_with(const Bytes& file) {
  const auto quietly = [](auto action) {
    try {
      action();
    } catch (const Error&) {
    }
  };
  quietly([&] {
    Typesetter letters;
    if (!letters.add_font(file)) return;
    Picture picture{.width = 200, .height = 50, .rgb = std::vector<uint8_t>(200 * 50 * 3, 255)};
    for (const char* text : {"AB cfg 3.5", "e\u0301 \u00c5\u01fa", "\u0628\u0627 \u05d0"}) {
      quietly([&] { letters.width(text, 24); });
      quietly([&] { letters.draw(picture, 5, 40, text, 24); });
    }
  });
  if (const auto own = open_truetype(file)) {
    for (const int point : std::initializer_list<int>{'A', 'B', 'g', 0xc5, 0x628}) {
      quietly([&] { own->draw(own->glyph_of(point), 24); });
    }
  }
}

// Runs fifty files per child process, so a crash is a test failure that names the files.
void survives(const Bytes& whole, uint32_t seeds) {
  for (uint32_t from = 0; from < seeds; from += 50) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(60);
      for (uint32_t seed = from; seed < from + 50; ++seed) draw_with(damaged(whole, seed));
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "status " << status << ", seeds " << from << " to " << from + 49;
  }
}

TEST(FontDamage, TinyFont) { survives(TinyFont{}.bytes(), 2000); }

TEST(FontDamage, InstalledFont) {
  const Bytes file = installed_font();
  if (file.empty()) GTEST_SKIP() << "DejaVu Sans is not installed";
  survives(file, 400);
}

}  // namespace
}  // namespace bifrons::testing
