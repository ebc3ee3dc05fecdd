// The settings in a picture are the ones that made it.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include "src/prompts/setting_names.h"
#include "src/settings/settings.h"
#include "tools/bifrons/settings.h"
#include "tools/bifrons/tokens_file.h"

namespace bifrons::testing {
namespace {

using namespace cli;

ModelInfo toy_model() {
  ModelInfo model;
  model.name = "toy: \"one\"";
  model.weights_hash = "0123456789abcdef";
  model.image_size = 384;
  model.image_tokens = 576;
  return model;
}

DrawRequest full_request() {
  DrawRequest request;
  request.prompt = "a fox\n  Negative prompt: mine\n\xe7\x8c\xab";
  request.negative_prompt = "a dog";
  request.seed = std::numeric_limits<uint64_t>::max();
  request.guidance = 0.1;
  request.temperature = 1.0 / 3;
  request.top_k = 50;
  request.top_p = 0.95;
  request.allow_special = true;
  return request;
}

TEST(Settings, SeedsAreWholeOrRandom) {
  EXPECT_EQ(parse_seed("--seed", "18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_seed("--seed", "0"), 0u);
  EXPECT_NE(parse_seed("--seed", "-1"), parse_seed("--seed", "-1"));
  for (const char* bad : {"-2", "18446744073709551616", "", "1.0", " 1", "-01"}) {
    EXPECT_THROW(parse_seed("--seed", bad), Error) << bad;
  }
}

TEST(Settings, ComeBackExactly) {
  const DrawRequest request = full_request();
  const PictureMetadata metadata =
      describe(request, RopeMode::kBf16, toy_model(), "cpu avx2, 2 threads");
  const Settings settings = settings_of_picture(metadata, "x");
  const DrawRequest again = request_of(settings);
  EXPECT_EQ(again.prompt, request.prompt);
  EXPECT_EQ(again.negative_prompt, request.negative_prompt);
  EXPECT_EQ(again.seed, request.seed);
  EXPECT_EQ(again.guidance, request.guidance);
  EXPECT_EQ(again.temperature, request.temperature);
  EXPECT_EQ(again.top_k, request.top_k);
  EXPECT_EQ(again.top_p, request.top_p);
  EXPECT_EQ(again.allow_special, request.allow_special);
  EXPECT_EQ(settings.rope, RopeMode::kBf16);
  EXPECT_EQ(settings.weights_hash, "0123456789abcdef");
  for (char c : metadata.settings) EXPECT_TRUE(c >= 0x20 && c < 0x7f);  // ASCII fits every carrier
}

// A prompt with control characters can be drawn again from the picture.
TEST(Settings, ControlCharactersOfAPromptComeBack) {
  DrawRequest request = full_request();
  request.prompt = "a\x01\x1b[31m fox\x7f\r\xc2\x85";
  request.negative_prompt = "\x07";
  const Settings settings =
      settings_of_picture(describe(request, RopeMode::kF32, toy_model(), "cpu"), "x");
  EXPECT_EQ(settings.prompt, request.prompt);
  EXPECT_EQ(settings.negative_prompt, request.negative_prompt);
  request.prompt.push_back('\0');
  EXPECT_THROW(settings_of_picture(describe(request, RopeMode::kF32, toy_model(), "cpu"), "x"),
               Error);
}

// Each row of the table has names of its own and accepts its own default.
TEST(Settings, RowsOfTheTableFitTogether) {
  std::multiset<std::string> words;
  std::set<Field> fields;
  for_each_setting([&](const auto& setting) {
    EXPECT_TRUE(fields.insert(setting.field).second) << setting.name;
    std::istringstream names{std::string(setting.names)};
    for (std::string word; names >> word;) {
      words.insert(word);
      EXPECT_EQ(field_of(word), setting.field) << word;
    }
    std::string flags(setting.flags);
    std::replace(flags.begin(), flags.end(), ',', ' ');
    std::istringstream options(flags);
    for (std::string word; options >> word;) words.insert(word);
  });
  for (const std::string& word : words) EXPECT_EQ(words.count(word), 1u) << word;
  EXPECT_NO_THROW(check_ranges(DrawRequest{}));
  for_each_number([](const auto& setting) {
    EXPECT_FALSE(setting.label.empty() || setting.flags.empty() || setting.names.empty());
    EXPECT_EQ(setting.names.substr(0, setting.name.size()), setting.name);
  });
}

TEST(Settings, ThreadsLeaveNoTrace) {
  const DrawRequest request = full_request();
  EXPECT_EQ(describe(request, RopeMode::kF32, toy_model(), "cpu avx2, 2 threads").settings,
            describe(request, RopeMode::kF32, toy_model(), "cpu avx2, 64 threads").settings);
}

// The stored KV cache leaves no trace, so pictures are those of versions without the other one.
TEST(Settings, TheFormatOfTheKvCacheComesBack) {
  ModelInfo model = toy_model();
  const PictureMetadata stored = describe(full_request(), RopeMode::kF32, model, "cpu");
  EXPECT_EQ(stored.settings.find("\"kv\""), std::string::npos);
  EXPECT_EQ(stored.parameters.find("KV cache"), std::string::npos);
  EXPECT_EQ(settings_of_picture(stored, "x").kv, KvFormat::kStored);
  model.kv = KvFormat::kInt8;
  PictureMetadata int8 = describe(full_request(), RopeMode::kF32, model, "cpu");
  EXPECT_NE(int8.parameters.find(", KV cache: int8,"), std::string::npos) << int8.parameters;
  EXPECT_EQ(settings_of_picture(int8, "x").kv, KvFormat::kInt8);
  int8.settings.replace(int8.settings.find("int8"), 4, "int9");
  EXPECT_THROW(settings_of_picture(int8, "x"), Error);
}

TEST(Settings, FlagsWin) {
  Settings flags;
  flags.seed = 1;
  Settings picture;
  picture.seed = 2;
  picture.guidance = 3;
  fill_from(flags, picture);
  EXPECT_EQ(flags.seed, 1u);
  EXPECT_EQ(flags.guidance, 3.0);
  EXPECT_EQ(request_of(flags).temperature, 1.0);
}

// Rules of the A1111 reader, from their description: the last line has at least three `key: value`
// pairs. A stripped line that begins with "Negative prompt:" starts the negative part.
TEST(Settings, ParametersReadAsA1111Reads) {
  const std::string text = describe(full_request(), RopeMode::kBf16, toy_model(), "cpu").parameters;
  const size_t last = text.rfind('\n');
  const std::string line = text.substr(last + 1);
  const std::regex pair(R"re(\s*([\w ][\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$))re");
  std::map<std::string, std::string> pairs;
  for (std::sregex_iterator it(line.begin(), line.end(), pair), end; it != end; ++it) {
    pairs[(*it)[1]] = (*it)[2];
  }
  EXPECT_EQ(pairs["Steps"], "576");
  EXPECT_EQ(pairs["Sampler"], "multinomial");
  EXPECT_EQ(pairs["CFG scale"], "0.1");
  EXPECT_EQ(pairs["Seed"], "18446744073709551615");
  EXPECT_EQ(pairs["Size"], "384x384");
  EXPECT_EQ(pairs["Model"], R"("toy: \"one\"")");
  EXPECT_EQ(pairs["Model hash"], "0123456789abcdef");
  EXPECT_EQ(pairs["Top K"], "50");

  const std::string prompt = text.substr(0, last);
  EXPECT_EQ(prompt, "a fox\n\\Negative prompt: mine\n\xe7\x8c\xab\nNegative prompt: a dog");
}

TEST(Tokens, ComeBackExactly) {
  const std::vector<TokenRecord> one = {{"a fox", 7, {1, 2, 3, 16383}}};
  const std::vector<TokenRecord> two = {{"a fox", 7, {1, 2}}, {"\xe7\x8c\xab", ~uint64_t{0}, {}}};
  for (const auto& records : {one, two}) {
    const auto again = read_tokens(write_tokens(records, toy_model()), "x");
    ASSERT_EQ(again.size(), records.size());
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(again[i].tokens, records[i].tokens);
      EXPECT_EQ(again[i].seed, records[i].seed);
      EXPECT_EQ(again[i].prompt, records[i].prompt);
    }
  }
  EXPECT_EQ(read_tokens("[5, 6]", "x")[0].tokens, (std::vector<int32_t>{5, 6}));
}

}  // namespace
}  // namespace bifrons::testing
