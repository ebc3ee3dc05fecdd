// Preprocessing against Pillow (tools/reference/make_resize_goldens.py), and its laws.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "vision/resize.h"
#include "vision/tower_input.h"

namespace bifrons {
namespace {

nlohmann::json goldens() {
  std::ifstream file(std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/squared.json");
  return nlohmann::json::parse(file);
}

// The script's picture: every byte is a function of its place.
Picture made_picture(int64_t width, int64_t height) {
  Picture picture{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const uint64_t mixed = x * 1103515245 + y * 12345 + c * 2654435761 + x * y * 69069;
        const auto noise = (mixed & 0xffffffffu) >> 24;
        const auto slope = (x * 255 / std::max<int64_t>(width - 1, 1) + y * 3 + c * 40) % 256;
        const auto edges = (x / 5 + y / 7 + c) % 2 * 255;
        const auto kind = (x * 3 / width + y * 2 / height) % 3;
        picture.rgb.push_back(static_cast<uint8_t>(kind == 0   ? noise
                                                   : kind == 1 ? static_cast<uint64_t>(slope)
                                                               : static_cast<uint64_t>(edges)));
      }
    }
  }
  return picture;
}

std::string checksum(const std::vector<uint8_t>& data) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint8_t byte : data) hash = (hash ^ byte) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

TEST(TowerInput, EveryByteIsPillows) {
  const nlohmann::json all = goldens();  // outlives the loop
  for (const auto& c : all["cases"]) {
    const int64_t width = c["width"], height = c["height"], size = c["size"], step = c["step"];
    const std::string name = fmt::format("{}x{} to {}", width, height, size);
    const Picture square = squared(made_picture(width, height), size);
    ASSERT_EQ(static_cast<int64_t>(square.rgb.size()), size * size * 3) << name;
    size_t at = 0;
    for (const auto& byte : c["bytes"]) {
      EXPECT_LE(std::abs(byte.get<int>() - int{square.rgb[at]}), 1) << name << " byte " << at;
      at += step;
    }
    EXPECT_EQ(checksum(square.rgb), c["checksum"].get<std::string>()) << name;
  }
}

TEST(TowerInput, ValuesAreRoundedAsTheOriginalDoes) {
  Picture ramp{16, 16, {}};
  for (int i = 0; i < 256; ++i) ramp.rgb.insert(ramp.rgb.end(), 3, static_cast<uint8_t>(i));
  const auto values = goldens()["values"].get<std::vector<float>>();
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
  // The second patch begins at x = 2; its first channel's pixels are (2, 0) (3, 0) (2, 1) (3, 1).
  const auto byte = [&](size_t i) { return std::lround((patches[i] + 1) * 127.5); };
  EXPECT_EQ(byte(12), 6);
  EXPECT_EQ(byte(13), 9);
  EXPECT_EQ(byte(14), 18);
  EXPECT_EQ(byte(15), 21);
  EXPECT_EQ(byte(16), 7) << "then the second channel";
  EXPECT_EQ(byte(24), 24) << "the third patch is below the first";
}

TEST(TowerInput, LongSideIsAlwaysTheWholeSize) {
  // 47, 94, 147 .. are the sides that a size computed the other way round makes one pixel short.
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

TEST(Resize, RefusesPicturesWithoutPixels) {
  EXPECT_THROW(resize_bicubic({}, 3, 3), ContractError);
  EXPECT_THROW(resize_bicubic(made_picture(3, 3), 0, 3), ContractError);
}

}  // namespace
}  // namespace bifrons
