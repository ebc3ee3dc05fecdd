// Conversations with a toy model: the prefix cache changes no result, and every error is one
// message.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "src/engine/best_of.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons {
namespace {

using testing::TemporaryDirectory;

EngineOptions options_of(const std::string& model) {
  EngineOptions options;
  options.model = model;
  options.threads = 2;
  return options;
}

Picture picture(int kind, int64_t width = 40, int64_t height = 25) {
  Picture made{width, height, {}};
  for (int64_t i = 0; i < width * height * 3; ++i) {
    made.rgb.push_back(static_cast<uint8_t>(i * (31 + 7 * kind) + i / 64 * kind));
  }
  return made;
}

struct Sees {
  Engine engine = Engine::open(options_of(golden::directory() + "toy-sees"));
  Understanding understanding = Understanding::open(engine);

  Reply ask(const Picture& shown, std::string_view words, const ReplyOptions& options = {}) {
    understanding.reset();
    understanding.show(shown);
    return understanding.say(words, options);
  }
};

ReplyOptions at_most(int64_t tokens) {
  ReplyOptions options;
  options.max_tokens = tokens;
  return options;
}

TEST(Understanding, GreedyRepliesEqualTheReferences) {
  // An f32 model: bf16 rounding may decide a near tie either way.
  for (const char* name : {"toy-f32"}) {
    const std::string directory = golden::directory() + name;
    const golden::Tensors expected(directory + "/expected/understanding.safetensors");
    std::ifstream file(directory + "/expected/understanding.json");
    const auto json = nlohmann::json::parse(file);
    const auto pixels = expected.values<uint8_t>("see.pictures");
    const int64_t side = json["tower"]["image_size"];
    Engine engine = Engine::open(options_of(directory));
    Understanding understanding = Understanding::open(engine);
    size_t ask = expected.has("ask0.ids") ? 0 : 1;
    for (const auto& conversation : json["conversations"]) {
      const std::string prefix = "ask" + std::to_string(ask++);
      if (conversation["turns"].size() != 1) continue;  // replies written by the reference script
      understanding.reset();
      understanding.set_system_prompt(conversation["system"]);
      for (int number : conversation["turns"][0]["pictures"]) {
        const auto begin = pixels.begin() + number * side * side * 3;
        understanding.show({side, side, {begin, begin + side * side * 3}});
      }
      const auto said = expected.values<int32_t>(prefix + ".tokens");
      const Reply reply = understanding.say(conversation["turns"][0]["words"].get<std::string>(),
                                            at_most(static_cast<int64_t>(said.size())));
      EXPECT_EQ(reply.tokens,
                std::vector<int32_t>(said.begin(), said.begin() + reply.tokens.size()))
          << name;
      EXPECT_EQ(reply.prompt_tokens, expected.shape(prefix + ".ids")[0]);
    }
  }
}

TEST(Understanding, PrefixCacheChangesNoReply) {
  Sees sees;
  sees.understanding.show(picture(1));
  const Reply first = sees.understanding.say("what is it?", at_most(6));
  EXPECT_EQ(first.cached_tokens, 0);
  sees.understanding.show(picture(2));
  const Reply second = sees.understanding.say("and this?", at_most(6));
  EXPECT_GT(second.cached_tokens, 16) << "the first picture is not looked at again";

  Sees fresh;  // the same conversation with an empty cache
  fresh.understanding.show(picture(1));
  EXPECT_EQ(fresh.understanding.say("what is it?", at_most(6)).tokens, first.tokens);
  fresh.understanding.judge(picture(3), "is it?");  // clears the cache
  fresh.understanding.show(picture(2));
  const Reply again = fresh.understanding.say("and this?", at_most(6));
  EXPECT_LT(again.cached_tokens, second.cached_tokens);
  EXPECT_EQ(again.tokens, second.tokens);
  EXPECT_EQ(again.prompt_tokens, second.prompt_tokens);
}

TEST(Understanding, PicturesChangeTheReply) {
  Sees sees;
  ReplyOptions options = at_most(8);
  const Reply one = sees.ask(picture(1), "what?", options);
  EXPECT_EQ(sees.ask(picture(1), "what?", options).tokens, one.tokens);
  EXPECT_NE(sees.ask(picture(2), "what?", options).tokens, one.tokens);
  EXPECT_EQ(one.prompt_tokens, sees.ask(picture(2, 7, 300), "what?", options).prompt_tokens);
}

TEST(Understanding, SampledRepliesDependOnlyOnTheSeed) {
  Sees sees;
  ReplyOptions options = at_most(8);
  options.temperature = 1;
  options.seed = 7;
  const Reply seven = sees.ask(picture(1), "what?", options);
  EXPECT_EQ(sees.ask(picture(1), "what?", options).tokens, seven.tokens);
  options.seed = 8;
  EXPECT_NE(sees.ask(picture(1), "what?", options).tokens, seven.tokens);
  options.top_k = 1;
  EXPECT_EQ(sees.ask(picture(1), "what?", options).tokens,
            sees.ask(picture(1), "what?", at_most(8)).tokens)
      << "the likeliest of one is greedy";
}

TEST(Understanding, ListenersGetTheTextAndMayStop) {
  Sees sees;
  sees.understanding.show(picture(1));
  std::string heard;
  const Reply reply = sees.understanding.say("what?", at_most(12), [&](std::string_view piece) {
    heard += piece;
    return true;
  });
  EXPECT_EQ(heard, reply.text);
  sees.understanding.reset();
  sees.understanding.show(picture(1));
  int pieces = 0;
  const Reply left =
      sees.understanding.say("what?", at_most(12), [&](std::string_view) { return ++pieces < 2; });
  EXPECT_EQ(left.end, ReplyEnd::kLeft);
  EXPECT_EQ(pieces, 2);
  EXPECT_TRUE(reply.text.starts_with(left.text));
}

TEST(Understanding, JudgementsAreProbabilities) {
  Sees sees;
  const Judgement one = sees.understanding.judge(picture(1), "Is it a hat?");
  EXPECT_GT(one.yes, 0);
  EXPECT_GT(one.no, 0);
  EXPECT_LT(one.yes + one.no, 1);
  EXPECT_NEAR(one.score(), one.yes / (one.yes + one.no), 1e-12);
  const Judgement again = sees.understanding.judge(picture(1), "Is it a hat?");
  EXPECT_EQ(one.yes, again.yes);
  EXPECT_NE(one.yes, sees.understanding.judge(picture(2), "Is it a hat?").yes);
  EXPECT_EQ(sees.understanding.match_question("a cat"),
            "Does this picture show \"a cat\"? Answer Yes or No.");
  EXPECT_EQ(question_about(sees.understanding.match_template(), "a cat"),
            sees.understanding.match_question("a cat"));
  EXPECT_EQ(question_about("{prompt}? {prompt}!", "a {prompt}"), "a {prompt}? a {prompt}!");
}

TEST(Understanding, TheBestOfSeveralIsOneOfThem) {
  Sees sees;
  DrawRequest request;
  request.prompt = "a red cat";
  request.seed = 5;
  const ChosenDrawing chosen = draw_best(sees.engine, sees.understanding, request, 4);
  ASSERT_EQ(chosen.candidates.size(), 4u);
  for (const auto& candidate : chosen.candidates) {
    EXPECT_LE(candidate.judgement.score(), chosen.candidates[chosen.kept].judgement.score());
  }
  EXPECT_EQ(chosen.candidates[2].seed, 7u);
  request.seed = chosen.candidates[chosen.kept].seed;
  const auto alone = sees.engine.draw({&request, 1});
  EXPECT_EQ(alone[0].tokens, chosen.drawing.tokens) << "judging changes no picture";
  EXPECT_EQ(alone[0].picture.rgb, chosen.drawing.picture.rgb);
}

// A drawing that a test can recognise.
Drawing drawing_of(int32_t number) {
  Drawing drawing;
  drawing.tokens = {number};
  drawing.seconds = 1;
  return drawing;
}

TEST(Choosing, OrderOfCandidatesChangesNothing) {
  const std::vector<Judgement> judgements = {{0.1, 0.3}, {0.3, 0.1}, {0.6, 0.2}, {0.2, 0.2}};
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    Choosing choosing("is it?", 6);  // two candidates never arrive
    for (const size_t i : order) {
      choosing.add(i + 1, 50 + i, judgements[i], drawing_of(static_cast<int32_t>(i)));
    }
    const auto chosen = choosing.finish();
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen->kept, 1u) << "the first of two that are equally good";
    EXPECT_EQ(chosen->drawing.tokens, std::vector<int32_t>{1});
    EXPECT_EQ(chosen->drawing.seconds, 4);
    ASSERT_EQ(chosen->candidates.size(), 4u);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(chosen->candidates[i].seed, 50 + i);
    const auto json = nlohmann::json::parse(choice_json(*chosen));
    EXPECT_EQ(json["kept"], 51);
    EXPECT_EQ(json["question"], "is it?");
    EXPECT_EQ(json["candidates"][2]["yes"], 0.6);
    EXPECT_EQ(json["candidates"][0]["score"], judgements[0].score());
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_FALSE(Choosing("is it?", 2).finish());
}

