// Damaged, truncated and oversized pictures: each is refused with one message, quickly.
#include <gtest/gtest.h>

#include <random>

#include "tests/vision/png_writer.h"
#include "tests/weights/expect_error.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::testing {
namespace {

std::string refusal(const Bytes& file) {
  return refusal_of([&] { read_picture(file); });
}

PngParts grey(uint32_t width, uint32_t height, size_t rows) {
  return {width, height, 8, 0, std::vector<Bytes>(rows, Bytes(rows == 0 ? 0 : width, 9))};
}

TEST(PictureDamage, RefusesOtherFiles) {
  EXPECT_EQ(refusal({}), "the file is empty");
  EXPECT_EQ(refusal({'h', 'e', 'l', 'l', 'o'}), "this is not a PNG, JPEG or WebP file");
  expect_contains(refusal({'G', 'I', 'F', '8', '9', 'a'}), "a GIF, but only PNG, JPEG and WebP");
  expect_contains(refusal({0, 0, 0, 24, 'f', 't', 'y', 'p', 'a', 'v', 'i', 'f'}), "an AVIF");
  expect_contains(refusal({'R', 'I', 'F', 'F', 4, 0, 0, 0, 'W', 'A', 'V', 'E'}), "not a WebP");
  expect_contains(refusal(Bytes(kMostPictureBytes + 1)), "longer than 64 MiB");
}

TEST(PictureDamage, SizeLimitsAreCheckedBeforePixels) {
  // These files do not have the pixels that their headers state. A reader that looked for the
  // pixels would report that instead.
  expect_contains(refusal(png_of(grey(16385, 1, 0))), "16385x1 pixels, but a side");
  expect_contains(refusal(png_of(grey(1, 16385, 0))), "a side may have at most 16384");
  expect_contains(refusal(png_of(grey(8193, 8192, 0))), "at most 67108864 in all");
  expect_contains(refusal(png_of(grey(0xffffffff, 0xffffffff, 0))), "a side");
  expect_contains(refusal(png_of(grey(0, 5, 0))), "a picture of 0x5 pixels");
  expect_contains(refusal({0xff, 0xd8, 0xff, 0xc0, 0, 17,   8, 0xff, 0xff, 0xff, 0xff,
                           3,    1,    0x11, 0,    2, 0x11, 0, 3,    0x11, 0}),
                  "65535x65535 pixels, but a side");
  Bytes webp;
  append(webp, std::string_view("RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\xff\xff\xff\x0f\0", 26));
  expect_contains(refusal(webp), "16384x16384 pixels, but a picture");
}

TEST(PictureDamage, RefusesInconsistentPng) {
  expect_contains(refusal(png_of(grey(4, 4, 3))), "fewer pixels than its header says");
  expect_contains(refusal(png_of(grey(4, 4, 5))), "more pixels than its header says");
  expect_contains(
      refusal(png_of({.width = 2, .height = 1, .colour = 0, .rows = {{1, 2}}, .filter = 5})),
      "an unknown filter");
  expect_contains(refusal(png_of({1, 1, 8, 3, {{0}}})), "it has no palette");
  expect_contains(refusal(png_of({1, 1, 1, 3, {{0}}, Bytes(9)})), "its palette does not fit");
  expect_contains(refusal(png_of({1, 1, 8, 3, {{0}}, Bytes(3), Bytes(257)})), "transparency");
  expect_contains(refusal(png_of({1, 1, 3, 0, {{0}}})), "its header makes no sense");
  expect_contains(refusal(png_of({1, 1, 4, 2, {{0, 0}}})), "its header makes no sense");
  expect_contains(refusal(png_of({.width = 1,
                                  .height = 1,
                                  .colour = 0,
                                  .rows = {{1}},
                                  .extra_name = "NEED",
                                  .extra = {1}})),
                  "of an unknown kind");
  Bytes good = png_of(grey(4, 4, 4));
  ++good[good.size() - 20];  // in the second chunk of the pixels
  expect_contains(refusal(good), "wrong checksum");
}

TEST(PictureDamage, RefusesDecompressionBombs) {
  // Compressed zeros for megabytes of pixels: decompression stops at the header's 16 bytes.
  PngParts bomb = grey(4, 4, 4);
  bomb.rows.push_back(Bytes(size_t{16} << 20));
  expect_contains(refusal(png_of(bomb)), "more pixels than its header says");
}

TEST(PictureDamage, RefusesUnsupportedJpeg) {
  const auto frame = [](uint8_t marker, uint8_t precision, uint8_t components) {
    Bytes file{0xff,      0xd8, 0xff, marker, 0, static_cast<uint8_t>(8 + 3 * components),
               precision, 0,    8,    0,      8, components};
    for (uint8_t c = 0; c < components; ++c)
      for (const uint8_t byte : {c, uint8_t{0x11}, uint8_t{0}}) file.push_back(byte);
    return file;
  };
  expect_contains(refusal(frame(0xc3, 8, 3)), "lossless");
  expect_contains(refusal(frame(0xc9, 8, 3)), "arithmetic");
  expect_contains(refusal(frame(0xc1, 12, 3)), "12-bit");
  expect_contains(refusal(frame(0xc0, 8, 4)), "CMYK");
  expect_contains(refusal(frame(0xc0, 8, 2)), "damaged near byte 2");
  expect_contains(refusal(frame(0xc0, 8, 3)), "ends early");
  expect_contains(refusal({0xff, 0xd8, 0xff, 0xd9}), "damaged");
}

TEST(PictureDamage, RefusesInvalidHuffmanTables) {
  const auto tables = [](uint8_t counts_of_16, uint8_t counts_of_1) {
    Bytes file{0xff, 0xd8, 0xff, 0xc4, 2, 0x13, 0, counts_of_1};
    file.resize(file.size() + 14);
    file.push_back(counts_of_16);
    file.resize(file.size() + 0x200);
    for (const uint8_t byte : {0xff, 0xd9}) file.push_back(byte);
    return file;
  };
  expect_contains(refusal(tables(255, 3)), "damaged near byte 2");  // 258 codes, three of one bit
  // Two entries of 255 and 2 codes, all of 15 and 16 bits: 257 codes in total.
  Bytes many = tables(255, 0);
  many[8 + 13] = 2;
  expect_contains(refusal(many), "damaged near byte 2");
}

TEST(PictureDamage, JpegWithTooManyScans) {
  Bytes file = encode_pixels({8, 8, Bytes(192, 50)}, PictureFormat::kJpeg);
  size_t scan = 2;  // each segment states where the next one is
  while (file[scan + 1] != 0xda) scan += 2 + read_big(file, scan + 2, 2);
  const Bytes scans(file.begin() + static_cast<std::ptrdiff_t>(scan), file.end() - 2);
  file.resize(file.size() - 2);
  for (int i = 0; i < 100; ++i) append(file, ByteView(scans));
  append(file, "\xff\xd9");
  expect_contains(refusal(file), "damaged");
}

TEST(PictureDamage, AnimatedWebp) {
  Bytes webp;
  append(webp, std::string_view("RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\0\0\0\0\0\0", 30));
  expect_contains(refusal(webp), "animated");
}

// Every truncation of a file, and many copies with a changed byte: the result is a picture of the
// same size or one error message. Sanitizer builds check the memory accesses of the decoders.
TEST(PictureDamage, EveryTruncationAndManyChanges) {
  Picture picture{24, 16, {}};
  std::mt19937 random(7);
  for (int i = 0; i < 24 * 16 * 3; ++i) picture.rgb.push_back(static_cast<uint8_t>(random()));
  for (const PictureFormat format :
       {PictureFormat::kPng, PictureFormat::kJpeg, PictureFormat::kWebp}) {
    Bytes file;
    try {
      file = encode_pixels(picture, format);
    } catch (const Error&) {  // a build without WebP support
      continue;
    }
    for (size_t n = 0; n < file.size(); ++n) {
      EXPECT_FALSE(accepts([&] { read_picture(ByteView(file).first(n)); })) << n;
    }
    for (int i = 0; i < 2000; ++i) {
      Bytes changed = file;
      changed[random() % changed.size()] = static_cast<uint8_t>(random());
      accepts([&] {
        const Picture read = read_picture(changed);
        EXPECT_EQ(read.rgb.size(), static_cast<size_t>(read.width * read.height * 3));
      });
    }
  }
}

}  // namespace
}  // namespace bifrons::testing
