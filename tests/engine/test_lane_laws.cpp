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

// Pictures of two and of three rows share lanes for three rows, with windows and without.
TEST_F(LaneLaws, PicturesOfThreeRowsAndOfTwoChangeNoOther) {
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy(*backend, "grouped-query");
  const bool emulated = testing::backend_is_emulated();
  const uint64_t count = emulated ? 3 : 10;
  std::map<uint64_t, LanePicture> pictures;
  std::map<uint64_t, std::vector<int32_t>> alone;
  bool counts = false;
  for (uint64_t id = 0; id < count; ++id) {
    pictures[id] = id % 3 == 1 ? toy.picture(id) : toy.of_three_rows(id);
    alone[id] = toy.alone(pictures[id]);
    counts = counts || alone[id] != toy.alone(toy.picture(id));
  }
  EXPECT_TRUE(counts) << "the third row counts for nothing";
  for (const int64_t width : {1, 3, 8}) {
    if (emulated && width != 3) continue;
    for (const bool as_device : {false, true}) {
      if (emulated && !as_device) continue;
      Lanes lanes = toy.lanes(as_device);
      lanes.reserve(3, 3 * width, 3);
      lanes.set_width(width);
      std::map<uint64_t, std::vector<int32_t>> codes;
      uint64_t next = 0;
      for (int64_t step = 0; codes.size() < count; ++step) {
        if (next < count && lanes.busy() < 3 && (step % 3 != 1 || lanes.busy() == 0)) {
          std::vector<LanePicture> entering;
          entering.push_back(pictures.at(next++));
          lanes.admit(std::move(entering));
        }
        lanes.step();
        for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
      }
      for (const auto& [id, drawn] : codes) {
        EXPECT_EQ(drawn, alone.at(id)) << id << " in windows of " << width;
      }
    }
  }
}

// The weights add up: a row that repeats the unconditional one only weakens the others.
TEST_F(LaneLaws, AThirdRowWithoutAConditionIsLessGuidance) {
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy(*backend, "toy-f32");
  LanePicture three = toy.of_three_rows(1), two = toy.picture(1);  // shares of one half
  three.prompt.further.front() = three.prompt.unprompted;
  two.prompt.guidance = three.prompt.guidance / 2;
  EXPECT_EQ(toy.alone(three), toy.alone(two));
}

// A picture in a prompt is its embeddings: with those of tokens it is these tokens.
TEST_F(LaneLaws, SpansWithTheEmbeddingsOfTokensAreTheseTokens) {
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy(*backend, "toy-hf");
  const Transformer& transformer = toy.model->transformer;
  const DType dtype = transformer.activation();
  constexpr int64_t kRows = 37;  // whole pages and a part of one
  std::vector<int32_t> ids;
  for (int32_t t = 0; t < kRows; ++t) ids.push_back(3 + 5 * t % 200);
  auto picture = std::make_shared<EmbeddedPicture>();
  picture->storage = backend->allocate(kRows * transformer.config().hidden * size_of(dtype));
  picture->rows = picture->storage.view(dtype, {kRows, transformer.config().hidden});
  picture->first_key = -5;
  const Buffer words = backend->allocate(kRows * size_of(DType::kI32));
  backend->upload(words.view(DType::kI32, {kRows}), ids.data());
  backend->gather(picture->rows, transformer.weights().token_embedding,
                  words.view(DType::kI32, {kRows}));

  const auto drawn = [&](bool as_picture, uint64_t id) {
    auto spans = std::make_shared<SpannedPrompt>();
    spans->shares = {1};
    const PromptSpan middle = as_picture ? PromptSpan{{}, picture} : PromptSpan{ids, {}};
    spans->rows.push_back({{{1, 4, 9}, {}}, middle, {{static_cast<int32_t>(20 + id), 11}, {}}});
    spans->rows.push_back({{{1, 7, 7}, {}}, middle, {{7, 11}, {}}});
    LanePicture p = toy.picture(id);
    p.prompt.fixed.clear();
    p.prompt.prompted = keys_of(spans->rows[0]);
    p.prompt.unprompted = keys_of(spans->rows[1]);
    p.prompt.spans = spans;
    return p;
  };
  for (const uint64_t id : {0, 1})
    EXPECT_EQ(toy.alone(drawn(true, id)), toy.alone(drawn(false, id)));
  Lanes lanes = toy.lanes(false);
  lanes.reserve(2);
  lanes.make_room(42);
  std::vector<LanePicture> entering;
  for (const uint64_t id : {0, 1}) entering.push_back(drawn(true, id));
  lanes.admit(std::move(entering));
  EXPECT_GE(lanes.work().shared_rows, 3 + kRows) << "the picture is in the prefix cache";
  while (lanes.busy() > 0) {
    lanes.step();
    for (const LanePicture& p : lanes.take_finished())
      EXPECT_EQ(p.codes, toy.alone(drawn(false, p.id)));
  }
}

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
