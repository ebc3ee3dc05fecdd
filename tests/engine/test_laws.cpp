// Laws for any weights: a drawing depends only on its request.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "src/bifrons.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

Engine law_toy(const std::string& name, int threads, int pictures_at_once,
               bool decode_beside = false) {
  return Engine::open({.model = golden::directory() + name,
                       .device = "cpu",
                       .threads = threads,
                       .pictures_at_once = pictures_at_once,
                       .decode_beside = decode_beside,
                       .speculate = 1});
}

// Requests that differ in every setting of a lane: lengths, seeds, guidance, filters, negative
// prompts.
std::vector<DrawRequest> mixed_requests() {
  std::vector<DrawRequest> requests(11);
  for (size_t i = 0; i < requests.size(); ++i) {
    DrawRequest& r = requests[i];
    r.prompt = std::string(i * i % 17, 'x') + " a cat on hill " + std::to_string(i);
    r.seed = i * 0x9e3779b97f4a7c15ull;
    r.guidance = static_cast<double>(i % 4) * 1.5;
    r.temperature = i % 5 == 0 ? 0.0 : 0.5 + 0.1 * static_cast<double>(i);
    r.top_k = i % 3 == 0 ? 0 : static_cast<int64_t>(i);
    r.top_p = i % 2 == 0 ? 1.0 : 0.7;
    if (i % 3 == 1) r.negative_prompt = "blurry";
    if (i % 5 == 2) r.prompt = requests[i - 1].prompt;  // another seed of the same prompt
  }
  requests[9].prompt.append(45, 'y');  // longer than the first memory allows
  return requests;
}

// Draws the requests of `order` in that order; drawings by index of the request.
std::map<size_t, Drawing> draw_in_order(Engine& engine, const std::vector<DrawRequest>& requests,
                                        const std::vector<size_t>& order, int lanes) {
  std::map<size_t, Drawing> drawings;
  size_t next = 0;
  engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (next == order.size()) return {};
        const size_t i = order[next++];
        return BatchJob{i, requests[i]};
      },
      [&](BatchResult result) {
        ASSERT_TRUE(result.drawing.has_value()) << result.error->what();
        drawings.emplace(result.id, std::move(*result.drawing));
      },
      {.lanes = lanes});
  EXPECT_EQ(drawings.size(), order.size());
  return drawings;
}

class Laws : public ::testing::TestWithParam<const char*> {};

TEST_P(Laws, APictureAloneIsThePictureInAnyBatchOnAnyThreads) {
  const auto requests = mixed_requests();
  std::vector<Drawing> alone;
  {
    Engine engine = law_toy(GetParam(), 1, 1);
    for (const DrawRequest& r : requests) alone.push_back(engine.draw({&r, 1})[0]);
  }
  for (int at_once : {1, 2, 3, 7, 16}) {
    for (int threads : {1, 2, 3}) {
      Engine engine = law_toy(GetParam(), threads, at_once);
      const auto together = engine.draw(requests);
      for (size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(together[i].tokens, alone[i].tokens) << i << " of " << at_once;
        EXPECT_EQ(together[i].picture.rgb, alone[i].picture.rgb) << i << " of " << at_once;
      }
    }
  }
}

TEST_P(Laws, OrderAndEarlierPicturesChangeNothing) {
  auto requests = mixed_requests();
  Engine engine = law_toy(GetParam(), 2, 3);
  const auto forward = engine.draw(requests);
  std::reverse(requests.begin(), requests.end());
  const auto backward = engine.draw(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(forward[i].tokens, backward[requests.size() - 1 - i].tokens);
  }
}

