// Invalid tokenizer files: each error message names file and field.
#include <gtest/gtest.h>

#include <functional>

#include "kernels/error.h"
#include "tests/tokenizer/fixture.h"

namespace bifrons {
namespace {

using Json = nlohmann::json;

struct Damage {
  const char* field;  // named in the message
  std::function<void(Json&)> apply;
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> kDamages = {
      {"truncation",
       [](Json& j) {
         j["truncation"] = {{"max_length", 5}};
       }},
      {"padding", [](Json& j) { j["padding"] = true; }},
      {"normalizer",
       [](Json& j) {
         j["normalizer"] = {{"type", "NFC"}};
       }},
      {"normalizer",
       [](Json& j) {
         j["normalizer"]["normalizers"] = {{{"type", "NFC"}}};
       }},
      {"decoder", [](Json& j) { j["decoder"]["type"] = "Metaspace"; }},
      {"pre_tokenizer", [](Json& j) { j.erase("pre_tokenizer"); }},
      {"pretokenizers", [](Json& j) { j["pre_tokenizer"]["pretokenizers"].erase(3); }},
      {"pretokenizers[1].pattern",
       [](Json& j) { j["pre_tokenizer"]["pretokenizers"][1]["pattern"]["Regex"] = "(a+)+$"; }},
      {"pretokenizers[4].",
       [](Json& j) { j["pre_tokenizer"]["pretokenizers"][4]["invert"] = true; }},
      {"pretokenizers[0].",
       [](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; }},
      {"pretokenizers[5].", [](Json& j) { j["pre_tokenizer"]["pretokenizers"][5] = 7; }},
      {"pretokenizers[6].",
       [](Json& j) { j["pre_tokenizer"]["pretokenizers"][6]["add_prefix_space"] = true; }},
      {"post_processor",
       [](Json& j) {
         j["post_processor"] = {{"type", "BertProcessing"}};
       }},
      {"model.type", [](Json& j) { j["model"]["type"] = "Unigram"; }},
      {"model.dropout", [](Json& j) { j["model"]["dropout"] = 0.5; }},
      {"model.unk_token", [](Json& j) { j["model"]["unk_token"] = "a"; }},
      {"model.byte_fallback", [](Json& j) { j["model"]["byte_fallback"] = true; }},
      {"model.ignore_merges", [](Json& j) { j["model"]["ignore_merges"] = true; }},
      {"model.end_of_word_suffix", [](Json& j) { j["model"]["end_of_word_suffix"] = "x"; }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"] = Json::object(); }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"] = Json::array(); }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"]["b"]; }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"]["a"] = 1'000'000; }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"]["a"] = -1; }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"]["a"] = 18446744073709551615u; }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"]["a"] = 1.5; }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"].erase("a"); }},
      {"model.vocab", [](Json& j) { j["model"]["vocab"][""] = j["model"]["vocab"].size(); }},
      {"model.vocab",
       [](Json& j) { j["model"]["vocab"][std::string(600, 'a')] = j["model"]["vocab"].size(); }},
      {"model.merges", [](Json& j) { j["model"]["merges"] = nullptr; }},
      {"model.merges[0]", [](Json& j) { j["model"]["merges"][0] = "a b c"; }},
      {"model.merges[1]", [](Json& j) { j["model"]["merges"][1] = "ab"; }},
      {"model.merges[2]", [](Json& j) { j["model"]["merges"][2] = {"a"}; }},
      {"model.merges[2]",
       [](Json& j) {
         j["model"]["merges"][2] = {"a", 7};
       }},
      {"model.merges[3]", [](Json& j) { j["model"]["merges"][3] = "zzz a"; }},
      {"model.merges[4]", [](Json& j) { j["model"]["merges"][4] = "~ ~"; }},  // result unknown
      {"model.merges[5]", [](Json& j) { j["model"]["merges"][5] = j["model"]["merges"][0]; }},
      {"added_tokens", [](Json& j) { j["added_tokens"] = 1; }},
      {"added_tokens[0].id", [](Json& j) { j["added_tokens"][0]["id"] = 0; }},
      {"added_tokens[3].id", [](Json& j) { j["added_tokens"].erase(3); }},
      {"added_tokens[2].content", [](Json& j) { j["added_tokens"][2]["content"] = ""; }},
      {"added_tokens[4].content",
       [](Json& j) { j["added_tokens"][4]["content"] = j["added_tokens"][3]["content"]; }},
      {"added_tokens[5].single_word", [](Json& j) { j["added_tokens"][5]["single_word"] = true; }},
      {"added_tokens[6].special", [](Json& j) { j["added_tokens"][6]["special"] = "yes"; }},
  };
  return kDamages;
}

