// Thinking before drawing: the reference's ids, thoughts and codes; thoughts do not know each
// other; nothing that is in the cache is run again.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "src/engine/thinking.h"
#include "src/model/config.h"
#include "tests/engine/lane_toy.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

std::string toy(const std::string& name) { return golden::directory() + name; }

Engine thinking_toy(const std::string& name = "toy-f32", int threads = 2, int speculate = 1) {
  return Engine::open(
      {.model = toy(name), .device = "cpu", .threads = threads, .speculate = speculate});
}

ThinkOptions short_style(const std::string& name, int64_t tokens) {
  ThinkOptions options{thought_style(name), {}, {}};
  options.style.max_tokens = tokens;
  return options;
}

struct Drawn {
  std::map<uint64_t, Drawing> drawings;
  BatchStats stats;
};

Drawn draw_thinking(Engine& engine, const std::vector<DrawRequest>& requests,
                    BatchOptions options) {
  Drawn drawn;
  size_t next = 0;
  drawn.stats = engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (next == requests.size()) return {};
        const size_t id = next++;
        return BatchJob{id, requests[id]};
      },
      [&](BatchResult result) {
        ASSERT_TRUE(result.drawing.has_value()) << result.error->what();
        drawn.drawings.emplace(result.id, std::move(*result.drawing));
      },
      options);
  return drawn;
}

std::vector<int32_t> ids_in(const nlohmann::json& values) {
  return values.get<std::vector<int32_t>>();
}

TEST(Thinking, IdsThoughtsAndCodesEqualTheReferences) {
  const std::string directory = toy("toy-f32");
  std::ifstream file(directory + "/expected/thinking.json");
  ASSERT_TRUE(file.good());
  const auto json = nlohmann::json::parse(file);
  Engine engine = thinking_toy();
  const Config config = read_config(directory);
  std::map<std::string, int> cases;
  for (const auto& golden : json["cases"]) {
    const std::string name = golden["style"];
    SCOPED_TRACE(name + ": " + golden["prompt"].get<std::string>());
    ++cases[name];
    ThinkOptions options{thought_style(name), {}, {}};
    options.style.temperature = 0;
    options.style.max_tokens = golden["max_tokens"];
    options.style.stop = golden["stop"].get<std::vector<std::string>>();
    DrawRequest request{.prompt = golden["prompt"], .temperature = 0};
    request.thinking = engine.thinking(options);
    EXPECT_EQ(thought_prompt(*request.thinking, config, request).ids, ids_in(golden["ask_ids"]));
    const Drawing drawing = engine.draw({&request, 1}).at(0);
    ASSERT_NE(drawing.thought, nullptr);
    EXPECT_EQ(drawing.thought->tokens, ids_in(golden["thought_ids"]));
    EXPECT_EQ(drawing.thought->text, golden["thought"].get<std::string>());
    EXPECT_EQ(drawing.thought->end == ThoughtEnd::kDone, golden["stopped"].get<bool>());
    const GuidedPrompt rows = prompt_after(*request.thinking, config, request, *drawing.thought);
    EXPECT_EQ(rows.prompted, ids_in(golden["draw_ids"]));
    EXPECT_EQ(rows.unprompted, ids_in(golden["null_ids"]));
    EXPECT_EQ(drawing.tokens, ids_in(golden["codes"]));
  }
  for (const std::string& name : thought_styles()) EXPECT_EQ(cases[name], 4) << name;
}

// Requests with two styles, with and without thoughts, some of them given.
std::vector<DrawRequest> mixed(Engine& engine) {
  const auto same = engine.thinking(short_style("reasongen-r1", 9));
  const auto other = engine.thinking(short_style("janus-pro-r1", 14));
  ThinkOptions given = short_style("got-r1", 5);
  given.thought = "A <|obj_start|>cat<|obj_end|>";
  const auto told = engine.thinking(given);
  std::vector<DrawRequest> requests(9);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].prompt = "a cat on hill " + std::to_string(i / 2);
    requests[i].seed = 5 * i + 1;
    requests[i].temperature = i % 3 == 0 ? 0.5 : 1;
    if (i % 4 == 0) requests[i].thinking = same;
    if (i % 4 == 1) requests[i].thinking = other;
    if (i % 4 == 2) requests[i].thinking = told;
    if (i % 5 == 3) requests[i].negative_prompt = "blurry";
  }
  return requests;
}

