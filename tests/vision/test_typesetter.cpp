// Text shaping, with a font that most machines have.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "vision/pictures/shaping.h"
#include "vision/pictures/typesetter.h"

namespace bifrons {
namespace {

constexpr int64_t kSize = 24;

class TypesetterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", std::ios::binary);
    if (!file) GTEST_SKIP() << "DejaVu Sans is not installed";
    ASSERT_TRUE(letters.add_font({std::istreambuf_iterator<char>(file), {}}));
  }

  Picture drawn(std::string_view text) const {
    Picture picture{.width = 300, .height = 60, .rgb = std::vector<uint8_t>(300 * 60 * 3, 255)};
    letters.draw(picture, 10, 40, text, kSize);
    return picture;
  }
  int64_t width(std::string_view text) const { return letters.width(text, kSize); }

  Typesetter letters;
};

// The ink in columns [begin, end).
std::vector<uint8_t> columns(const Picture& picture, int64_t begin, int64_t end) {
  std::vector<uint8_t> out;
  for (int64_t y = 0; y < picture.height; ++y) {
    const auto row = picture.rgb.begin() + y * picture.width * 3;
    out.insert(out.end(), row + begin * 3, row + end * 3);
  }
  return out;
}

TEST_F(TypesetterTest, LatinRunsFromLeftToRight) {
  EXPECT_TRUE(letters.covers("red fox, \u05d0\u0628"));
  EXPECT_FALSE(letters.covers("\u72d0"));
  EXPECT_NE(drawn("ab").rgb, drawn("ba").rgb);
  const int64_t a = width("a");
  EXPECT_EQ(columns(drawn("ab"), 0, 10 + a - 1), columns(drawn("a"), 0, 10 + a - 1));
  EXPECT_EQ(width(""), 1);
  EXPECT_EQ(drawn("\u72d0").rgb, drawn("").rgb) << "a sign that no font has";
}

// U+202D forces the direction of the following text to left-to-right.
TEST_F(TypesetterTest, HebrewRunsFromRightToLeft) {
  if (!shapes_scripts()) GTEST_SKIP() << "built without HarfBuzz and FriBidi";
  EXPECT_NE(drawn("\u05d0\u05d1\u05d2").rgb, drawn("\u05d2\u05d1\u05d0").rgb);
  EXPECT_EQ(drawn("\u05d0\u05d1\u05d2").rgb, drawn("\u202d\u05d2\u05d1\u05d0").rgb);
}

TEST_F(TypesetterTest, MixedLinesKeepTheirOrder) {
  if (!shapes_scripts()) GTEST_SKIP() << "built without HarfBuzz and FriBidi";
  // English with a Hebrew word, and Hebrew with an English word; numbers keep their own order.
  EXPECT_EQ(drawn("ab \u05d0\u05d1 cd").rgb, drawn("\u202d"
                                                   "ab \u05d1\u05d0 cd")
                                                 .rgb);
  EXPECT_EQ(drawn("\u05d0\u05d1 ab \u05d2\u05d3").rgb,
            drawn("\u202d\u05d3\u05d2 ab \u05d1\u05d0").rgb);
  EXPECT_EQ(drawn("\u05d0 12 \u05d1").rgb, drawn("\u202d\u05d1 12 \u05d0").rgb);
}

TEST_F(TypesetterTest, ArabicLettersJoin) {
  if (!shapes_scripts()) GTEST_SKIP() << "built without HarfBuzz and FriBidi";
  EXPECT_LT(width("\u0628\u0628\u0628"), 2 * width("\u0628")) << "beh: alone it has a long tail";
  EXPECT_LT(width("\u0644\u0627"), width("\u0644") + width("\u0627") - 2) << "lam and alef are one";
  // The presentation form is the shape of the letter at the beginning of a word.
  EXPECT_EQ(drawn("\u0628\u0640").rgb, drawn("\ufe91\u0640").rgb);
}

TEST_F(TypesetterTest, AccentsAreOnTheirLetters) {
  if (!shapes_scripts()) GTEST_SKIP() << "built without HarfBuzz and FriBidi";
  EXPECT_EQ(width("e\u0301"), width("e"));
  EXPECT_EQ(drawn("e\u0301").rgb, drawn("\u00e9").rgb);
}

}  // namespace
}  // namespace bifrons
