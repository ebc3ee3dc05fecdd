// Editing and reflection with a toy model that sees and has an encoder: rows and greedy codes equal
// the reference's, pictures depend on nothing else, and every error is one sentence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "src/edit.h"
#include "src/engine/spans.h"
#include "src/reflect.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

EngineOptions edit_options(const std::string& name, int at_once = 1, int speculate = 0) {
  EngineOptions options;
  options.model = golden::directory() + name;
  options.threads = 2;
  options.pictures_at_once = at_once;
  options.speculate = speculate;
  return options;
}

struct Goldens {
  golden::Tensors tensors{golden::directory() + "toy-hf/expected/edit.safetensors"};
  nlohmann::json json;

  Goldens() {
    std::ifstream file(golden::directory() + "toy-hf/expected/edit.json");
    json = nlohmann::json::parse(file);
  }
  Picture picture() const {
    const int64_t side = tensors.shape("picture")[0];
    return {side, side, tensors.values<uint8_t>("picture")};
  }
  const nlohmann::json& edit(const std::string& style) const {
    for (const auto& one : json["cases"]) {
      if (one.value("style", "") == style) return one;
    }
    throw std::runtime_error("no golden of " + style);
  }
  const nlohmann::json& reflection(bool match) const {
    for (const auto& one : json["cases"]) {
      if (one.contains("match") && one["match"] == match) return one;
    }
    throw std::runtime_error("no golden reflection");
  }
};

// The values of a picture's rows in a span.
std::vector<float> values_of(Engine& engine, const EmbeddedPicture& picture) {
  std::vector<Bf16> rounded(picture.rows.count());
  engine.parts().backend.download(rounded.data(), picture.rows);
  std::vector<float> values;
  for (const Bf16 value : rounded) values.push_back(to_float(value));
  return values;
}