TEST(Thinking, APictureAndItsThoughtDependOnTheirRequestAlone) {
  for (const char* name : {"toy-f32", "toy-hf"}) {
    std::vector<Drawing> alone;
    {
      Engine engine = thinking_toy(name, 1);
      for (const DrawRequest& request : mixed(engine)) {
        alone.push_back(engine.draw({&request, 1}).at(0));
      }
    }
    for (const int lanes : {1, 2, 5, 16}) {
      for (const int threads : {1, 3}) {
        Engine engine = thinking_toy(name, threads, threads == 1 ? 1 : 4);
        std::vector<DrawRequest> requests = mixed(engine);
        const Drawn drawn = draw_thinking(engine, requests, {.lanes = lanes});
        for (size_t i = 0; i < requests.size(); ++i) {
          const Drawing& one = drawn.drawings.at(i);
          EXPECT_EQ(one.tokens, alone[i].tokens) << name << " " << i << " of " << lanes;
          ASSERT_EQ(one.thought == nullptr, requests[i].thinking == nullptr) << i;
          if (one.thought) {
            EXPECT_EQ(one.thought->tokens, alone[i].thought->tokens) << i;
          }
        }
      }
    }
  }
}

TEST(Thinking, SeedsGiveDifferentThoughtsAndOneSeedOne) {
  Engine engine = thinking_toy();
  const auto thinking = engine.thinking(short_style("janus-pro-r1", 12));
  std::vector<DrawRequest> requests(4, {.prompt = "a cat", .thinking = thinking});
  requests[1].seed = 1;
  requests[2].seed = uint64_t{1} << 32;
  const auto drawings = engine.draw(requests);
  EXPECT_EQ(drawings[0].thought->tokens, drawings[3].thought->tokens);
  EXPECT_NE(drawings[0].thought->tokens, drawings[1].thought->tokens);
  EXPECT_NE(drawings[0].thought->tokens, drawings[2].thought->tokens);
}

// The prompt of the thought is run once; of the picture's conditional row only the start of the
// image, and the thought's last token where nothing came after it.
TEST(Thinking, InTheSameSequenceNothingIsPrefilledTwice) {
  for (const bool stops : {false, true}) {
    Engine engine = thinking_toy();
    const Config config = read_config(toy("toy-f32"));
    ThinkOptions options = short_style("reasongen-r1", 20);
    options.style.temperature = 0;
    if (stops) {
      std::ifstream file(toy("toy-f32") + "/expected/thinking.json");
      const auto json = nlohmann::json::parse(file);
      for (const auto& golden : json["cases"]) {
        if (golden["style"] == "reasongen-r1" && golden["stopped"].get<bool>()) {
          options.style.stop = golden["stop"].get<std::vector<std::string>>();
        }
      }
    }
    DrawRequest request{.prompt = "Zwölf Füchse, 12 hats"};
    request.thinking = engine.thinking(options);
    const auto ask = std::ssize(thought_prompt(*request.thinking, config, request).ids);
    const Drawn drawn = draw_thinking(engine, {request}, {.lanes = 1});
    const Thought& thought = *drawn.drawings.at(0).thought;
    EXPECT_EQ(thought.end == ThoughtEnd::kDone, stops);
    const auto length = ask + std::ssize(thought.tokens) + 1;
    // The unconditional row shares the begin token with the conditional one.
    EXPECT_EQ(drawn.stats.prefill_rows, ask + (stops ? 1 : 2) + length - 1);
    EXPECT_EQ(drawn.stats.thought_tokens, std::ssize(thought.tokens) + (stops ? 1 : 0));
    EXPECT_EQ(drawn.stats.thought_steps, drawn.stats.thought_tokens - 1);  // the first: prefill
  }
}

// Pictures with one thought share its keys and values.
TEST(Thinking, PicturesThatShareAThoughtRunItOnce) {
  Engine engine = thinking_toy();
  const Config config = read_config(toy("toy-f32"));
  ThinkOptions options = short_style("got-r1", 100);
  options.thought = "a hat on the hill, and twelve more hats beside it, all of them red";
  const auto thinking = engine.thinking(options);
  std::vector<DrawRequest> requests(3, {.prompt = "hats", .thinking = thinking});
  for (size_t i = 0; i < requests.size(); ++i) requests[i].seed = i;
  const auto length = std::ssize(
      prompt_after(*thinking, config, requests[0], given_thought(*thinking, false)).prompted);
  const Drawn drawn = draw_thinking(engine, requests, {.lanes = 3});
  // Both rows of the first picture, and the last token of each other row.
  EXPECT_LE(drawn.stats.prefill_rows, 2 * length + 2 * 2);
}

// A recorded thought gives the picture that was drawn when it was written.
TEST(Thinking, ARecordedThoughtGivesTheSamePicture) {
  for (const char* name : {"reasongen-r1", "got-r1", "janus-pro-r1"}) {
    Engine engine = thinking_toy();
    ThinkOptions options = short_style(name, 15);
    DrawRequest request{.prompt = "a red cat", .seed = 11};
    request.thinking = engine.thinking(options);
    const Drawing written = engine.draw({&request, 1}).at(0);
    options.thought = written.thought->text;
    options.tokens = written.thought->tokens;
    Engine other = thinking_toy();
    request.thinking = other.thinking(options);
    const Drawing again = other.draw({&request, 1}).at(0);
    EXPECT_EQ(again.tokens, written.tokens) << name;
    EXPECT_EQ(again.picture.rgb, written.picture.rgb) << name;
  }
}

