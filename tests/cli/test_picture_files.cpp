// Whole picture files: writing metadata keeps the pixels, and the metadata can be read back.
#include <gtest/gtest.h>
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb_image.h>
#pragma GCC diagnostic pop

#include "kernels/error.h"
#include "vision/pictures/contact_sheet.h"
#include "vision/pictures/exif_xmp.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

Picture noise(int64_t width, int64_t height) {
  Picture picture{width, height, {}};
  uint32_t state = 1;
  for (int64_t i = 0; i < width * height * 3; ++i) {
    state = state * 1664525u + 1013904223u;
    picture.rgb.push_back(static_cast<uint8_t>(state >> 24));
  }
  return picture;
}

// A decoder (stb_image) that shares no code with the encoder under OpenCV.
Picture decoded(const std::vector<uint8_t>& file) {
  int width = 0;
  int height = 0;
  int channels = 0;
  uint8_t* pixels = stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width,
                                          &height, &channels, 3);
  if (pixels == nullptr) return {};
  Picture picture{width, height, {pixels, pixels + width * height * 3}};
  stbi_image_free(pixels);
  return picture;
}

const PictureMetadata kMetadata = {"a \xe7\x8c\xab \xf0\x9f\xa6\x8a <&>\"\nSteps: 1",
                                   R"({"prompt":"a < b & \"c\" > d","schema":1})"};

class Formats : public ::testing::TestWithParam<PictureFormat> {
 protected:
  void SetUp() override {
    try {
      encode_pixels(noise(1, 1), GetParam());
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
};

TEST_P(Formats, MetadataComesBack) {
  const auto file = encode_picture(noise(19, 7), GetParam(), &kMetadata);
  const PictureFileInfo info = read_picture_info(file);
  EXPECT_EQ(info.format, GetParam());
  EXPECT_EQ(info.width, 19);
  EXPECT_EQ(info.height, 7);
  EXPECT_TRUE(info.marked_generated);
  EXPECT_EQ(info.metadata.parameters, kMetadata.parameters);
  EXPECT_EQ(info.metadata.settings, kMetadata.settings);
  EXPECT_EQ(file, encode_picture(noise(19, 7), GetParam(), &kMetadata));
}

TEST_P(Formats, WithoutMetadataThereIsNone) {
  const PictureFileInfo info = read_picture_info(encode_picture(noise(19, 7), GetParam(), nullptr));
  EXPECT_FALSE(info.marked_generated);
  EXPECT_EQ(info.metadata.parameters + info.metadata.settings, "");
}

TEST_P(Formats, DamageNeverEscapes) {
  const auto file = encode_picture(noise(5, 5), GetParam(), &kMetadata);
  for (size_t length = 0; length < file.size(); ++length) {
    try {
      read_picture_info(std::span(file).first(length));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
    }
  }
  for (size_t at = 0; at < file.size(); ++at) {
    for (uint8_t flip : {0x01, 0x80, 0xff}) {
      auto damaged = file;
      damaged[at] ^= flip;
      try {
        read_picture_info(damaged);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kData);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PictureFiles, Formats,
                         ::testing::Values(PictureFormat::kPng, PictureFormat::kJpeg,
                                           PictureFormat::kWebp));

TEST(PictureFiles, PixelsSurviveMetadata) {
  const Picture picture = noise(33, 17);
  const auto png = encode_picture(picture, PictureFormat::kPng, &kMetadata);
  EXPECT_EQ(decoded(png).rgb, picture.rgb);
  const Picture with = decoded(encode_picture(picture, PictureFormat::kJpeg, &kMetadata));
  const Picture without = decoded(encode_picture(picture, PictureFormat::kJpeg, nullptr));
  EXPECT_EQ(with.width, 33);
  EXPECT_EQ(with.rgb, without.rgb);
}

TEST(PictureFiles, ChannelsAreInOrder) {
  const Picture red{1, 1, {250, 0, 0}};
  EXPECT_EQ(decoded(encode_pixels(red, PictureFormat::kPng)).rgb, red.rgb);
}

TEST(PictureFiles, TooLongForASegmentIsLeftOutOfJpeg) {
  PictureMetadata metadata = kMetadata;
  metadata.parameters.assign(40000, 'x');  // 80 kB as UTF-16
  const PictureFileInfo info =
      read_picture_info(encode_picture(noise(8, 8), PictureFormat::kJpeg, &metadata));
  EXPECT_EQ(info.metadata.parameters, "");
  EXPECT_EQ(info.metadata.settings, metadata.settings);
}

TEST(PictureFiles, OtherFilesAreDataErrors) {
  for (std::string_view text :
       {"", "x", "GIF89a", "\x89PNG\r\n\x1a\n", "\xff\xd8", "RIFF1234WEBP"}) {
    const std::vector<uint8_t> file(text.begin(), text.end());
    if (text == "RIFF1234WEBP") {
      EXPECT_EQ(read_picture_info(file).metadata.settings, "");  // empty, but a WebP
    } else {
      EXPECT_THROW(read_picture_info(file), Error) << text;
    }
  }
}

TEST(PictureFiles, FormatsByEnding) {
  EXPECT_EQ(picture_format_of("a.JPG"), PictureFormat::kJpeg);
  EXPECT_EQ(picture_format_of("a.webp"), PictureFormat::kWebp);
  EXPECT_EQ(picture_format_of("png"), std::nullopt);
}

TEST(Exif, CommentsComeBackAndInvalidBytesAreReplaced) {
  EXPECT_EQ(exif_comment(exif_with_comment("a \xf0\x9f\xa6\x8a")), "a \xf0\x9f\xa6\x8a");
  EXPECT_EQ(exif_comment(exif_with_comment("a\xff"
                                           "b\xe7")),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(exif_comment({}), "");
  // Other programs write ASCII.
  std::vector<uint8_t> plain = exif_with_comment("abcdefgh");
  const std::string_view comment("ASCII\0\0\0a fox\xff\0\0\0\0\0\0\0\0\0\0", 24);
  std::copy(comment.begin(), comment.end(), plain.end() - 24);
  EXPECT_EQ(exif_comment(plain), "a fox\xef\xbf\xbd");
}

TEST(ContactSheet, PutsPicturesInRows) {
  std::vector<Picture> pictures;
  for (uint8_t i = 0; i < 5; ++i) pictures.push_back({4, 3, std::vector<uint8_t>(36, i)});
  const Picture sheet = contact_sheet(pictures);
  EXPECT_EQ(sheet.width, 3 * 4 + 2 * 2);
  EXPECT_EQ(sheet.height, 2 * 3 + 2);
  const auto at = [&](int64_t x, int64_t y) { return sheet.rgb[(y * sheet.width + x) * 3]; };
  EXPECT_EQ(at(0, 0), 0);
  EXPECT_EQ(at(4, 0), 255);
  EXPECT_EQ(at(6, 2), 1);
  EXPECT_EQ(at(12, 0), 2);
  EXPECT_EQ(at(0, 5), 3);
  EXPECT_EQ(at(9, 7), 4);
  EXPECT_EQ(at(15, 7), 255);
  EXPECT_EQ(contact_sheet(std::span(pictures).first(1)).rgb, pictures[0].rgb);
}

}  // namespace
}  // namespace bifrons::testing