std::string message_of(const auto& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class EditGoldens : public ::testing::TestWithParam<const char*> {};

TEST_P(EditGoldens, RowsAndGreedyCodesEqualTheReferences) {
  const Goldens goldens;
  std::string golden_name = GetParam();
  std::replace(golden_name.begin(), golden_name.end(), '-', '_');
  const nlohmann::json& expected = goldens.edit(golden_name);
  Engine engine = Engine::open(edit_options("toy-hf"));
  Editor editor(engine, edit_style(GetParam()));
  editor.show(goldens.picture());
  const auto prompt = editor.prompt(expected["instruction"].get<std::string>());

  const auto ids = goldens.tensors.values<int32_t>(golden_name + ".ids");
  const auto rows = goldens.tensors.values<float>(golden_name + ".rows");
  const auto shape = goldens.tensors.shape(golden_name + ".rows");
  ASSERT_EQ(static_cast<int64_t>(prompt->rows.size()), shape[0]);
  float largest = 0;
  for (const float value : rows) largest = std::max(largest, std::fabs(value));
  for (int64_t r = 0; r < shape[0]; ++r) {
    int64_t at = r * shape[1];
    for (const PromptSpan& span : prompt->rows[r]) {
      for (const int32_t id : span.ids) EXPECT_EQ(id, ids[at++]) << "row " << r;
      if (!span.picture) continue;
      const std::vector<float> values = values_of(engine, *span.picture);
      for (size_t i = 0; i < values.size(); ++i) {
        // The picture's networks compute in bf16 here: a few roundings of 2^-9.
        EXPECT_NEAR(values[i], rows[at * shape[2] + i], largest * 0x1p-5f) << "row " << r;
      }
      at += span.picture->count();
    }
    EXPECT_EQ(at, (r + 1) * shape[1]);
  }

  DrawRequest request;
  request.temperature = 0;
  request.spans = prompt;
  EXPECT_EQ(engine.draw({&request, 1})[0].tokens,
            goldens.tensors.values<int32_t>(golden_name + ".codes"));
}

INSTANTIATE_TEST_SUITE_P(Styles, EditGoldens, ::testing::Values("janus-4o", "janus-pro-r1"),
                         [](const auto& style) {
                           return std::string(style.param) == "janus-4o" ? "janus_4o"
                                                                         : "janus_pro_r1";
                         });

// Three rows and two rows in one call, in lanes of their own or not, with speculation or without.
TEST(Edit, PicturesDependOnTheirOwnRequestsAlone) {
  const Goldens goldens;
  std::vector<std::vector<int32_t>> alone;
  for (const auto& [at_once, speculate] : {std::pair{1, 1}, {1, 8}, {3, 1}, {4, 8}}) {
    Engine engine = Engine::open(edit_options("toy-hf", at_once, speculate));
    Editor full(engine, edit_style("janus-4o")), pair(engine, edit_style("janus-pro-r1"));
    full.show(goldens.picture());
    pair.show(goldens.picture());
    std::vector<DrawRequest> requests(7);
    for (size_t i = 0; i < requests.size(); ++i) {
      requests[i].seed = i / 2;
      requests[i].prompt = "a red cat";
      if (i % 3 == 0) requests[i].spans = full.prompt("make it red");
      if (i % 3 == 1) requests[i].spans = pair.prompt("make it red, and larger");
    }
    if (alone.empty()) {
      for (const DrawRequest& request : requests) {
        alone.push_back(engine.draw({&request, 1})[0].tokens);
      }
    }
    const std::vector<Drawing> drawn = engine.draw(requests);
    for (size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_EQ(drawn[i].tokens, alone[i]) << i << " of " << at_once << " at once";
    }
  }
}

TEST(Edit, EverySettingChangesThePicture) {
  const Goldens goldens;
  Engine engine = Engine::open(edit_options("toy-hf"));
  Editor editor(engine, edit_style("janus-4o"));
  editor.show(goldens.picture());
  const auto draw = [&](const std::string& instruction, double weight, uint64_t seed) {
    EditSettings settings;
    settings.image_guidance = weight;
    DrawRequest request;
    request.seed = seed;
    request.temperature = 4;  // the toy's guided logits lie far apart
    request.spans = editor.prompt(instruction, settings);
    return engine.draw({&request, 1})[0].tokens;
  };
  const auto drawn = draw("a hat", 5, 1);
  EXPECT_EQ(drawn, draw("  a hat\n", 5, 1));
  EXPECT_NE(drawn, draw("a cat on the hill", 5, 1));
  EXPECT_NE(drawn, draw("a hat", 0, 1));
  EXPECT_NE(drawn, draw("a hat", 5, 2));
  Picture other = goldens.picture();
  for (uint8_t& value : other.rgb) value = static_cast<uint8_t>(255 - value);
  editor.show(other);
  EXPECT_NE(drawn, draw("a hat", 5, 1));
}

TEST(Edit, RefusesInOneSentence) {
  const Goldens goldens;
  EXPECT_EQ(message_of([] { edit_style("janus-5o"); }),
            "there is no style \"janus-5o\"; there are janus-4o, janus-pro-r1");
  EXPECT_EQ(edit_style_of("Janus-4o-7B"), &edit_style("janus-4o"));
  EXPECT_EQ(edit_style_of("Janus-Pro-R1-7B"), &edit_style("janus-pro-r1"));
  EXPECT_EQ(edit_style_of("Janus-Pro-7B"), nullptr);

  Engine engine = Engine::open(edit_options("toy-hf"));
  Editor editor(engine, edit_style("janus-4o"));
  editor.show(goldens.picture());
  EXPECT_EQ(message_of([&] { editor.prompt(" \n"); }),
            "the instruction is empty; say what to change in the picture");
  EXPECT_EQ(message_of([&] { editor.prompt("a\xff"); }),
            "the instruction is not valid UTF-8 at byte 1");
  for (const double weight : {-1.0, 101.0, std::nan("")}) {
    EditSettings settings;
    settings.image_guidance = weight;
    EXPECT_TRUE(
        message_of([&] { editor.prompt("a hat", settings); }).starts_with("image guidance must"));
  }
  DrawRequest request;
  request.spans = editor.prompt(std::string(4000, '.'));
  EXPECT_TRUE(engine.fault_of(request)->what() != nullptr);
  EXPECT_NE(std::string(engine.fault_of(request)->what()).find("but this model takes at most"),
            std::string::npos);

  Engine no_encoder = Engine::open(edit_options("toy-sees"));
  EXPECT_NE(message_of([&] {
              Editor(no_encoder, edit_style("janus-4o"));
            }).find("this model has no encoder"),
            std::string::npos);
}

// What is said before a picture is known is what is said with it.
TEST(Edit, FaultsAreKnownWithoutThePicture) {
  const Goldens goldens;
  Engine engine = Engine::open(edit_options("toy-hf"));
  for (const EditStyle& style : edit_styles()) {
    check_edits(engine, style);
    Editor editor(engine, style);
    editor.show(goldens.picture());
    for (const size_t length : {1, 50, 700, 1500, 2500, 4000}) {
      DrawRequest request;
      request.prompt = std::string(length, '.');
      const auto before = fault_of_edit(engine, style, request, {});
      request.spans = editor.prompt(request.prompt);
      const auto with_it = engine.fault_of(request);
      ASSERT_EQ(before.has_value(), with_it.has_value()) << style.name << " " << length;
      if (before) {
        EXPECT_STREQ(before->what(), with_it->what());
      }
    }
    EXPECT_STREQ(fault_of_edit(engine, style, {}, {})->what(),
                 "the instruction is empty; say what to change in the picture");
  }
  Engine blind = Engine::open(edit_options("toy-f32"));
  EXPECT_NE(message_of([&] { check_edits(blind, edit_style("janus-4o")); }), "");
}

// Special tokens in an instruction are text, unless they are allowed.
TEST(Edit, SpecialTokensInInstructionsAreText) {
  const Goldens goldens;
  Engine engine = Engine::open(edit_options("toy-hf"));
  for (const EditStyle& style : edit_styles()) {
    Editor editor(engine, style);
    editor.show(goldens.picture());
    const auto length = [&](bool allowed) {
      EditSettings settings;
      settings.allow_special = allowed;
      return keys_of(editor.prompt("a <end_of_image> b", settings)->rows[0]).size();
    };
    EXPECT_GT(length(false), length(true)) << style.name;
  }
}

TEST(Reflect, RoundsEqualTheReferences) {
  const Goldens goldens;
  Engine engine = Engine::open(edit_options("toy-hf"));
  Understanding understanding = Understanding::open(engine);
  ReflectOptions options;
  options.temperature = 0;
  options.max_tokens = goldens.json["reason_tokens"];
  for (const bool match : {true, false}) {
    const nlohmann::json& expected = goldens.reflection(match);
    DrawRequest request;
    request.prompt = expected["prompt"];
    request.temperature = 0;
    const Reflection rounds = draw_reflected(engine, understanding, request, options);
    ASSERT_EQ(rounds.size(), match ? 1u : 2u);
    EXPECT_EQ(rounds[0].drawing.tokens, expected["codes"].get<std::vector<int32_t>>());
    EXPECT_TRUE(rounds[0].judged);
    EXPECT_EQ(rounds[0].matches, match);
    EXPECT_EQ(rounds[0].reason_tokens, expected["said"].get<std::vector<int32_t>>());
    if (match) continue;
    EXPECT_EQ(engine.encode(rounds[0].drawing.picture),
              expected["seen"].get<std::vector<int32_t>>());
    EXPECT_FALSE(rounds[1].judged);
    EXPECT_EQ(rounds[1].drawing.tokens, expected["again"].get<std::vector<int32_t>>());
  }
}

TEST(Reflect, RoundsAreAFunctionOfTheRequest) {
  Engine engine = Engine::open(edit_options("toy-hf"));
  Understanding understanding = Understanding::open(engine);
  ReflectOptions options;
  options.rounds = 3;
  options.max_tokens = 5;
  bool drew_again = false;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    DrawRequest request;
    request.prompt = "a red cat";
    request.seed = seed;
    int64_t most = 0;
    const Reflection rounds =
        draw_reflected(engine, understanding, request, options, [&](int64_t done, int64_t total) {
          EXPECT_EQ(total, 4 * engine.model().image_tokens);
          most = std::max(most, done);
          return true;
        });
    EXPECT_EQ(rounds[0].drawing.tokens, engine.draw({&request, 1})[0].tokens);
    EXPECT_EQ(rounds[0].seed, seed);
    EXPECT_EQ(most, static_cast<int64_t>(rounds.size()) * engine.model().image_tokens);
    Engine other = Engine::open(edit_options("toy-hf", 1, 8));
    Understanding others = Understanding::open(other);
    const Reflection same = draw_reflected(other, others, request, options);
    ASSERT_EQ(same.size(), rounds.size());
    EXPECT_EQ(reflection_json(same), reflection_json(rounds));
    EXPECT_EQ(same.back().drawing.tokens, rounds.back().drawing.tokens);
    for (size_t i = 0; i + 1 < rounds.size(); ++i) {
      EXPECT_FALSE(rounds[i].matches);
      EXPECT_LE(rounds[i].reason_tokens.size(), 5u);
      EXPECT_NE(rounds[i + 1].seed, rounds[i].seed);
      drew_again = true;
    }
    EXPECT_EQ(rounds.back().matches, rounds.size() < 4 || rounds.back().judged);
  }
  EXPECT_TRUE(drew_again);
}

TEST(Reflect, RefusesInOneSentence) {
  Engine engine = Engine::open(edit_options("toy-hf"));
  Understanding understanding = Understanding::open(engine);
  DrawRequest request;
  request.prompt = "a hat";
  const auto message = [&](const ReflectOptions& options) {
    return message_of([&] { check_reflection(engine, understanding, request, options); });
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.rounds = 0}),
            "reflection has 1 to 16 rounds, and a reason at least one token");
  EXPECT_EQ(message({.max_tokens = 0}),
            "reflection has 1 to 16 rounds, and a reason at least one token");
  EXPECT_NE(message({.temperature = -1}), "");
  EXPECT_TRUE(message({.max_tokens = 2000}).starts_with("the prompt has "));

  Engine sees = Engine::open(edit_options("toy-sees"));
  Understanding without_encoder = Understanding::open(sees);
  EXPECT_NE(message_of([&] {
              check_reflection(sees, without_encoder, request, {});
            }).find("this model has no encoder"),
            std::string::npos);
}

}  // namespace
}  // namespace bifrons