// The law of batches: a picture depends only on its job. Tested for combinations of batch size,
// order, jobs already drawn by an earlier run (any subset), number of threads, and the thread that
// decodes.
TEST_P(Laws, BatchOrderResumeAndThreadsChangeNoPicture) {
  const auto requests = mixed_requests();
  std::vector<Drawing> alone;
  {
    Engine engine = law_toy(GetParam(), 1, 1);
    for (const DrawRequest& r : requests) alone.push_back(engine.draw({&r, 1})[0]);
  }
  std::mt19937 random(5);
  for (const auto& [threads, beside] : {std::pair{1, false}, {2, true}, {3, false}, {1, true}}) {
    Engine engine = law_toy(GetParam(), threads, 1, beside);
    for (int lanes : {1, 2, 3, 7, 16}) {
      for (int left_out : {0, 3, 8}) {
        std::vector<size_t> order(requests.size());
        std::iota(order.begin(), order.end(), size_t{0});
        std::shuffle(order.begin(), order.end(), random);
        order.resize(order.size() - static_cast<size_t>(left_out));
        for (const auto& [i, drawing] : draw_in_order(engine, requests, order, lanes)) {
          EXPECT_EQ(drawing.tokens, alone[i].tokens) << i << " of " << lanes;
          EXPECT_EQ(drawing.picture.rgb, alone[i].picture.rgb) << i << " of " << lanes;
        }
      }
    }
  }
}

