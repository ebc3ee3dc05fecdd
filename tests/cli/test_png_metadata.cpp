// PNG text chunks: written, read and damaged.
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/png_metadata.h"

namespace bifrons::testing {
namespace {

std::vector<uint8_t> tiny_png() {
  return encode_pixels({2, 1, {1, 2, 3, 4, 5, 6}}, PictureFormat::kPng);
}

bool has(const std::vector<uint8_t>& file, std::string_view text) {
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).find(text) !=
         std::string_view::npos;
}

TEST(PngMetadata, TextsComeBackAndUseTheSmallestChunkThatCanSayThem) {
  struct Case {
    std::string keyword, text;
    bool latin1;
  };
  const std::vector<Case> cases = {{"parameters", "a fox\nSteps: 3", true},
                                   {"parameters", "", true},
                                   {"parameters", "caf\xc3\xa9 \xc2\xa1", true},
                                   {"parameters", "\xe7\x8c\xab", false},
                                   {"parameters", "\xf0\x9f\xa6\x8a", false},
                                   {"parameters", "tab\there", false},
                                   {"parameters", "\xc2\x85", false},
                                   {"XML:com.adobe.xmp", "<x/>", false}};
  for (const Case& c : cases) {
    std::vector<uint8_t> png = tiny_png();
    const TextChunk chunk = {c.keyword, c.text};
    insert_text_chunks(png, {&chunk, 1});
    EXPECT_EQ(has(png, "tEXt"), c.latin1) << c.text;
    EXPECT_EQ(has(png, "iTXt"), !c.latin1) << c.text;
    const auto chunks = read_text_chunks(png);
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(chunks[0].keyword, c.keyword);
    EXPECT_EQ(chunks[0].text, c.text);
  }
}

TEST(PngMetadata, NothingElseChanges) {
  const std::vector<uint8_t> plain = tiny_png();
  std::vector<uint8_t> png = plain;
  const TextChunk chunk = {"k", "v"};
  insert_text_chunks(png, {&chunk, 1});
  const size_t added = png.size() - plain.size();
  png.erase(png.begin() + 33, png.begin() + 33 + static_cast<ptrdiff_t>(added));
  EXPECT_EQ(png, plain);
}

TEST(PngMetadata, EveryTruncationAndFlipIsAnErrorOrHarmless) {
  std::vector<uint8_t> png = tiny_png();
  const TextChunk chunks[] = {{"parameters", "a fox"}, {"bifrons", "\xe7\x8c\xab"}};
  insert_text_chunks(png, chunks);
  for (size_t length = 0; length < png.size(); ++length) {
    EXPECT_THROW(read_text_chunks(std::span(png).first(length)), Error) << length;
  }
  for (size_t at = 0; at < png.size(); ++at) {
    std::vector<uint8_t> damaged = png;
    damaged[at] ^= 0x41;
    EXPECT_THROW(read_text_chunks(damaged), Error) << at;
  }
}

}  // namespace
}  // namespace bifrons::testing