TEST(Understanding, LongConversationsAreRefusedAndCanGoOn) {
  Engine engine = Engine::open(options_of(golden::directory() + "grouped-query"));
  Understanding understanding = Understanding::open(engine);
  understanding.set_system_prompt("");
  understanding.show(picture(1));
  const Reply before = understanding.say("what?", at_most(4));
  const std::string long_words(400, 'x');
  try {
    understanding.say(long_words);
    FAIL() << "128 positions";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find("at most 128"), std::string::npos) << error.what();
  }
  EXPECT_GT(understanding.say("and?", at_most(4)).prompt_tokens, before.prompt_tokens);
  understanding.reset();
  const Reply cut = understanding.say("what?", at_most(100'000));
  if (cut.end == ReplyEnd::kLength) {
    EXPECT_EQ(cut.prompt_tokens + static_cast<int64_t>(cut.tokens.size()), 129);
  }
}

TEST(Understanding, InvalidSettingsAreUsageErrors) {
  Sees sees;
  const auto kind_of = [&](auto change) {
    ReplyOptions options = at_most(2);
    change(options);
    try {
      sees.understanding.say("what?", options);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kFailed;
  };
  EXPECT_EQ(kind_of([](ReplyOptions& o) { o.temperature = -1; }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of([](ReplyOptions& o) { o.temperature = NAN; }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of([](ReplyOptions& o) { o.top_p = 0; }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of([](ReplyOptions& o) { o.max_tokens = 0; }), ErrorKind::kUsage);
}

// A copy of a toy model whose config.json was changed.
std::string changed_copy(const TemporaryDirectory& scratch, const std::string& name,
                         const std::function<void(nlohmann::json&)>& change) {
  const auto to = scratch.path() / "model";
  std::filesystem::copy(golden::directory() + name, to, std::filesystem::copy_options::recursive);
  std::ifstream in(to / "config.json");
  auto json = nlohmann::json::parse(in);
  change(json);
  std::ofstream(to / "config.json") << json;
  return to.string();
}

TEST(Understanding, ReportsAMissingTower) {
  const TemporaryDirectory scratch;
  const std::string model = changed_copy(scratch, "toy-sees", [](nlohmann::json& config) {
    config.erase("vision_config");
    config.erase("aligner_config");
  });
  Engine engine = Engine::open(options_of(model));
  try {
    Understanding::open(engine);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_NE(std::string(error.what()).find("draws but does not see"), std::string::npos);
  }
  DrawRequest request;
  EXPECT_EQ(engine.draw({&request, 1}).size(), 1u) << "it still draws";
}

TEST(Understanding, ATowerOfAnotherSizeIsRefusedByName) {
  const TemporaryDirectory scratch;
  const std::string model = changed_copy(scratch, "toy-sees", [](nlohmann::json& config) {
    config["vision_config"]["params"]["layers"] = 4;
  });
  Engine engine = Engine::open(options_of(model));
  try {
    Understanding::open(engine);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("blocks.3.norm1.weight is missing"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace bifrons
