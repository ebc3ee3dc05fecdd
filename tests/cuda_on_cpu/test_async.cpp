// A device that delays all work until something waits for it. It reveals wrong assumptions of the
// host code.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "tests/engine/lane_toy.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

using cuda_on_cpu::waiting_graphs;

class AsyncDevice : public ::testing::Test {
 protected:
  AsyncDevice() { cuda_on_cpu::machine().asynchronous = true; }
  ~AsyncDevice() override { cuda_on_cpu::machine() = {}; }

  std::vector<LanePicture> pictures(std::vector<uint64_t> ids) const {
    std::vector<LanePicture> all;
    for (const uint64_t id : ids) all.push_back(toy.picture(id));
    return all;
  }

  std::unique_ptr<Backend> backend = testing::backend_under_test();
  testing::LaneToy toy{*backend, "toy-f32"};
};

// The device runs the next step while the host reads the previous one. The codes are the same as
// with a device that waits after every step.
TEST_F(AsyncDevice, LanesRunAheadWithTheSameCodes) {
  Lanes lanes = toy.lanes(true);
  lanes.reserve(3);
  lanes.admit(pictures({0, 1, 2}));
  EXPECT_EQ(waiting_graphs(), 0);
  std::vector<LanePicture> finished;
  for (int64_t step = 1; step < toy.config.image_tokens(); ++step) {
    lanes.step();
    const bool last = step + 1 == toy.config.image_tokens();
    EXPECT_EQ(waiting_graphs(), last ? 0 : kRunAhead - 1) << step;
    finished = lanes.take_finished();
    EXPECT_EQ(finished.size(), last ? 3u : 0u);
  }
  for (const LanePicture& p : finished) EXPECT_EQ(p.codes, toy.alone(toy.picture(p.id))) << p.id;
}

// The same with windows of drafts: the host learns of the codes of a step while the next one runs,
// and waits only where a picture may be finished.
TEST_F(AsyncDevice, WindowsRunAheadAndDrawTheSame) {
  Lanes lanes = toy.lanes(true);
  lanes.reserve(2, 2 * 3);
  lanes.set_width(3);
  lanes.admit(pictures({1, 2}));
  bool ran_ahead = false;
  size_t finished = 0;
  while (lanes.busy() > 0) {
    lanes.step();
    ran_ahead = ran_ahead || waiting_graphs() == kRunAhead - 1;
    for (const LanePicture& p : lanes.take_finished()) {
      EXPECT_EQ(waiting_graphs(), 0);
      EXPECT_EQ(p.codes, toy.alone(toy.picture(p.id))) << p.id;
      ++finished;
    }
    if (finished == 1 && lanes.busy() == 1) lanes.set_width(2);
  }
  EXPECT_TRUE(ran_ahead);
  EXPECT_EQ(finished, 2u);
}

// A picture that enters between two reads of ids, and memory that grows there.
TEST_F(AsyncDevice, PicturesEnteringInFlightChangeNothing) {
  Lanes lanes = toy.lanes(true);
  lanes.reserve(2);
  lanes.admit(pictures({0}));
  for (int i = 0; i < 3; ++i) lanes.step();
  EXPECT_EQ(waiting_graphs(), 1);
  lanes.make_room(100);
  for (int i = 0; i < 2; ++i) lanes.step();
  lanes.admit(pictures({1}));
  size_t finished = 0;
  while (lanes.busy() > 0) {
    lanes.step();
    for (const LanePicture& p : lanes.take_finished()) {
      EXPECT_EQ(p.codes, toy.alone(toy.picture(p.id))) << p.id;
      ++finished;
    }
  }
  EXPECT_EQ(finished, 2u);
}

// Steps whose results are not needed do not affect later pictures.
TEST_F(AsyncDevice, DroppedStepsInFlightChangeNothing) {
  Lanes lanes = toy.lanes(true);
  lanes.reserve(2);
  lanes.admit(pictures({0, 1}));
  for (int i = 0; i < 5; ++i) lanes.step();
  lanes.clear();
  EXPECT_EQ(waiting_graphs(), 1);
  lanes.admit(pictures({2}));
  for (int64_t step = 1; step < toy.config.image_tokens(); ++step) lanes.step();
  EXPECT_EQ(lanes.take_finished().at(0).codes, toy.alone(toy.picture(2)));
}

// Stopping after any number of steps waits for the step in flight before memory is freed.
TEST_F(AsyncDevice, StoppingWaitsForOneStep) {
  for (int steps = 1; steps < 5; ++steps) {
    {
      Lanes lanes = toy.lanes(true);
      lanes.reserve(2);
      lanes.admit(pictures({0, 1}));
      for (int i = 0; i < steps; ++i) lanes.step();
      EXPECT_EQ(waiting_graphs(), 1);
    }
    EXPECT_EQ(waiting_graphs(), 0);
  }
}

// A picture with numbers that are not finite is noticed one step late and removed. The step in
// flight still has the rows of the other lanes.
TEST_F(AsyncDevice, AFailingLaneAffectsNoOther) {
  // A picture and a guidance scale with which the numbers overflow only in a later step.
  const std::unique_ptr<Backend> fast = make_cpu_backend(1);
  testing::LaneToy there{*fast, "toy-f32"};
  const auto fails_later = [&](const LanePicture& p) {
    const size_t drawn = there.alone(p).size();
    return drawn >= 2 && drawn < static_cast<size_t>(toy.config.image_tokens());
  };
  LanePicture failing = toy.picture(3);
  for (uint64_t id = 3; !fails_later(failing); failing.prompt.guidance *= 0.95f) {
    if (failing.prompt.guidance < 1e37f) {
      failing = toy.picture(++id);
      failing.prompt.guidance = std::numeric_limits<float>::max();
      ASSERT_LT(id, 100u);
    }
  }
  std::vector<LanePicture> all = pictures({1, 2});
  all.insert(all.begin(), failing);
  Lanes lanes = toy.lanes(true);
  lanes.reserve(3);
  lanes.admit(std::move(all));
  std::map<uint64_t, LanePicture> finished;
  while (lanes.busy() > 0) {
    lanes.step();
    for (LanePicture& p : lanes.take_finished()) finished[p.id] = std::move(p);
  }
  EXPECT_FALSE(finished.at(failing.id).finite);
  EXPECT_GE(finished.at(failing.id).codes.size(), 2u);
  for (const uint64_t id : {1, 2}) {
    EXPECT_EQ(finished.at(id).codes, toy.alone(toy.picture(id))) << id;
  }
}

}  // namespace
}  // namespace bifrons