TEST(HostileTokenizer, ErrorsNameTheField) {
  const Json good = Json::parse(small_tokenizer_json());
  for (size_t i = 0; i < damages().size(); ++i) {
    Json bad = good;
    damages()[i].apply(bad);
    try {
      Tokenizer::parse(bad.dump(), "\"hostile.json\"");
      ADD_FAILURE() << "damage " << i << " to " << damages()[i].field << " was taken";
    } catch (const Error& error) {
      const std::string sentence = error.what();
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      EXPECT_NE(sentence.find("hostile.json"), std::string::npos) << sentence;
      EXPECT_NE(sentence.find(damages()[i].field), std::string::npos) << sentence;
    }
  }
}

TEST(HostileTokenizer, AcceptsEquivalentForms) {
  Json json = Json::parse(small_tokenizer_json());
  const Tokenizer plain = Tokenizer::parse(json.dump(), "plain");
  for (Json& merge : json["model"]["merges"]) {
    const std::string text = merge;
    const size_t space = text.find(' ');
    merge = {text.substr(0, space), text.substr(space + 1)};
  }
  json["normalizer"] = nullptr;
  json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "[\r\n]";
  json["pre_tokenizer"]["pretokenizers"][5] = {{"type", "Split"},
                                               {"pattern", {{"Regex", "\\p{N}"}}},
                                               {"behavior", "Isolated"},
                                               {"invert", false}};
  json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing", "single":
      [{"SpecialToken": {"id": "<｜begin▁of▁sentence｜>", "type_id": 0}},
       {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}})");
  const Tokenizer other = Tokenizer::parse(json.dump(), "other");
  for (const char* text : {"A red balloon over 12 cats.\r\n\n ½", "Führer 你好 "}) {
    EXPECT_EQ(plain.encode(text, SpecialTokens::kMatch), other.encode(text, SpecialTokens::kMatch));
  }
}

TEST(HostileTokenizer, WhiteSpaceBesideStrippingTokens) {
  Json json = Json::parse(small_tokenizer_json());
  json["added_tokens"].back()["lstrip"] = true;
  json["added_tokens"].back()["rstrip"] = true;
  const std::string token = json["added_tokens"].back()["content"];
  const Tokenizer tokenizer = Tokenizer::parse(json.dump(), "stripping");
  EXPECT_EQ(tokenizer.encode("a \t" + token + " \n " + token + "  b", SpecialTokens::kMatch),
            (std::vector<int32_t>{*tokenizer.id_of("a"), *tokenizer.id_of(token),
                                  *tokenizer.id_of(token), *tokenizer.id_of("b")}));
}

TEST(HostileTokenizer, DeepNestingIsRefused) {
  for (const size_t depth : {size_t{20}, size_t{100'000}, size_t{1'000'000}}) {
    EXPECT_THROW(Tokenizer::parse("{\"model\":" + std::string(depth, '['), "deep"), Error);
  }
}

// Any bytes either work or are refused with an Error.
TEST(HostileTokenizer, ChangedBytesOnlyThrowError) {
  const std::string good = small_tokenizer_json();
  Random random(11);
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bad = good;
    for (uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
      bad[random.below(bad.size())] = static_cast<char>(random.below(256));
    }
    if (random.below(8) == 0) bad.resize(random.below(bad.size()));
    try {
      const Tokenizer tokenizer = Tokenizer::parse(bad, "flipped");
      tokenizer.encode("A red balloon, 12 cats <|User|>", SpecialTokens::kMatch);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace bifrons
