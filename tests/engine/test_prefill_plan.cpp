// Prefill plan with prefix caching: what is shared, and that sharing gives the same as running
// everything.
#include <gtest/gtest.h>

#include <random>

#include "src/engine/prefill_plan.h"

namespace bifrons {
namespace {

// Contents of a position: they depend on all ids up to it. -1: never written.
class FakeMemory {
 public:
  explicit FakeMemory(size_t sequences) : sequences_(sequences) {}

  void apply(const PrefillPass& wave, const std::vector<WantedPrompt>& wanted) {
    for (const PromptRun& run : wave) {
      const int32_t to = wanted[run.index].sequence;
      for (int64_t t = 0; t < run.begin; ++t) write(to, t, sequences_[run.from].at(t));
    }
    // All rows of a pass are appended before later positions read any of them.
    for (const PromptRun& run : wave) {
      const WantedPrompt& prompt = wanted[run.index];
      for (int64_t t = run.begin; t < run.end; ++t) {
        const uint64_t before = t == 0 ? 1 : sequences_[prompt.sequence].at(t - 1);
        write(prompt.sequence, t, mix(before, (*prompt.ids)[t]));
        ++rows;
      }
    }
  }
  bool holds(int32_t sequence, const TokenIds& ids) const {
    uint64_t state = 1;
    for (size_t t = 0; t < ids.size(); ++t) {
      state = mix(state, ids[t]);
      if (t >= sequences_[sequence].size() || sequences_[sequence][t] != state) return false;
    }
    return true;
  }
  // Writes codes after the prompt, as a picture does.
  void scribble(int32_t sequence, size_t from) {
    for (size_t t = from; t < from + 5; ++t) write(sequence, static_cast<int64_t>(t), 77);
  }

  int64_t rows = 0;

 private:
  static uint64_t mix(uint64_t state, int32_t id) {
    return (state ^ static_cast<uint64_t>(id + 3)) * 0x9e3779b97f4a7c15ull;
  }
  void write(int32_t sequence, int64_t t, uint64_t value) {
    std::vector<uint64_t>& positions = sequences_[sequence];
    if (t >= static_cast<int64_t>(positions.size())) positions.resize(t + 1, ~uint64_t{0});
    positions[t] = value;
  }
  std::vector<std::vector<uint64_t>> sequences_;
};

int64_t rows_of(const std::vector<PrefillPass>& waves) {
  int64_t rows = 0;
  for (const PrefillPass& wave : waves) {
    for (const PromptRun& run : wave) rows += run.end - run.begin;
  }
  return rows;
}

const TokenIds kLong = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST(PrefillPlan, APromptWithoutCachedPrefixIsRunWhole) {
  std::vector<TokenIds> cached(2);
  const auto waves = plan_prefill(cached, std::vector<WantedPrompt>{{0, &kLong}});
  ASSERT_EQ(waves.size(), 1u);
  EXPECT_EQ(waves[0].at(0).begin, 0);
  EXPECT_EQ(rows_of(waves), 12);
  EXPECT_EQ(cached[0], kLong);
}

TEST(PrefillPlan, TheSamePromptAgainRunsItsLastTokenOnly) {
  std::vector<TokenIds> cached(3);
  plan_prefill(cached, std::vector<WantedPrompt>{{0, &kLong}});
  const auto own = plan_prefill(cached, std::vector<WantedPrompt>{{0, &kLong}});
  EXPECT_EQ(rows_of(own), 1);
  EXPECT_EQ(own[0].at(0).from, 0);
  const auto other = plan_prefill(cached, std::vector<WantedPrompt>{{2, &kLong}});
  EXPECT_EQ(rows_of(other), 1);
  EXPECT_NE(other[0].at(0).from, 2);
  EXPECT_EQ(other[0].at(0).begin, 11);
}

TEST(PrefillPlan, EqualPromptsOfOneCallWaitForTheFirst) {
  std::vector<TokenIds> cached(4);
  const std::vector<WantedPrompt> wanted = {{0, &kLong}, {1, &kLong}, {2, &kLong}};
  const auto waves = plan_prefill(cached, wanted);
  ASSERT_EQ(waves.size(), 2u);
  EXPECT_EQ(rows_of(waves), 14);
}

TEST(PrefillPlan, AShortCommonPrefixNeedsNoSecondPass) {
  std::vector<TokenIds> cached(2);
  const TokenIds other = {1, 2, 3, 40, 50};
  const auto waves = plan_prefill(cached, std::vector<WantedPrompt>{{0, &kLong}, {1, &other}});
  ASSERT_EQ(waves.size(), 1u);
  EXPECT_EQ(rows_of(waves), 17);
}

TEST(PrefillPlan, PadsOfTheLongestPromptAreShared) {
  std::vector<TokenIds> cached(3);
  const auto unguided = [](size_t length) {
    TokenIds ids(length, 9);
    ids.front() = 1;
    ids.back() = 2;
    return ids;
  };
  const TokenIds a = unguided(20), b = unguided(40), c = unguided(30);
  const auto waves = plan_prefill(cached, std::vector<WantedPrompt>{{0, &a}, {1, &b}, {2, &c}});
  EXPECT_EQ(rows_of(waves), 42);
}

TEST(PrefillPlan, PromptsThatDoNotShareRunWhole) {
  std::vector<TokenIds> cached(2);
  plan_prefill(cached, std::vector<WantedPrompt>{{0, &kLong}});
  EXPECT_EQ(rows_of(plan_prefill(cached, std::vector<WantedPrompt>{{0, &kLong, false}})), 12);
  EXPECT_EQ(rows_of(plan_prefill(cached, std::vector<WantedPrompt>{{1, &kLong, false}})), 12);
}

TEST(PrefillPlan, SequencesHoldTheirPromptsWithAnySharing) {
  std::mt19937 random(7);
  const auto below = [&](uint32_t n) { return static_cast<int32_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    const int32_t sequences = 1 + below(9);
    std::vector<TokenIds> cached(sequences);
    FakeMemory memory(sequences);
    int64_t asked = 0;
    for (int call = 0; call < 12; ++call) {
      std::vector<TokenIds> prompts;
      std::vector<WantedPrompt> wanted;
      for (int32_t sequence = 0; sequence < sequences; ++sequence) {
        if (below(2) == 0) continue;
        TokenIds ids(1 + below(24), 0);  // long common prefixes of zeros, then a few letters
        for (size_t t = below(24); t < ids.size(); ++t) ids[t] = below(2);
        prompts.push_back(ids);
        asked += static_cast<int64_t>(ids.size());
        wanted.push_back({sequence, nullptr, below(5) != 0});
      }
      for (size_t i = 0; i < wanted.size(); ++i) wanted[i].ids = &prompts[i];
      const auto waves = plan_prefill(cached, wanted);
      EXPECT_LE(waves.size(), 2u);
      for (const PrefillPass& wave : waves) memory.apply(wave, wanted);
      for (const WantedPrompt& prompt : wanted) {
        ASSERT_TRUE(memory.holds(prompt.sequence, *prompt.ids)) << "round " << round;
        memory.scribble(prompt.sequence, prompt.ids->size());
      }
    }
    EXPECT_LE(memory.rows, asked);
  }
}

}  // namespace
}  // namespace bifrons
