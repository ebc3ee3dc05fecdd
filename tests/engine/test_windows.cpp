// Speculative decoding on every backend: windows of any width give the same pictures as drawing one
// code at a time. The drafts do not matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>

#include "tests/engine/lane_toy.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

constexpr int64_t kWindows[] = {1, 2, 3, 8, 16, 31, 64};

// Settings of one trial.
struct WindowTrial {
  bool as_device;
  int64_t lanes, width;
  uint64_t pictures;
};

std::vector<WindowTrial> window_trials() {
  if (testing::backend_is_emulated()) return {{true, 2, 3, 3}};
  std::vector<WindowTrial> all;
  for (const bool as_device : {false, true}) {
    for (const int64_t lanes : {1, 2, 7}) {
      for (const int64_t width : kWindows) all.push_back({as_device, lanes, width, 12});
    }
  }
  return all;
}

class Windows : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    backend = testing::backend_under_test();
    toy = std::make_unique<testing::LaneToy>(*backend, GetParam());
  }

  // Draws the pictures. They enter at irregular times. `before` is called before every step.
  template <typename Before>
  std::map<uint64_t, LanePicture> draw(Lanes& lanes, std::vector<LanePicture> pictures,
                                       const Before& before) {
    std::map<uint64_t, LanePicture> drawn;
    size_t next = 0;
    const auto take = [&] {
      for (LanePicture& p : lanes.take_finished()) drawn[p.id] = std::move(p);
    };
    for (int64_t step = 0; drawn.size() < pictures.size(); ++step) {
      const bool enters = step % 3 != 1 || lanes.busy() == 0;
      if (next < pictures.size() && lanes.busy() < lanes.count() && enters) {
        std::vector<LanePicture> entering;
        entering.push_back(pictures[next++]);
        lanes.admit(std::move(entering));
        take();
      }
      before(lanes);
      lanes.step();
      take();
    }
    return drawn;
  }

  std::vector<LanePicture> pictures(uint64_t count) const {
    std::vector<LanePicture> all;
    for (uint64_t id = 0; id < count; ++id) all.push_back(toy->picture(id));
    return all;
  }

  std::vector<int32_t> alone(const LanePicture& picture) {
    const auto known = alone_.find(picture.id);
    if (known != alone_.end()) return known->second;
    return alone_[picture.id] = toy->alone(picture);
  }

  void expect_pictures_alone(const std::map<uint64_t, LanePicture>& drawn,
                             const std::vector<LanePicture>& pictures, const std::string& which) {
    for (const LanePicture& picture : pictures) {
      const LanePicture& got = drawn.at(picture.id);
      EXPECT_TRUE(got.finite);
      EXPECT_EQ(got.codes, alone(picture)) << picture.id << " of " << which;
      EXPECT_LT(got.passes, toy->config.image_tokens()) << which;
    }
  }

  std::unique_ptr<Backend> backend;
  std::unique_ptr<testing::LaneToy> toy;
  std::map<uint64_t, std::vector<int32_t>> alone_;
};

std::string name_of_toy(const ::testing::TestParamInfo<const char*>& toy) {
  return testing::test_name_of(toy.param);
}

TEST_P(Windows, OfAnyWidthGiveThePictureOfSingleSteps) {
  for (const auto& [as_device, count, width, many] : window_trials()) {
    Lanes lanes = toy->lanes(as_device);
    lanes.reserve(count, count * width);
    lanes.set_width(width);
    const std::vector<LanePicture> all = pictures(many);
    expect_pictures_alone(draw(lanes, all, [](Lanes&) {}), all,
                          std::to_string(count) + " lanes, width " + std::to_string(width));
    const LaneWork& work = lanes.work();
    const int64_t tokens = toy->config.image_tokens();
    EXPECT_EQ(work.step_codes, static_cast<int64_t>(many) * (tokens - 1));
    EXPECT_EQ(work.first_codes, static_cast<int64_t>(many));
    EXPECT_LE(work.busy_lane_steps, work.step_codes);
    if (width == 1) {
      EXPECT_EQ(work.busy_lane_steps, work.step_codes);
      EXPECT_EQ(work.columns, work.step_codes);
    }
  }
}

