// Preprocessing compared with Pillow (tools/reference/make_resize_goldens.py), and its laws.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/error.h"
#include "tests/support/pillow_golden.h"
#include "vision/networks/tower_input.h"
#include "vision/pictures/resize.h"

namespace bifrons {
namespace {

using testing::made_picture;

TEST(TowerInput, EveryByteIsPillows) { testing::expect_pillows_bytes("squared.json", squared); }

TEST(TowerInput, ValuesAreRoundedAsTheOriginalDoes) {
  Picture ramp{16, 16, {}};
  for (int i = 0; i < 256; ++i) ramp.rgb.insert(ramp.rgb.end(), 3, static_cast<uint8_t>(i));
  const auto values = testing::pillow_golden("squared.json")["values"].get<std::vector<float>>();
  const auto patches = patches_of(ramp, {.image_size = 16, .patch = 16});
  ASSERT_EQ(patches.size(), 768u);
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 256; ++i) EXPECT_EQ(patches[c * 256 + i], values[i]) << i;
  }
}

TEST(TowerInput, PatchesComeInRasterOrderChannelByChannel) {
  Picture picture{4, 4, {}};
  for (int i = 0; i < 48; ++i) picture.rgb.push_back(static_cast<uint8_t>(i));
  const auto patches = patches_of(picture, {.image_size = 4, .patch = 2});
  // The second patch begins at x = 2. Its first channel has the pixels
  // (2, 0) (3, 0) (2, 1) (3, 1).
  const auto byte = [&](size_t i) { return std::lround((patches[i] + 1) * 127.5); };
  EXPECT_EQ(byte(12), 6);
  EXPECT_EQ(byte(13), 9);
  EXPECT_EQ(byte(14), 18);
  EXPECT_EQ(byte(15), 21);
  EXPECT_EQ(byte(16), 7) << "then the second channel";
  EXPECT_EQ(byte(24), 24) << "the third patch is below the first";
}

TEST(TowerInput, LongSideHasTheFullSize) {
  // For sides 47, 94, 147, .. a size computed in another order would be one pixel too short.
  for (int64_t side : {1, 2, 47, 94, 147, 173, 294, 321, 637}) {
    Picture white{side, (side + 1) / 2, {}};
    white.rgb.assign(white.width * white.height * 3, 255);
    const Picture square = squared(white, 384);
    const int64_t middle = 384 / 2 * 384 * 3;
    EXPECT_EQ(square.rgb[middle], 255) << side;
    EXPECT_EQ(square.rgb[middle + 383 * 3], 255) << side;
    if (side > 1) {
      EXPECT_EQ(square.rgb[0], 127) << side;
    }
  }
}

TEST(Resize, SameSizeIsTheSamePicture) {
  const Picture picture = made_picture(31, 17);
  EXPECT_EQ(resize_bicubic(picture, 31, 17).rgb, picture.rgb);
}

TEST(Resize, FlatPicturesStayFlat) {
  for (uint8_t level : {0, 1, 127, 254, 255}) {
    Picture flat{19, 7, {}};
    flat.rgb.assign(flat.width * flat.height * 3, level);
    for (const auto& [width, height] : {std::pair{5, 3}, {40, 50}, {19, 1}, {1, 7}}) {
      for (uint8_t byte : resize_bicubic(flat, width, height).rgb) ASSERT_EQ(byte, level);
    }
  }
}

// Every window, with every combination of passes, equals that part of the whole result.
TEST(Resize, AWindowEqualsThatPartOfTheWhole) {
  const Picture picture = made_picture(31, 17);
  for (const auto& [width, height] : {std::pair{11, 23}, {31, 9}, {31, 17}, {50, 17}, {62, 5}}) {
    const Picture whole = resize_bicubic(picture, width, height);
    for (const Window& w : {Window{0, 0, 1, 1}, {width - 3, height - 2, 3, 2}, {2, 1, 5, 3}}) {
      const Picture part = resize_bicubic(picture, width, height, w);
      ASSERT_EQ(part.width, w.width);
      ASSERT_EQ(part.height, w.height);
      for (int64_t y = 0; y < w.height; ++y) {
        for (int64_t x = 0; x < 3 * w.width; ++x) {
          ASSERT_EQ(part.rgb[y * w.width * 3 + x],
                    whole.rgb[((w.top + y) * width + w.left) * 3 + x]);
        }
      }
    }
  }
}

TEST(Resize, RefusesPicturesWithoutPixels) {
  EXPECT_THROW(resize_bicubic({}, 3, 3), ContractError);
  EXPECT_THROW(resize_bicubic(made_picture(3, 3), 0, 3), ContractError);
  EXPECT_THROW(resize_bicubic(made_picture(3, 3), 9, 9, {8, 0, 2, 9}), ContractError);
}

}  // namespace
}  // namespace bifrons
