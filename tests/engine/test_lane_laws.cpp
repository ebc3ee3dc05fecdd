// Laws of the continuous batch on every backend: pictures enter at any time, steps may be padded,
// memory grows, and no picture changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tests/engine/lane_toy.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

class LaneLaws : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  }
};

// Settings of one trial.
struct Trial {
  bool as_device;
  int64_t lanes;
  uint64_t pictures;
};

std::vector<Trial> trials() {
  if (testing::backend_is_emulated()) return {{true, 3, 4}};
  std::vector<Trial> all;
  for (const bool as_device : {false, true}) {
    for (const int64_t lanes : {1, 3, 5, 7}) all.push_back({as_device, lanes, 12});
  }
  return all;
}

class EnteringLanes : public LaneLaws, public ::testing::WithParamInterface<const char*> {};

// Pictures enter one by one at irregular times, so that every step mixes positions, and the last
// steps have fewer and fewer lanes.
TEST_P(EnteringLanes, AtAnyTimeChangesNoPicture) {
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy(*backend, GetParam());
  std::map<uint64_t, std::vector<int32_t>> alone;
  for (uint64_t id = 0; id < trials()[0].pictures; ++id) alone[id] = toy.alone(toy.picture(id));
  for (const auto& [as_device, count, pictures] : trials()) {
    Lanes lanes = toy.lanes(as_device);
    lanes.reserve(count);
    std::map<uint64_t, std::vector<int32_t>> codes;
    uint64_t next = 0;
    for (int64_t step = 0; codes.size() < pictures; ++step) {
      if (next < pictures && lanes.busy() < count && (step % 3 != 1 || lanes.busy() == 0)) {
        std::vector<LanePicture> entering;
        entering.push_back(toy.picture(next++));
        if (next < pictures && step % 2 == 0 && lanes.busy() + 1 < count) {
          entering.push_back(toy.picture(next++));
        }
        lanes.admit(std::move(entering));
      }
      lanes.step();
      for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
    }
    for (const auto& [id, drawn] : codes) {
      EXPECT_EQ(drawn, alone.at(id)) << id << " of " << count << " lanes";
      if (id % 5 != 2) continue;
      for (size_t t = 1; t < drawn.size(); t += 3) {
        EXPECT_EQ(drawn[t], static_cast<int32_t>(id + t)) << "a kept code of " << id;
      }
    }
    EXPECT_GT(lanes.work().shared_rows, 0);
  }
}

constexpr const char* kToys[] = {"toy-f32",      "toy-hf",      "grouped-query",
                                 "toy-f32+int8", "toy-hf+int8", "grouped-query+int8"};

INSTANTIATE_TEST_SUITE_P(Toys, EnteringLanes, ::testing::ValuesIn(kToys),
                         [](const auto& toy) { return testing::test_name_of(toy.param); });

class GrowingMemory : public LaneLaws, public ::testing::WithParamInterface<const char*> {};

TEST_P(GrowingMemory, UnderBusyLanesChangesNoPicture) {
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy(*backend, GetParam());
  LanePicture wide = toy.picture(1);
  wide.prompt.prompted.insert(wide.prompt.prompted.begin() + 1, 150, 3);
  wide.prompt.unprompted.insert(wide.prompt.unprompted.begin() + 1, 150, 7);
  Lanes lanes = toy.lanes(false);
  lanes.reserve(2);
  std::vector<LanePicture> first, second;
  first.push_back(toy.picture(0));
  lanes.admit(std::move(first));
  for (int i = 0; i < 5; ++i) lanes.step();
  lanes.make_room(static_cast<int64_t>(wide.prompt.prompted.size()));
  second.push_back(wide);
  lanes.admit(std::move(second));
  std::map<uint64_t, std::vector<int32_t>> codes;
  while (lanes.busy() > 0) {
    lanes.step();
    for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
  }
  EXPECT_EQ(codes.at(0), toy.alone(toy.picture(0)));
  EXPECT_EQ(codes.at(1), toy.alone(wide));
}

INSTANTIATE_TEST_SUITE_P(Toys, GrowingMemory, ::testing::Values("toy-hf", "toy-hf+int8"),
                         [](const auto& toy) { return testing::test_name_of(toy.param); });

// Numbers that are not finite end one picture and do not change the others.
TEST_F(LaneLaws, WhatIsNotFiniteIsNeverDrawn) {
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy(*backend, "toy-f32");
  Lanes lanes = toy.lanes(false);
  lanes.reserve(3);
  std::vector<LanePicture> entering;
  for (uint64_t id = 0; id < 3; ++id) entering.push_back(toy.picture(id));
  entering[1].prompt.guidance = std::numeric_limits<float>::quiet_NaN();
  lanes.admit(std::move(entering));
  std::map<uint64_t, LanePicture> pictures;
  while (lanes.busy() > 0) {
    for (LanePicture& p : lanes.take_finished()) pictures[p.id] = std::move(p);
    lanes.step();
  }
  EXPECT_FALSE(pictures.at(1).finite);
  EXPECT_EQ(pictures.at(1).codes.size(), 0u);
  for (const uint64_t id : {0, 2}) {
    EXPECT_TRUE(pictures.at(id).finite);
    EXPECT_EQ(pictures.at(id).codes, toy.alone(toy.picture(id))) << id;
  }
}

}  // namespace
}  // namespace bifrons