// Speculative decoding gives the same pictures, also when a batch is stopped and resumed.
TEST_P(Laws, SpeculationChangesNoPicture) {
  const auto requests = mixed_requests();
  std::vector<Drawing> alone;
  {
    Engine engine = law_toy(GetParam(), 1, 1);
    for (const DrawRequest& r : requests) alone.push_back(engine.draw({&r, 1})[0]);
  }
  for (const int speculate : {0, 2, 3, 8, 16, 31, 64}) {
    Engine engine = Engine::open({.model = golden::directory() + GetParam(),
                                  .device = "cpu",
                                  .threads = 2,
                                  .speculate = speculate});
    for (const int lanes : {1, 2, 7}) {
      std::map<size_t, Drawing> drawn;
      const auto draw = [&](int64_t most_steps) {
        size_t next = 0;
        int64_t steps = 0;
        engine.draw_batch(
            [&]() -> std::optional<BatchJob> {
              while (next < requests.size() && drawn.contains(next)) ++next;
              if (next == requests.size()) return {};
              const size_t i = next++;
              return BatchJob{i, requests[i]};
            },
            [&](BatchResult result) { drawn.emplace(result.id, std::move(*result.drawing)); },
            {.lanes = lanes,
             .progress = [&](const BatchProgress&) { return ++steps < most_steps; }});
      };
      draw(20);
      draw(1'000'000);
      ASSERT_EQ(drawn.size(), requests.size());
      for (const auto& [i, drawing] : drawn) {
        EXPECT_EQ(drawing.tokens, alone[i].tokens) << i << ", speculate " << speculate;
        EXPECT_EQ(drawing.picture.rgb, alone[i].picture.rgb) << i << ", speculate " << speculate;
        EXPECT_LT(drawing.passes, static_cast<int64_t>(drawing.tokens.size()));
      }
    }
    const SpeculationStats stats = engine.speculation();
    EXPECT_LE(stats.lane_passes, stats.codes);
    EXPECT_GE(stats.columns, stats.lane_passes);
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, Laws, ::testing::Values("toy-f32", "toy-hf", "grouped-query"),
                         [](const auto& toy) {
                           std::string name = toy.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Drawing, EverySettingCounts) {
  Engine engine = law_toy("toy-f32", 1, 1);
  const DrawRequest base{.prompt = "a cat", .seed = 1};
  const auto tokens = [&](const DrawRequest& r) { return engine.draw({&r, 1})[0].tokens; };
  const auto first = tokens(base);
  EXPECT_EQ(tokens(base), first);
  const auto changed = [&](auto change) {
    DrawRequest r = base;
    change(r);
    return tokens(r) != first;
  };
  EXPECT_TRUE(changed([](DrawRequest& r) { r.seed = 2; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.seed = uint64_t{1} << 40 | 1; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.prompt = "a hat"; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.negative_prompt = "red red red"; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.guidance = 1; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.temperature = 0; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.temperature = 9; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.top_k = 1; }));
  EXPECT_TRUE(changed([](DrawRequest& r) { r.top_p = 0.01; }));
}

TEST(Drawing, TopKOfOneAndATinyTopPAreGreedy) {
  Engine engine = law_toy("grouped-query", 1, 1);
  const DrawRequest greedy{.prompt = "a cat", .seed = 1, .temperature = 0};
  const DrawRequest one{.prompt = "a cat", .seed = 5, .top_k = 1};
  const DrawRequest tiny{.prompt = "a cat", .seed = 6, .top_p = 1e-6};
  const auto expected = engine.draw({&greedy, 1})[0].tokens;
  EXPECT_EQ(engine.draw({&one, 1})[0].tokens, expected);
  EXPECT_EQ(engine.draw({&tiny, 1})[0].tokens, expected);
}

TEST(Drawing, ProgressCanStopIt) {
  Engine engine = law_toy("toy-f32", 1, 1);
  const DrawRequest request{.prompt = "a cat", .seed = 1};
  int64_t calls = 0;
  try {
    engine.draw({&request, 1}, [&](int64_t done, int64_t total) {
      EXPECT_EQ(total, 16);
      EXPECT_EQ(done, ++calls);
      return calls < 3;
    });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInterrupted);
  }
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(engine.draw({&request, 1}).size(), 1u) << "the engine still works";
}

TEST(Drawing, ATooLongPromptIsRefused) {
  Engine engine = law_toy("grouped-query", 1, 1);  // 128 positions
  const DrawRequest request{.prompt = std::string(400, 'q')};
  try {
    engine.draw({&request, 1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("at most 104"), std::string::npos) << e.what();
  }
}

// The library refuses what options and prompt files refuse.
TEST(Drawing, SettingsOutOfRangeAreRefused) {
  Engine engine = law_toy("toy-f32", 1, 1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<DrawRequest> good = {
      {.prompt = "a", .guidance = 0},      {.prompt = "a", .guidance = 100},
      {.prompt = "a", .temperature = 0},   {.prompt = "a", .temperature = 100},
      {.prompt = "a", .top_k = 1'000'000}, {.prompt = "a", .top_p = 1e-300}};
  for (size_t i = 0; i < good.size(); ++i) EXPECT_FALSE(engine.fault_of(good[i])) << i;
  const std::vector<DrawRequest> bad = {
      {.prompt = "a", .guidance = -0.1},   {.prompt = "a", .guidance = 100.1},
      {.prompt = "a", .guidance = nan},    {.prompt = "a", .temperature = -0.1},
      {.prompt = "a", .temperature = 101}, {.prompt = "a", .temperature = nan},
      {.prompt = "a", .top_k = -1},        {.prompt = "a", .top_k = 1'000'001},
      {.prompt = "a", .top_p = 0},         {.prompt = "a", .top_p = 1.1},
      {.prompt = "a", .top_p = nan}};
  for (size_t i = 0; i < bad.size(); ++i) {
    const std::optional<Error> fault = engine.fault_of(bad[i]);
    ASSERT_TRUE(fault) << i;
    EXPECT_EQ(fault->kind(), ErrorKind::kUsage) << i;
  }
  EXPECT_STREQ(engine.fault_of(bad[1])->what(), "cfg must be a number from 0 to 100, not 100.1");
}

TEST(Decoding, EqualsDrawingAndChecksCodes) {
  Engine engine = law_toy("toy-hf", 2, 1);
  const DrawRequest request{.prompt = "a cat", .seed = 3};
  const Drawing drawing = engine.draw({&request, 1})[0];
  EXPECT_EQ(engine.decode(drawing.tokens).rgb, drawing.picture.rgb);
  auto codes = drawing.tokens;
  codes[3] = 61;
  EXPECT_THROW(engine.decode(codes), Error);
  codes[3] = -1;
  EXPECT_THROW(engine.decode(codes), Error);
  codes.pop_back();
  EXPECT_THROW(engine.decode(codes), Error);
}

TEST(Opening, ReportsErrors) {
  try {
    Engine::open({.model = "/nowhere/at/all"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kMissing);
  }
  try {
    Engine::open({.model = golden::directory() + "toy-f32", .device = "warp"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUnavailable);
  }
}

}  // namespace
}  // namespace bifrons
