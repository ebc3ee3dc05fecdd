// Laws of encoding and decoding, and inputs that must not take long.
#include <gtest/gtest.h>

#include <filesystem>

#include "kernels/error.h"
#include "src/tokenizer/tokenizer.h"
#include "tests/support/temporary_directory.h"
#include "tests/tokenizer/fixture.h"

namespace bifrons {
namespace {

using Ids = std::vector<int32_t>;

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    return error.what();
  }
  return "";
}

TEST(Tokenizer, DecodingGivesTheTextBack) {
  const Tokenizer tokenizer = small_tokenizer();
  const nlohmann::json golden = goldens("small");
  for (const auto& item : golden["cases"]) {
    const std::string text = item["text"];
    const Ids ids = tokenizer.encode(text, SpecialTokens::kMatch);
    bool byte_letters = false;  // tokens of single bytes, see Tokenizer::decode
    for (const int32_t id : ids) {
      byte_letters |= id >= *tokenizer.id_of("ø") && id <= *tokenizer.id_of("ü");
    }
    if (byte_letters) continue;
    EXPECT_EQ(tokenizer.decode(ids, false), text);
  }
}

TEST(Tokenizer, IdsWithoutTokenDecodeToNothing) {
  const Tokenizer tokenizer = small_tokenizer();
  const auto past = static_cast<int32_t>(tokenizer.size());
  const Ids ids = {-1, *tokenizer.id_of("a"), past, past + 1000, *tokenizer.id_of("<|User|>")};
  EXPECT_EQ(tokenizer.decode(ids, false), "a<|User|>");
  EXPECT_EQ(tokenizer.decode(ids, true), "a");
}

TEST(Tokenizer, ReportsInvalidUtf8) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_EQ(message_of([&] { tokenizer.encode("abc\xC3", SpecialTokens::kMatch); }),
            "the text is not valid UTF-8 at byte 3");
}

TEST(Tokenizer, GuardedBytesHoldNoSpecialTokens) {
  const Tokenizer tokenizer = small_tokenizer();
  const std::string text = "<|User|><|User|>";
  const int32_t user = *tokenizer.id_of("<|User|>");
  EXPECT_EQ(tokenizer.encode_guarded(text, 0, 0), (Ids{user, user}));
  const Ids ids = tokenizer.encode_guarded(text, 15, 16);
  EXPECT_EQ(ids.front(), user);
  EXPECT_NE(ids.back(), user);
  EXPECT_THROW(tokenizer.encode_guarded(text, 5, 99), ContractError);
}

// An algorithm with quadratic time would take hours on these inputs.
TEST(Tokenizer, LongRunsTakeLittleTime) {
  const Tokenizer tokenizer = small_tokenizer();
  for (const std::string unit : {"a", " ", "\n", "1", "<", "<image_", "你", "🙂", "é", "ab", "! ",
                                 " \xE2\x80\xA8", "<|User|>", "ü", "e\xCC\x81", "\xE3\x80\x80"}) {
    std::string text;
    while (text.size() < (size_t{1} << 20)) text += unit;
    const Ids ids = tokenizer.encode(text, SpecialTokens::kAsText);
    if (unit == "ü") continue;  // a token that decodes to invalid UTF-8
    EXPECT_EQ(tokenizer.decode(ids, false), text) << unit;
  }
}

class TokenizerDirectory : public ::testing::Test {
 protected:
  void SetUp() override { directory_.write("tokenizer.json", small_tokenizer_json()); }
  testing::TemporaryDirectory directory_;
};

TEST_F(TokenizerDirectory, AddsBosUnlessTheConfigForbidsIt) {
  const auto adds = [&] { return Tokenizer::open(directory_.path()).adds_bos(); };
  EXPECT_TRUE(adds());
  directory_.write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_TRUE(adds());
  directory_.write("tokenizer_config.json", R"({"add_bos_token": true, "add_eos_token": false})");
  EXPECT_TRUE(adds());
  directory_.write("tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_FALSE(adds());
  const Tokenizer plain = Tokenizer::open(directory_.path());
  EXPECT_EQ(plain.encode_with_bos("a", SpecialTokens::kMatch),
            plain.encode("a", SpecialTokens::kMatch));
  directory_.write("tokenizer_config.json", R"({"add_eos_token": true})");
  EXPECT_NE(message_of(adds).find("add_eos_token"), std::string::npos);
  directory_.write("tokenizer_config.json", "[]");
  EXPECT_NE(message_of(adds).find("tokenizer_config.json"), std::string::npos);
}

TEST_F(TokenizerDirectory, ReportsAMissingFile) {
  std::filesystem::remove(directory_ / "tokenizer.json");
  try {
    Tokenizer::open(directory_.path());
    FAIL() << "opened nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMissing);
  }
}

}  // namespace
}  // namespace bifrons