TEST_P(Windows, MayChangeTheirWidthAtAnyStep) {
  std::mt19937 random(7);
  const bool slow = testing::backend_is_emulated();
  for (const bool as_device : slow ? std::vector{true} : std::vector{false, true}) {
    for (const int64_t count : slow ? std::vector<int64_t>{2} : std::vector<int64_t>{1, 2, 7}) {
      Lanes lanes = toy->lanes(as_device);
      lanes.reserve(count, count * 16);
      const std::vector<LanePicture> all = pictures(slow ? 2 : 12);
      const auto change = [&](Lanes& l) {
        l.set_width(slow ? 1 + static_cast<int64_t>(random() % 4) : kWindows[random() % 7]);
      };
      expect_pictures_alone(draw(lanes, all, change), all, std::to_string(count) + " lanes");
    }
  }
}

// The last window ends at the last position of the sequence.
TEST_P(Windows, ReachTheEndOfTheLongestPrompt) {
  if (testing::backend_is_emulated()) GTEST_SKIP() << "a long prompt takes minutes there";
  const int64_t longest = toy->config.transformer.max_positions - toy->config.image_tokens() + 1;
  LanePicture picture = toy->picture(1);
  picture.prompt.prompted.resize(std::min<int64_t>(longest, 300), 3);
  picture.prompt.unprompted.resize(picture.prompt.prompted.size(), 7);
  const std::vector<int32_t> expected = toy->alone(picture);
  for (const bool as_device : {false, true}) {
    for (const int64_t width : kWindows) {
      Lanes lanes = toy->lanes(as_device);
      lanes.reserve(2, 2 * width);
      lanes.make_room(static_cast<int64_t>(picture.prompt.prompted.size()));
      lanes.set_width(width);
      std::vector<LanePicture> entering{picture};
      lanes.admit(std::move(entering));
      std::vector<LanePicture> drawn;
      while (drawn.empty()) {
        lanes.step();
        drawn = lanes.take_finished();
      }
      EXPECT_EQ(drawn[0].codes, expected) << width;
    }
  }
}

// Non-finite values before the accepted codes are reported as without windows.
TEST_P(Windows, ReportNumbersThatAreNotFiniteAtTheSameCode) {
  const bool slow = testing::backend_is_emulated();
  // Guidance scales for which values overflow at once, later or never.
  for (const float guidance : {std::numeric_limits<float>::quiet_NaN(), 3e38f, 1e38f, 3e37f}) {
    if (slow && guidance != 3e38f) continue;
    std::vector<LanePicture> all = pictures(slow ? 2 : 5);
    for (LanePicture& p : all) {
      if (p.id % 2 == 1) p.prompt.guidance = guidance;
    }
    std::map<uint64_t, LanePicture> expected;
    for (const int64_t width : slow ? std::vector<int64_t>{1, 4} : std::vector<int64_t>{1, 2, 8}) {
      for (const bool as_device : {false, true}) {
        if (slow && !as_device) continue;
        Lanes lanes = toy->lanes(as_device);
        lanes.reserve(2, 2 * width);
        lanes.set_width(width);
        auto drawn = draw(lanes, all, [](Lanes&) {});
        if (expected.empty()) expected = drawn;
        for (const auto& [id, picture] : drawn) {
          EXPECT_EQ(picture.finite, expected.at(id).finite) << id << ", width " << width;
          EXPECT_EQ(picture.codes, expected.at(id).codes) << id << ", width " << width;
        }
      }
    }
  }
}

// Memory grows and pictures are dropped while steps are in flight.
TEST_P(Windows, SurviveGrowthAndClearing) {
  const bool slow = testing::backend_is_emulated();
  for (const bool as_device : slow ? std::vector{true} : std::vector{false, true}) {
    Lanes lanes = toy->lanes(as_device);
    lanes.reserve(2, 8);
    lanes.set_width(4);
    for (const uint64_t id : {0, 1}) {
      std::vector<LanePicture> entering{toy->picture(id)};
      lanes.admit(std::move(entering));
      lanes.step();
      if (id == 0) lanes.clear();
    }
    lanes.make_room(60);
    std::vector<LanePicture> drawn;
    while (drawn.empty()) {
      lanes.step();
      drawn = lanes.take_finished();
    }
    EXPECT_EQ(drawn.at(0).codes, alone(toy->picture(1)));
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, Windows,
                         ::testing::Values("toy-f32", "toy-hf", "grouped-query", "toy-hf+int8",
                                           "grouped-query+int8"),
                         name_of_toy);

}  // namespace
}  // namespace bifrons
