// Batches: every job gets one result, and one job's fault is its own.
#include <gtest/gtest.h>

#include <map>

#include "src/bifrons.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

Engine open_toy() { return Engine::open({.model = golden::directory() + "toy-f32", .threads = 1}); }

// Draws `requests` with ids 100, 101, ...; results by id.
std::map<uint64_t, BatchResult> draw_all(Engine& engine, const std::vector<DrawRequest>& requests,
                                         int lanes, BatchStats* stats = nullptr) {
  std::map<uint64_t, BatchResult> results;
  size_t next = 0;
  const BatchStats done = engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (next == requests.size()) return {};
        const size_t i = next++;
        return BatchJob{100 + i, requests[i]};
      },
      [&](BatchResult result) {
        const uint64_t id = result.id;
        EXPECT_TRUE(results.emplace(id, std::move(result)).second) << id << " came twice";
      },
      {.lanes = lanes});
  if (stats) *stats = done;
  return results;
}

TEST(Batch, EveryJobGetsOneResultAndAFaultIsItsOwn) {
  Engine engine = open_toy();
  std::vector<DrawRequest> requests(5);
  for (size_t i = 0; i < requests.size(); ++i) requests[i] = {.prompt = "a cat", .seed = i};
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

}  // namespace
}  // namespace bifrons
