// Reading pictures: variants of PNG, JPEG and WebP, alpha, orientation.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/vision/png_writer.h"
#include "tests/weights/expect_error.h"
#include "vision/pictures/exif_xmp.h"
#include "vision/pictures/jpeg_metadata.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/picture_file.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::testing {
namespace {

Picture gradient(int64_t width, int64_t height) {
  Picture picture{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      picture.rgb.push_back(static_cast<uint8_t>(255 * x / width));
      picture.rgb.push_back(static_cast<uint8_t>(255 * y / height));
      picture.rgb.push_back(static_cast<uint8_t>(128));
    }
  }
  return picture;
}

TEST(PictureRead, PngIsLossless) {
  const Picture picture = gradient(37, 11);
  const PictureMetadata metadata{"a prompt", "{}"};
  const Picture read = read_picture(encode_picture(picture, PictureFormat::kPng, &metadata));
  EXPECT_EQ(read.width, 37);
  EXPECT_EQ(read.height, 11);
  EXPECT_EQ(read.rgb, picture.rgb);
}

TEST(PictureRead, JpegAndWebpComeClose) {
  for (const PictureFormat format : {PictureFormat::kJpeg, PictureFormat::kWebp}) {
    const Picture picture = gradient(48, 32);
    const PictureMetadata metadata{"a prompt", "{}"};
    std::vector<uint8_t> file;
    try {
      file = encode_picture(picture, format, &metadata);
    } catch (const Error&) {  // a build without WebP support
      continue;
    }
    const Picture read = read_picture(file);
    ASSERT_EQ(read.rgb.size(), picture.rgb.size());
    for (size_t i = 0; i < read.rgb.size(); ++i) {
      ASSERT_LE(std::abs(int{read.rgb[i]} - int{picture.rgb[i]}), 16) << i;
    }
  }
}