TEST(Thinking, TheListenerHearsEveryThoughtWhole) {
  Engine engine = thinking_toy();
  std::vector<DrawRequest> requests = mixed(engine);
  std::map<uint64_t, std::string> heard;
  std::map<uint64_t, int> ends;
  BatchOptions options{.lanes = 3};
  options.on_thought = [&](const ThoughtPiece& piece) {
    heard[piece.id] += piece.text;
    ends[piece.id] += piece.last;
  };
  const Drawn drawn = draw_thinking(engine, requests, options);
  for (const auto& [id, drawing] : drawn.drawings) {
    if (!requests[id].thinking || options_of(*requests[id].thinking).thought) continue;
    EXPECT_NE(drawing.thought->text.find(heard.at(id)), std::string::npos);
    EXPECT_EQ(ends.at(id), 1);
  }
}

TEST(Thinking, ThoughtsAloneDrawNothing) {
  Engine engine = thinking_toy();
  std::vector<DrawRequest> requests = mixed(engine);
  std::erase_if(requests, [](const DrawRequest& r) { return r.thinking == nullptr; });
  const Drawn drawn = draw_thinking(engine, requests, {.lanes = 2, .thoughts_only = true});
  const auto whole = engine.draw(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_TRUE(drawn.drawings.at(i).tokens.empty());
    EXPECT_EQ(drawn.drawings.at(i).thought->tokens, whole[i].thought->tokens) << i;
  }
}

// Many thoughts in few lanes, with prompts that outgrow the first memory.
TEST(Thinking, MemoryGrowsForLongThoughts) {
  Engine engine = thinking_toy();
  const auto thinking = engine.thinking(short_style("t2i-r1", 60));
  std::vector<DrawRequest> requests(7, {.prompt = "a cat", .thinking = thinking});
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].seed = i;
    requests[i].prompt += std::string(40 * i, 'y');
  }
  const Drawn together = draw_thinking(engine, requests, {.lanes = 3});
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(engine.draw({&requests[i], 1}).at(0).tokens, together.drawings.at(i).tokens) << i;
  }
}

// Lanes with a text head, and tasks that think about different things.
struct ThinkingToy {
  testing::LaneToy toy;
  std::unique_ptr<TextHead> head;
  Tokenizer tokenizer = Tokenizer::open(golden::directory() + "toy-f32");

  explicit ThinkingToy(Backend& backend) : toy(backend, "toy-f32") {
    const std::string directory = golden::directory() + "toy-f32";
    head = load_text_head(backend, toy.config, Checkpoint::open(directory), directory);
  }
  DrawRequest request(uint64_t id, const std::string& style) const {
    DrawRequest request{.prompt = "hat " + std::to_string(id), .seed = id};
    request.thinking = prepare_thinking(tokenizer, toy.config, short_style(style, 8 + 3 * id));
    return request;
  }
  ThoughtTask task(uint64_t id) const {
    ThoughtTask task{.id = id, .request = request(id, "got-r1")};
    const ThoughtPrompt prompt = thought_prompt(*task.request.thinking, toy.config, task.request);
    task.prompt = prompt.ids;
    task.most = prompt.most;
    return task;
  }
};

// As a device: captured and padded steps of a picture that run ahead of the host, beside thoughts.
TEST(Thinking, StepsThatRunAheadChangeNoThoughtAndNoPicture) {
  const auto backend = make_cpu_backend(1);
  ThinkingToy thinks(*backend);
  using Found = std::map<uint64_t, std::vector<int32_t>>;
  const auto run = [&](bool as_device) {
    Lanes lanes = thinks.toy.lanes(as_device);
    lanes.reserve(4);
    lanes.set_text_head(thinks.head.get());
    std::vector<LanePicture> pictures;
    pictures.push_back(thinks.toy.picture(0));
    lanes.make_room(std::ssize(pictures[0].prompt.prompted));
    EXPECT_TRUE(lanes.admit(std::move(pictures)).empty());
    std::vector<ThoughtTask> tasks;
    for (uint64_t id = 1; id <= 3; ++id) {
      tasks.push_back(thinks.task(id));
      lanes.make_room(std::ssize(tasks.back().prompt) + tasks.back().most);
    }
    EXPECT_TRUE(lanes.begin_thoughts(std::move(tasks)).empty());
    Found found;
    while (lanes.busy() + lanes.thinking() > 0) {
      for (ThoughtTask& task : lanes.take_thoughts()) found[task.id] = std::move(task.tokens);
      lanes.think();
      lanes.step();
      for (LanePicture& picture : lanes.take_finished()) found[0] = std::move(picture.codes);
    }
    EXPECT_EQ(lanes.idle(), 4);
    return found;
  };
  const Found found = run(false);
  EXPECT_EQ(found.size(), 4u);
  EXPECT_EQ(found.at(0), thinks.toy.alone(thinks.toy.picture(0)));
  EXPECT_EQ(run(true), found);
}

