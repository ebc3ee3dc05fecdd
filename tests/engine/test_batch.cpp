// Batches (the scheduler): every job gets one result, and an error of one job affects no other.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "src/bifrons.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons {
namespace {

Engine batch_toy(const std::string& directory = golden::directory() + "toy-f32") {
  return Engine::open({.model = directory, .threads = 1, .speculate = 1});  // a code a step
}

JobSource jobs_of(const std::vector<DrawRequest>& requests, size_t& next) {
  return [&]() -> std::optional<BatchJob> {
    if (next == requests.size()) return {};
    const size_t i = next++;
    return BatchJob{100 + i, requests[i]};
  };
}

// Draws `requests` with ids 100, 101, ...; results by id.
std::map<uint64_t, BatchResult> draw_all(Engine& engine, const std::vector<DrawRequest>& requests,
                                         int lanes, BatchStats* stats = nullptr) {
  std::map<uint64_t, BatchResult> results;
  size_t next = 0;
  const BatchStats done = engine.draw_batch(
      jobs_of(requests, next),
      [&](BatchResult result) {
        const uint64_t id = result.id;
        EXPECT_TRUE(results.emplace(id, std::move(result)).second) << id << " came twice";
      },
      {.lanes = lanes});
  if (stats) *stats = done;
  return results;
}

std::vector<DrawRequest> cats(size_t count) {
  std::vector<DrawRequest> requests(count);
  for (size_t i = 0; i < count; ++i) requests[i] = {.prompt = "a cat", .seed = i};
  return requests;
}

TEST(Batch, EveryJobGetsOneResultAndErrorsAffectOneJob) {
  Engine engine = batch_toy();
  std::vector<DrawRequest> requests = cats(5);
  requests[1].prompt = std::string(9999, 'q');
  requests[2].prompt = "a \xff cat";
  requests[3].top_p = 0;
  BatchStats stats;
  const auto results = draw_all(engine, requests, 2, &stats);
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(stats.pictures, 2);
  EXPECT_EQ(stats.failures, 3);
  const auto kind = [&](uint64_t id) { return results.at(id).error->kind(); };
  EXPECT_EQ(kind(101), ErrorKind::kUsage);
  EXPECT_EQ(kind(102), ErrorKind::kData);
  EXPECT_EQ(kind(103), ErrorKind::kUsage);
  for (size_t i : {0, 4}) {
    ASSERT_TRUE(results.at(100 + i).drawing.has_value());
    EXPECT_EQ(results.at(100 + i).drawing->tokens, engine.draw({&requests[i], 1})[0].tokens);
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(engine.fault_of(requests[i]).has_value(), results.at(100 + i).error.has_value());
  }
}

// The embedding of one letter is NaN. Only jobs with this letter fail, after a second attempt. They
// change nothing for other pictures in the same lanes.
TEST(Batch, NanIsTriedTwiceAndAffectsNoOtherPicture) {
  const std::string original = golden::directory() + "toy-f32";
  const testing::TemporaryDirectory directory;
  for (const auto& entry : std::filesystem::directory_iterator(original)) {
    if (entry.is_regular_file()) {
      std::filesystem::copy_file(entry.path(), directory / entry.path().filename().string());
    }
  }
  const int32_t z = tokenize(original, "z").back();
  std::string bytes = directory.read("model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  const auto& embedding = header.at("language_model.model.embed_tokens.weight");
  const uint64_t begin = embedding.at("data_offsets").at(0), columns = embedding.at("shape").at(1);
  const uint32_t nan = 0x7fc00000u;
  std::memcpy(bytes.data() + 8 + length + begin + z * columns * 4, &nan, 4);
  directory.write("model.safetensors", bytes);

  std::vector<DrawRequest> requests = cats(7);
  requests[1].prompt = requests[2].prompt = "a zebra";
  requests[5].prompt = "a cat z";
  Engine damaged = batch_toy(directory.path()), whole = batch_toy();
  for (int lanes : {1, 2, 7}) {
    BatchStats stats;
    const auto results = draw_all(damaged, requests, lanes, &stats);
    EXPECT_EQ(stats.failures, 3);
    EXPECT_EQ(stats.retries, 3);
    ASSERT_EQ(results.size(), 7u);
    for (size_t i = 0; i < requests.size(); ++i) {
      const BatchResult& result = results.at(100 + i);
      if (i == 1 || i == 2 || i == 5) {
        ASSERT_TRUE(result.error.has_value()) << i;
        EXPECT_EQ(result.error->kind(), ErrorKind::kData);
        EXPECT_NE(std::string(result.error->what()).find("finite at image token 0"),
                  std::string::npos);
        EXPECT_EQ(result.attempts, 2);
      } else {
        ASSERT_TRUE(result.drawing.has_value()) << i;
        EXPECT_EQ(result.drawing->tokens, whole.draw({&requests[i], 1})[0].tokens) << i;
      }
    }
  }
}

TEST(Batch, StopsWithinOneStepAndKeepsWhatIsFinished) {
  Engine engine = batch_toy();
  const std::vector<DrawRequest> requests = cats(6);
  for (int64_t stop_at : {1, 5, 16, 20, 31}) {  // 16 codes a picture, three lanes
    std::map<uint64_t, BatchResult> results;
    size_t next = 0;
    int64_t calls = 0;
    const BatchStats stats = engine.draw_batch(
        jobs_of(requests, next),
        [&](BatchResult result) { results.emplace(result.id, std::move(result)); },
        {.lanes = 3, .progress = [&](const BatchProgress& now) {
           EXPECT_EQ(now.lanes, 3);
           EXPECT_LE(now.pictures, 6);
           return ++calls < stop_at;
         }});
    EXPECT_TRUE(stats.stopped);
    EXPECT_EQ(calls, stop_at) << "asked no more after saying stop";
    EXPECT_LE(stats.steps, stop_at);
    EXPECT_EQ(static_cast<int64_t>(results.size()), stats.pictures);
    EXPECT_LE(results.size(), stop_at < 16 ? 0u : 3u);
    for (const auto& [id, result] : results) {
      EXPECT_EQ(result.drawing->tokens, engine.draw({&requests[id - 100], 1})[0].tokens);
    }
  }
  EXPECT_EQ(draw_all(engine, requests, 3).size(), 6u) << "the engine still works";
}

TEST(Batch, ExceptionsOfCallbacksAreRethrown) {
  Engine engine = batch_toy();
  const std::vector<DrawRequest> requests = cats(9);
  const auto kind_thrown = [&](auto run) {
    try {
      run();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kFailed;
  };
  int64_t taken = 0;
  size_t next = 0;
  EXPECT_EQ(kind_thrown([&] {
              engine.draw_batch(jobs_of(requests, next),
                                [&](BatchResult) {
                                  ++taken;
                                  throw Error(ErrorKind::kCannotWrite, "full");
                                },
                                {.lanes = 2});
            }),
            ErrorKind::kCannotWrite);
  EXPECT_EQ(taken, 1) << "a sink that has thrown is left alone";
  EXPECT_LT(next, requests.size()) << "and the batch stops";

  taken = 0;
  next = 0;
  const JobSource four = jobs_of(requests, next);
  EXPECT_EQ(kind_thrown([&] {
              engine.draw_batch(
                  [&] {
                    if (next == 4) throw Error(ErrorKind::kMissing, "gone");
                    return four();
                  },
                  [&](BatchResult) { ++taken; }, {.lanes = 2});
            }),
            ErrorKind::kMissing);
  EXPECT_EQ(taken, 4) << "what was finished before is with the sink";

  next = 0;
  EXPECT_EQ(kind_thrown([&] {
              engine.draw_batch(jobs_of(requests, next), [](BatchResult) {},
                                {.lanes = 2, .progress = [](const BatchProgress&) -> bool {
                                   throw Error(ErrorKind::kUsage, "no");
                                 }});
            }),
            ErrorKind::kUsage);
  EXPECT_EQ(draw_all(engine, requests, 2).size(), 9u) << "the engine still works";
}

TEST(Batch, FullLanesHaveNoIdleStepsAndEqualPromptsSharePrefill) {
  Engine engine = batch_toy();
  const std::vector<DrawRequest> requests = cats(9);
  BatchStats stats;
  draw_all(engine, requests, 3, &stats);
  EXPECT_EQ(stats.steps, 3 * 15);
  EXPECT_EQ(stats.idle_lane_steps, 0);
  const int64_t length =
      2 +
      static_cast<int64_t>(
          tokenize(golden::directory() + "toy-f32", "<|User|>: a cat\n\n<|Assistant|>:").size()) -
      1;
  EXPECT_EQ(stats.prefill_rows + stats.shared_rows, 9 * 2 * length);
  EXPECT_EQ(stats.prefill_rows, 2 * length + 2 * 8) << "once, and the last token of the others";

  draw_all(engine, cats(4), 3, &stats);
  EXPECT_EQ(stats.idle_lane_steps, 2 * 15) << "the last picture is alone";
}

TEST(Batch, AnEmptyBatchIsNoError) {
  Engine engine = batch_toy();
  BatchStats stats;
  EXPECT_TRUE(draw_all(engine, {}, 4, &stats).empty());
  EXPECT_EQ(stats.steps, 0);
  EXPECT_GE(engine.automatic_lanes(), 1);
}

}  // namespace
}  // namespace bifrons
