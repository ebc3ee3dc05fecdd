// Ids and texts equal those of `tokenizers`, for the small tokenizer and the published layouts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "src/tokenizer/prompt.h"
#include "src/tokenizer/unicode.h"
#include "tests/tokenizer/fixture.h"

namespace bifrons {
namespace {

using Ids = std::vector<int32_t>;

class Digest {
 public:
  void add(const Ids& ids) {
    for (const int32_t id : ids) step(static_cast<uint32_t>(id));
    step(0xFFFFFFFF);
  }
  std::string text() const { return fmt::format("{:016x}", state_); }

 private:
  void step(uint64_t value) { state_ = (state_ ^ value) * 0x100000001B3u; }
  uint64_t state_ = 0xCBF29CE484222325u;
};

class Goldens : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    tokenizer_ = variant_tokenizer(GetParam());
    if (!tokenizer_) GTEST_SKIP() << "BIFRONS_PUBLISHED_TOKENIZERS names no directory";
    goldens_ = goldens(GetParam());
  }

  std::optional<Tokenizer> tokenizer_;
  nlohmann::json goldens_;
};

TEST_P(Goldens, ReadableTexts) {
  for (const auto& golden : goldens_["cases"]) {
    const std::string text = golden["text"];
    const Ids ids = tokenizer_->encode(text, SpecialTokens::kMatch);
    EXPECT_EQ(ids, golden["ids"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer_->encode(text, SpecialTokens::kAsText), golden["ids_as_text"].get<Ids>())
        << text;
    EXPECT_EQ(tokenizer_->decode(ids, false), golden["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer_->decode(ids, true), golden["decoded_skipping"].get<std::string>());
  }
}

TEST_P(Goldens, Prompts) {
  for (const auto& golden : goldens_["prompts"]) {
    const std::string prompt = golden["prompt"];
    EXPECT_EQ(drawing_prompt(*tokenizer_, prompt, false), golden["ids"].get<Ids>()) << prompt;
    EXPECT_EQ(drawing_prompt(*tokenizer_, prompt, true), golden["ids_special"].get<Ids>())
        << prompt;
  }
}

// Thousands of random texts from the script's list of difficult strings; one hash per block.
TEST_P(Goldens, MixedTexts) {
  const std::vector<std::string> atoms = goldens_["atoms"];
  const auto mixed_text = [&](Random& random) {
    std::string text;
    for (uint64_t left = 1 + random.below(16); left > 0; --left) {
      const std::string& atom = atoms[random.below(atoms.size())];
      for (uint64_t again = 1 + random.below(3); again > 0; --again) text += atom;
    }
    return text;
  };
  Random random(2026);
  for (size_t block = 0; block < goldens_["mixed"].size(); ++block) {
    Digest digest;
    for (int i = 0; i < goldens_["mixed_texts"].get<int>(); ++i) {
      const std::string text = mixed_text(random);
      digest.add(tokenizer_->encode(text, SpecialTokens::kMatch));
      digest.add(tokenizer_->encode(text, SpecialTokens::kAsText));
    }
    EXPECT_EQ(digest.text(), goldens_["mixed"][block].get<std::string>()) << "block " << block;
  }
}

// Every codepoint after and before letters, spaces, digits, itself and a line break.
TEST_P(Goldens, EveryCodepoint) {
  const auto block_size = goldens_["plane_block"].get<char32_t>();
  for (char32_t first = 0; first < 0x110000; first += block_size) {
    std::string text;
    for (char32_t code = first; code < first + block_size; ++code) {
      if (code >= 0xD800 && code < 0xE000) continue;
      std::string c;
      append_utf8(c, code);
      text += "a" + c + "b " + c + " 1" + c + c + "\n" + c + " x " + c + "\n";
    }
    Digest digest;
    digest.add(tokenizer_->encode(text, SpecialTokens::kMatch));
    EXPECT_EQ(digest.text(), goldens_["planes"][first / block_size].get<std::string>())
        << fmt::format("U+{:04X}", static_cast<uint32_t>(first));
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Goldens, ::testing::Values("small", "A", "B"),
                         [](const auto& instance) { return std::string(instance.param); });

// The list of docs/janus-pro.md 6.5, which comes from other programs.
TEST(PublishedTokenizer, KnownEncodings) {
  const std::optional<Tokenizer> pro_7b = variant_tokenizer("A");
  const std::optional<Tokenizer> pro_1b = variant_tokenizer("B");
  if (!pro_7b) GTEST_SKIP() << "BIFRONS_PUBLISHED_TOKENIZERS names no directory";
  const auto encode = [](const Tokenizer& tokenizer, std::string_view text) {
    return tokenizer.encode_with_bos(text, SpecialTokens::kMatch);
  };
  EXPECT_EQ(encode(*pro_1b, "Hello, how are you?"), (Ids{100000, 17464, 11, 946, 418, 340, 30}));
  EXPECT_EQ(encode(*pro_7b, "\n"), (Ids{100000, 185}));
  EXPECT_EQ(encode(*pro_7b, " "), (Ids{100000, 207}));
  EXPECT_EQ(encode(*pro_7b, "a 1"), (Ids{100000, 64, 207, 16}));
  EXPECT_EQ(encode(*pro_7b, "12345"), (Ids{100000, 16, 17, 18, 19, 20}));
  EXPECT_EQ(encode(*pro_7b, "a  b"), (Ids{100000, 64, 207, 270}));
  EXPECT_EQ(encode(*pro_7b, "你好 world"), (Ids{100000, 84313, 1843}));
  EXPECT_EQ(encode(*pro_7b, "Führer"), (Ids{100000, 37, 100014, 71, 6245}));
  EXPECT_EQ(encode(*pro_1b, "Führer"), (Ids{100000, 37, 2874, 71, 6245}));
  EXPECT_EQ(pro_7b->special_ids().pad, 100015);
  EXPECT_EQ(pro_1b->special_ids().begin_of_image, 100003);
}

}  // namespace
}  // namespace bifrons