std::string refusal(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Thinking, WhatDoesNotFitIsOneSentence) {
  Engine engine = thinking_toy("grouped-query");  // 128 positions
  DrawRequest request{.prompt = "a cat"};
  request.thinking = engine.thinking({thought_style("t2i-r1"), {}, {}});
  EXPECT_NE(engine.fault_of(request)->what(), nullptr);
  EXPECT_NE(std::string(engine.fault_of(request)->what()).find("leave no room"), std::string::npos);

  ThinkOptions options{thought_style("janus-pro-r1"), {}, {}};
  options.style.stop = {"no token at all"};
  EXPECT_NE(refusal([&] { engine.thinking(options); }).find("\"no token at all\""),
            std::string::npos);
  options = {thought_style("janus-pro-r1"), {}, {}};
  options.style.user = "<|Human|>";
  EXPECT_NE(refusal([&] { engine.thinking(options); }).find("<|Human|>"), std::string::npos);
  options = {thought_style("got-r1"), {}, {}};
  options.style.added_tokens.insert(options.style.added_tokens.end(), {"<|a|>", "<|b|>"});
  EXPECT_NE(refusal([&] { engine.thinking(options); }).find("adds 6 tokens"), std::string::npos);
  options = {thought_style("got-r1"), "a \xff", {}};
  EXPECT_NE(refusal([&] { engine.thinking(options); }).find("not valid UTF-8 at byte 2"),
            std::string::npos);
  options = {thought_style("got-r1"), "a", {5, 307}};
  EXPECT_NE(refusal([&] { engine.thinking(options); }).find("token 307"), std::string::npos);
}

// The thought is cut to what the model's positions leave.
TEST(Thinking, AThoughtThatNeverEndsIsCutAndThePictureDrawn) {
  Engine engine = thinking_toy("grouped-query");
  ThinkOptions options{thought_style("reasongen-r1"), {}, {}};
  options.style.ask = "{prompt}";
  options.style.stop = {"<|User|>"};
  options.style.temperature = 0;
  DrawRequest request{.prompt = "a cat"};
  request.thinking = engine.thinking(options);
  const Drawing drawing = engine.draw({&request, 1}).at(0);
  EXPECT_EQ(drawing.thought->end, ThoughtEnd::kLength);
  EXPECT_FALSE(drawing.tokens.empty());
}

TEST(Thinking, AnEmptyThoughtDraws) {
  for (const char* name : {"reasongen-r1", "janus-pro-r1"}) {
    Engine engine = thinking_toy();
    ThinkOptions options = short_style(name, name[0] == 'r' ? 1 : 4);
    if (name[0] == 'j') options.thought = "";
    DrawRequest request{.prompt = "a cat"};
    request.thinking = engine.thinking(options);
    const Drawing drawing = engine.draw({&request, 1}).at(0);
    EXPECT_EQ(drawing.thought->text, "");
    EXPECT_FALSE(drawing.tokens.empty());
  }
}

// Special tokens in a prompt or in a given thought are text, on both sides of what a style says.
TEST(Thinking, SpecialTokensInWordsAreText) {
  Engine engine = thinking_toy();
  const Config config = read_config(toy("toy-f32"));
  ThinkOptions options{thought_style("janus-pro-r1"), "b <begin_of_image>", {}};
  options.style.draw = "{prompt} <|Assistant|> {thought}";
  DrawRequest request{.prompt = "a <|User|>"};
  request.thinking = engine.thinking(options);
  const Tokenizer& tokenizer = *request.thinking->tokenizer;
  const auto count = [&](const char* token) {
    const auto ids = prompt_after(*request.thinking, config, request,
                                  given_thought(*request.thinking, request.allow_special))
                         .prompted;
    return std::count(ids.begin(), ids.end(), *tokenizer.id_of(token));
  };
  EXPECT_EQ(count("<|User|>"), 1);       // the role
  EXPECT_EQ(count("<|Assistant|>"), 2);  // the role and the style's own
  EXPECT_EQ(count("<begin_of_image>"), 1);
  request.allow_special = true;
  EXPECT_EQ(count("<|User|>"), 2);
  EXPECT_EQ(count("<begin_of_image>"), 2);
}

}  // namespace
}  // namespace bifrons
