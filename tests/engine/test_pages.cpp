// Page table: shared prefixes are stored once, and no page is lost or assigned twice.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "src/engine/page_table.h"

namespace bifrons {
namespace {

constexpr int64_t kHalf = kPageTokens / 2;

std::vector<int32_t> of(const PageTable& table, int sequence) { return table.all()[sequence]; }

TEST(Pages, WholePagesAreSharedAndTheLastOneIsCopied) {
  PageTable table(2, 20);
  EXPECT_FALSE(table.hold(0, 0, 0, 4 * kPageTokens).has_value());
  const auto copy = table.hold(1, 0, 2 * kPageTokens + kHalf, 4 * kPageTokens);
  const std::vector<int32_t> a = of(table, 0), b = of(table, 1);
  ASSERT_EQ(b.size(), 4u);
  EXPECT_EQ((std::vector{b[0], b[1]}), (std::vector{a[0], a[1]}));
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->from, a[2]);
  EXPECT_EQ(copy->to, b[2]);
  EXPECT_EQ(copy->positions, kHalf);
  EXPECT_NE(b[2], a[2]);
  EXPECT_EQ(table.in_use(), 6);
}

TEST(Pages, OwnLastPageIsCopiedOnlyIfShared) {
  PageTable table(2, 20);
  table.hold(0, 0, 0, 2 * kPageTokens);
  const std::vector<int32_t> before = of(table, 0);
  EXPECT_FALSE(table.hold(0, 0, kHalf, 3 * kPageTokens).has_value());
  EXPECT_EQ(of(table, 0)[0], before[0]);

  table.hold(1, 0, kPageTokens, 2 * kPageTokens);  // now both hold the first
  const auto copy = table.hold(0, 0, kHalf, 2 * kPageTokens);
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->from, before[0]);
  EXPECT_NE(of(table, 0)[0], before[0]);
  EXPECT_EQ(of(table, 1)[0], before[0]);
}

TEST(Pages, PagesWithoutHolderAreFree) {
  PageTable table(2, 4);
  table.hold(0, 0, 0, 2 * kPageTokens);
  table.hold(1, 0, kPageTokens, 2 * kPageTokens);
  table.shorten(0, 0);
  EXPECT_EQ(table.in_use(), 2);
  table.shorten(1, kHalf);
  EXPECT_EQ(table.in_use(), 1);
  EXPECT_EQ(table.pages(), 4);
}

TEST(Pages, ReportsThePagesNeeded) {
  PageTable table(2, 3);
  table.hold(0, 0, 0, 2 * kPageTokens);
  table.hold(1, 1, 0, 5 * kPageTokens);
  EXPECT_EQ(table.pages(), 7);
  EXPECT_EQ(table.in_use(), 7);
}

TEST(Pages, OnlyHeldPositionsCanBeShared) {
  PageTable table(2, 3);
  table.hold(0, 0, 0, kPageTokens);
  EXPECT_THROW(table.hold(1, 0, kPageTokens + 1, 3 * kPageTokens), ContractError);
}

// Comparison with a model that tracks the contents: every position of a sequence keeps what was
// written there.
TEST(Pages, EverySequenceReadsItsOwnPages) {
  std::mt19937 random(11);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  for (int round = 0; round < 200; ++round) {
    const int sequences = 1 + static_cast<int>(below(6));
    PageTable table(sequences, 1 + below(30));
    std::map<std::pair<int32_t, int64_t>, int> memory;  // by page and position within
    std::vector<std::vector<int>> expected(sequences);
    int next = 0;
    const auto at = [&](int sequence, int64_t p) {
      return std::pair{table.all()[sequence].at(p / kPageTokens), p % kPageTokens};
    };
    for (int call = 0; call < 40; ++call) {
      const auto sequence = static_cast<int>(below(sequences)),
                 from = static_cast<int>(below(sequences));
      if (below(5) == 0) {
        const int64_t kept = below(static_cast<int64_t>(expected[sequence].size()) + 1);
        table.shorten(sequence, kept);
        expected[sequence].resize(kept);
        continue;
      }
      const int64_t common = below(static_cast<int64_t>(expected[from].size()) + 1);
      const int64_t positions = common + 1 + below(70);
      std::vector<int> wanted(expected[from].begin(), expected[from].begin() + common);
      if (const auto copy = table.hold(sequence, from, common, positions)) {
        for (int64_t p = 0; p < copy->positions; ++p) {
          memory[{copy->to, p}] = memory.at({copy->from, p});
        }
      }
      for (int64_t p = common; p < positions; ++p) {
        memory[at(sequence, p)] = next;
        wanted.push_back(next++);
      }
      expected[sequence] = std::move(wanted);
      std::set<int32_t> held;
      for (int other = 0; other < sequences; ++other) {
        for (int64_t p = 0; p < static_cast<int64_t>(expected[other].size()); ++p) {
          ASSERT_EQ(memory.at(at(other, p)), expected[other][p]) << "round " << round;
        }
        held.insert(table.all()[other].begin(), table.all()[other].end());
      }
      ASSERT_EQ(table.in_use(), static_cast<int64_t>(held.size()));
    }
  }
}

// The number of pages for which pools are made.
TEST(Pages, LanesOfDifferentPromptsFitTheirPool) {
  for (const int64_t prompt : {1, 16, 17, 40, 64}) {
    const int64_t positions = prompt + 575;
    for (const int64_t lanes : {1, 2, 7}) {
      PageTable table(static_cast<int64_t>(2 * lanes), pages_of_lanes(lanes, prompt, 576));
      const int64_t pool = table.pages();
      for (int32_t lane = 0; lane < lanes; ++lane) {
        table.hold(2 * lane, 2 * lane, 0, positions);
        table.hold(2 * lane + 1, 1, lane == 0 ? 0 : prompt - 1, positions);
      }
      EXPECT_EQ(table.pages(), pool);
      EXPECT_EQ(table.in_use(), pool);
    }
  }
}

}  // namespace
}  // namespace bifrons