TEST(PictureRead, GreyOfEveryDepth) {
  // 3x1 pixels: black, white, and (from 2 bits on) a grey between them.
  EXPECT_EQ(read_picture(png_of({3, 1, 1, 0, {{0b01000000}}})).rgb,
            (Bytes{0, 0, 0, 255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(read_picture(png_of({3, 1, 2, 0, {{0b00111000}}})).rgb,
            (Bytes{0, 0, 0, 255, 255, 255, 170, 170, 170}));
  EXPECT_EQ(read_picture(png_of({3, 1, 4, 0, {{0x0f, 0x50}}})).rgb,
            (Bytes{0, 0, 0, 255, 255, 255, 85, 85, 85}));
  EXPECT_EQ(read_picture(png_of({3, 1, 8, 0, {{0, 255, 7}}})).rgb,
            (Bytes{0, 0, 0, 255, 255, 255, 7, 7, 7}));
  EXPECT_EQ(read_picture(png_of({3, 1, 16, 0, {{0, 255, 255, 0, 0x12, 0x34}}})).rgb,
            (Bytes{0, 0, 0, 255, 255, 255, 0x12, 0x12, 0x12}));
}

TEST(PictureRead, SixteenBitColoursKeepTheirHighByte) {
  EXPECT_EQ(read_picture(png_of({1, 1, 16, 2, {{1, 200, 2, 200, 3, 200}}})).rgb, (Bytes{1, 2, 3}));
}

TEST(PictureRead, TransparencyIsBlendedWithWhite) {
  EXPECT_EQ(read_picture(png_of({3, 1, 8, 6, {{9, 8, 7, 255, 9, 8, 7, 0, 0, 100, 200, 51}}})).rgb,
            (Bytes{9, 8, 7, 255, 255, 255, 204, 224, 244}));
  EXPECT_EQ(read_picture(png_of({2, 1, 8, 4, {{9, 255, 0, 102}}})).rgb,
            (Bytes{9, 9, 9, 153, 153, 153}));
  EXPECT_EQ(read_picture(png_of({1, 1, 16, 6, {{9, 1, 8, 1, 7, 1, 255, 255}}})).rgb,
            (Bytes{9, 8, 7}));
}

TEST(PictureRead, OneTransparentColour) {
  EXPECT_EQ(read_picture(png_of({2, 1, 8, 2, {{1, 2, 3, 1, 2, 4}}, {}, {0, 1, 0, 2, 0, 3}})).rgb,
            (Bytes{255, 255, 255, 1, 2, 4}));
  EXPECT_EQ(read_picture(png_of({3, 1, 8, 0, {{5, 6, 0}}, {}, {0, 6}})).rgb,
            (Bytes{5, 5, 5, 255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(read_picture(png_of({3, 1, 4, 0, {{0x5a, 0}}, {}, {0, 10}})).rgb,
            (Bytes{85, 85, 85, 255, 255, 255, 0, 0, 0}));
}

TEST(PictureRead, Palettes) {
  const Bytes palette{255, 0, 0, 0, 255, 0, 0, 0, 255};
  EXPECT_EQ(read_picture(png_of({3, 1, 2, 3, {{0b00011000}}, palette})).rgb, palette);
  EXPECT_EQ(read_picture(png_of({3, 1, 8, 3, {{0, 1, 2}}, palette, {255, 0}})).rgb,
            (Bytes{255, 0, 0, 255, 255, 255, 0, 0, 255}));
  // An index beyond the palette is black.
  EXPECT_EQ(read_picture(png_of({2, 1, 8, 3, {{2, 200}}, palette})).rgb,
            (Bytes{0, 0, 255, 0, 0, 0}));
}

TEST(PictureRead, Interlaced) {
  // 3x3 pixels. Pass 1 has (0,0), pass 4 (2,0), pass 5 the row (0,2) (2,2), pass 6 (1,0) and (1,2),
  // pass 7 the row y = 1. Passes 2 and 3 are empty.
  const PngParts parts{.width = 3,
                       .height = 3,
                       .depth = 8,
                       .colour = 0,
                       .rows = {{1}, {3}, {7, 9}, {2}, {8}, {4, 5, 6}},
                       .interlaced = true};
  Bytes expected;
  for (uint8_t v = 1; v <= 9; ++v) expected.insert(expected.end(), 3, v);
  EXPECT_EQ(read_picture(png_of(parts)).rgb, expected);
}

TEST(PictureRead, ProfilesAndTextsAreIgnored) {
  const Bytes profile{'x', 0, 0, 1, 2, 3};
  EXPECT_EQ(read_picture(png_of({.width = 1,
                                 .height = 1,
                                 .depth = 8,
                                 .colour = 2,
                                 .rows = {{1, 2, 3}},
                                 .extra_name = "iCCP",
                                 .extra = profile}))
                .rgb,
            (Bytes{1, 2, 3}));
}

// A big-endian EXIF block with an orientation only.
Bytes oriented_exif(int orientation) {
  Bytes tiff{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
  append_big(tiff, static_cast<uint32_t>(orientation), 2);
  append_big(tiff, 0, 2);
  append_big(tiff, 0, 4);
  return tiff;
}

TEST(PictureRead, OrientationIsAppliedOnlyWhenAsked) {
  // Stored pixels: a b c / d e f.
  const auto stored = [](int orientation) {
    return png_of({.width = 3,
                   .height = 2,
                   .depth = 8,
                   .colour = 0,
                   .rows = {{'a', 'b', 'c'}, {'d', 'e', 'f'}},
                   .extra_name = "eXIf",
                   .extra = oriented_exif(orientation)});
  };
  const auto letters = [](const Picture& picture) {
    std::string text;
    for (int64_t y = 0; y < picture.height; ++y) {
      for (int64_t x = 0; x < picture.width; ++x) {
        text.push_back(static_cast<char>(picture.rgb[3 * (y * picture.width + x)]));
      }
      text.push_back('/');
    }
    return text;
  };
  const std::vector<std::string> upright = {"abc/def/",  "abc/def/",  "cba/fed/",  "fed/cba/",
                                            "def/abc/",  "ad/be/cf/", "da/eb/fc/", "fc/eb/da/",
                                            "cf/be/ad/", "abc/def/"};
  for (int orientation = 0; orientation <= 9; ++orientation) {
    EXPECT_EQ(letters(read_picture(stored(orientation))), "abc/def/");
    EXPECT_EQ(letters(read_picture(stored(orientation), Orientation::kApply)), upright[orientation])
        << orientation;
  }
}

TEST(PictureRead, OrientationOfAJpeg) {
  std::vector<uint8_t> file = encode_pixels(gradient(16, 8), PictureFormat::kJpeg);
  const Picture stored = read_picture(file);
  insert_jpeg_blocks(file, oriented_exif(6), "");
  EXPECT_EQ(read_picture(file).rgb, stored.rgb);
  const Picture turned = read_picture(file, Orientation::kApply);
  EXPECT_EQ(turned.width, 8);
  EXPECT_EQ(turned.height, 16);
  EXPECT_EQ(turned.rgb[3 * 7], stored.rgb[0]);  // the top left pixel is now at the top right
}

}  // namespace
}  // namespace bifrons::testing
