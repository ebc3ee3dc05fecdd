// The KV cache in 8 bits, from the library: pictures depend on it and on nothing new, and a limit
// of memory is kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "src/bifrons.h"
#include "src/engine/memory_plan.h"
#include "src/understand.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

EngineOptions toy(const std::string& name, KvFormat kv) {
  return {
      .model = golden::directory() + name, .device = "cpu", .threads = 2, .speculate = 1, .kv = kv};
}

std::vector<DrawRequest> some_requests() {
  std::vector<DrawRequest> requests(7);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].prompt = std::string(7 * i % 17, 'x') + " a cat";
    requests[i].seed = i;
    requests[i].temperature = i % 3 == 0 ? 0.0 : 1.0;
  }
  requests[5].prompt = requests[4].prompt;
  return requests;
}

std::vector<std::vector<int32_t>> tokens_of(const std::vector<Drawing>& drawings) {
  std::vector<std::vector<int32_t>> tokens;
  for (const Drawing& drawing : drawings) tokens.push_back(drawing.tokens);
  return tokens;
}

class Int8Kv : public ::testing::TestWithParam<const char*> {};

// Any number of lanes and any windows, by continuous batching.
TEST_P(Int8Kv, APictureIsTheSameInAnyBatchWithAnyWindows) {
  const std::vector<DrawRequest> requests = some_requests();
  std::vector<std::vector<int32_t>> alone;
  {
    Engine engine = Engine::open(toy(GetParam(), KvFormat::kInt8));
    EXPECT_EQ(engine.model().kv, KvFormat::kInt8);
    for (const DrawRequest& r : requests) alone.push_back(engine.draw({&r, 1})[0].tokens);
  }
  for (const int speculate : {1, 5, 16}) {
    EngineOptions options = toy(GetParam(), KvFormat::kInt8);
    options.speculate = speculate;
    Engine engine = Engine::open(options);
    for (const int lanes : {2, 3, 7}) {
      std::map<uint64_t, std::vector<int32_t>> drawn;
      size_t next = 0;
      engine.draw_batch(
          [&]() -> std::optional<BatchJob> {
            if (next == requests.size()) return {};
            const size_t i = next++;
            return BatchJob{i, requests[i]};
          },
          [&](BatchResult result) { drawn[result.id] = result.drawing->tokens; }, {.lanes = lanes});
      for (const auto& [id, tokens] : drawn) EXPECT_EQ(tokens, alone[id]) << id << ", " << lanes;
      EXPECT_EQ(drawn.size(), requests.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, Int8Kv, ::testing::Values("toy-f32", "toy-hf", "grouped-query"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

TEST(KvLimit, FewerLanesThenTheInt8CacheThenASentence) {
  const auto bytes = [](KvFormat kv, int lanes) {
    return total_bytes(Engine::open(toy("toy-f32", kv)).memory_plan(lanes));
  };
  const auto open = [](int64_t limit, bool allowed) {
    EngineOptions options = toy("toy-f32", KvFormat::kStored);
    options.pictures_at_once = 5;
    options.max_memory = limit;
    options.int8_kv_if_needed = allowed;
    return Engine::open(options);
  };
  const std::vector<DrawRequest> requests = some_requests();
  Engine free = Engine::open(toy("toy-f32", KvFormat::kStored));
  EXPECT_EQ(free.model().kv, KvFormat::kStored);

  Engine three = open(bytes(KvFormat::kStored, 3), true);
  EXPECT_EQ(three.most_lanes(), 3);
  EXPECT_LE(three.automatic_lanes(), 3);
  EXPECT_EQ(three.model().kv, KvFormat::kStored);
  EXPECT_EQ(tokens_of(three.draw(requests)), tokens_of(free.draw(requests)));
  const BatchStats stats = three.draw_batch([] { return std::optional<BatchJob>(); },
                                            [](const BatchResult&) {}, {.lanes = 100});
  EXPECT_EQ(stats.lanes, 3);

  Engine tight = open(bytes(KvFormat::kStored, 1) - 1, true);
  EXPECT_EQ(tight.model().kv, KvFormat::kInt8);
  EXPECT_LE(total_bytes(tight.memory_plan(tight.most_lanes())), bytes(KvFormat::kStored, 1) - 1);
  Engine int8 = Engine::open(toy("toy-f32", KvFormat::kInt8));
  EXPECT_EQ(tokens_of(tight.draw(requests)), tokens_of(int8.draw(requests)));

  EXPECT_THROW(open(bytes(KvFormat::kStored, 1) - 1, false), Error);
  EXPECT_THROW(open(bytes(KvFormat::kInt8, 1) - 1, true), Error);
}

// The understanding half has the same cache. A picture and words that are in the cache already give
// the reply of a conversation that was prefilled at once.
TEST(Int8Understanding, APrefixInTheCacheChangesNoReply) {
  const Picture shown{8, 8, std::vector<uint8_t>(8 * 8 * 3, 90)};
  ReplyOptions options;
  options.max_tokens = 12;
  const auto reply = [&](bool asked_before) {
    Engine engine = Engine::open(toy("toy-sees", KvFormat::kInt8));
    Understanding understanding = Understanding::open(engine);
    understanding.show(shown);
    if (asked_before) {
      understanding.say("what is this", options);
      understanding.reset();
      understanding.show(shown);
    }
    return understanding.say("what is this, really", options);
  };
  const Reply cached = reply(true), at_once = reply(false);
  EXPECT_EQ(cached.tokens, at_once.tokens);
  EXPECT_GT(cached.cached_tokens, at_once.cached_tokens);
  EXPECT_FALSE(cached.tokens.empty());
}

}  // namespace
}  // namespace bifrons
