// Lanes: refusals, memory limits, and a temporary fault of the machine.
#include <gtest/gtest.h>

#include <map>

#include "src/engine/scheduler.h"
#include "tests/engine/lane_toy.h"
#include "tests/support/forwarding_backend.h"

namespace bifrons {
namespace {

// Makes the sampling of one picture (of one column of a window) fail in one step.
class Faulty final : public ForwardingBackend {
 public:
  explicit Faulty(Backend& inner) : ForwardingBackend(inner), inner_(inner) {}
  int64_t breaks_in_draw = -1;  // counted from 0
  int64_t breaks_picture = 0;

 private:
  void do_sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) override {
    inner_.sample(ids, guided, controls);
    if (draws_++ != breaks_in_draw) return;
    ids.as<int32_t>()[2 * breaks_picture] = -1;
    ids.as<int32_t>()[2 * breaks_picture + 1] = -1;
  }
  Backend& inner_;
  int64_t draws_ = 0;
};

std::vector<DecodedPicture> nothing_decoded(std::span<const std::span<const int32_t>> codes) {
  return std::vector<DecodedPicture>(codes.size());
}

TEST(Lanes, APromptWithoutMakeRoomBreaksTheContract) {
  const auto backend = make_cpu_backend(1);
  testing::LaneToy toy(*backend, "toy-f32");
  Lanes lanes = toy.lanes(false);
  lanes.reserve(1);
  std::vector<LanePicture> entering;
  entering.push_back(toy.picture(0));
  entering[0].prompt.prompted.resize(70);
  entering[0].prompt.unprompted.resize(70);
  EXPECT_THROW(lanes.admit(std::move(entering)), ContractError);
}

// Lanes above the new number of lanes could not free their pages for others.
TEST(Lanes, FewerLanesForgetThePrefixesOfMore) {
  const auto backend = make_cpu_backend(1);
  testing::LaneToy toy(*backend, "toy-f32");
  Lanes lanes = toy.lanes(false);
  lanes.reserve(3);
  std::vector<LanePicture> entering;
  for (int i = 0; i < 3; ++i) {
    entering.push_back(toy.picture(i));
    lanes.make_room(static_cast<int64_t>(entering.back().prompt.prompted.size()));
  }
  EXPECT_TRUE(lanes.admit(std::move(entering)).empty());
  for (int64_t t = 1; t < toy.config.image_tokens(); ++t) lanes.step();
  EXPECT_EQ(lanes.take_finished().size(), 3u);
  EXPECT_GT(lanes.pages_in_use(), 0);
  lanes.reserve(1);
  EXPECT_EQ(lanes.pages_in_use(), 0);
}

// Allocates no more than `limit` bytes after the limit is set.
class Small final : public ForwardingBackend {
 public:
  explicit Small(Backend& inner) : ForwardingBackend(inner) {}
  bool full = false;
  Buffer allocate(int64_t bytes) override {
    if (full) throw Error(ErrorKind::kUnavailable, "no memory for " + std::to_string(bytes));
    return ForwardingBackend::allocate(bytes);
  }
};

// Pictures of one prompt share the whole pages of both rows' prompts (prefix caching).
TEST(Lanes, PicturesOfOnePromptShareItsPages) {
  const auto backend = make_cpu_backend(1);
  testing::LaneToy toy(*backend, "toy-f32");
  const int64_t length = 3 * kPageTokens + 5, positions = length + toy.config.image_tokens() - 1;
  const auto pages_of = [&](bool alike) {
    Lanes lanes = toy.lanes(false);
    lanes.reserve(4);
    lanes.make_room(length);
    std::vector<LanePicture> entering;
    for (int i = 0; i < 4; ++i) {
      entering.push_back(toy.picture(0));
      GuidedPrompt& p = entering.back().prompt;
      p.prompted.assign(length, 5);
      p.unprompted.assign(length, 7);
      if (!alike) p.prompted[0] = p.unprompted[0] = 20 + i;
      p.seed = i;
    }
    const std::vector<LanePicture> pictures = entering;
    EXPECT_TRUE(lanes.admit(std::move(entering)).empty());
    const int64_t pages = lanes.pages_in_use();
    for (int64_t t = 1; t < toy.config.image_tokens(); ++t) lanes.step();
    const std::vector<LanePicture> drawn = lanes.take_finished();
    for (size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_EQ(drawn[i].codes, toy.alone(pictures[i])) << i;
    }
    EXPECT_LT(lanes.pages_in_use(), pages);  // the prompts' pages stay, those of the codes do not
    return pages;
  };
  EXPECT_EQ(pages_of(false), 8 * pages_for(positions));
  EXPECT_EQ(pages_of(true), 8 * pages_for(positions) - 6 * 3);
}

// Long prompts fill a page pool made for short ones: some pictures wait, and all equal the pictures
// drawn alone.
TEST(Lanes, PicturesWithoutMemoryWait) {
  const auto backend = make_cpu_backend(1);
  Small small(*backend);
  testing::LaneToy toy(small, "toy-f32");
  for (const auto& [as_device, width] :
       {std::pair{false, 1}, {true, 1}, {false, 3}, {true, 3}, {false, 8}}) {
    small.full = false;
    Lanes lanes = toy.lanes(as_device);
    lanes.reserve(3, 3 * width);
    lanes.set_width(width);
    const auto prompt = [&](uint64_t id) {
      GuidedPrompt p = toy.picture(id).prompt;
      const auto length = static_cast<size_t>(100 + 7 * id);
      p.prompted.assign(length, static_cast<int32_t>(20 + id));
      p.unprompted.assign(length, static_cast<int32_t>(40 + id));  // no common prefix
      p.fixed.clear();
      return p;
    };
    lanes.make_room(150);  // the capacity and one picture; the pool was made for three short ones
    small.full = true;
    uint64_t next = 0;
    int64_t most = 0, least = 3;
    std::map<uint64_t, std::vector<int32_t>> drawn;
    const SchedulerParts parts{.lanes = lanes, .decode = nothing_decoded};
    const BatchStats stats = schedule_batch(
        parts, [&](const DrawRequest& r) { return prompt(r.seed); },
        [&]() -> std::optional<BatchJob> {
          if (next == 6) return {};
          const uint64_t id = next++;
          return BatchJob{id, {.prompt = "", .seed = id}};
        },
        [&](BatchResult r) {
          ASSERT_TRUE(r.drawing.has_value()) << r.error->what();
          drawn[r.id] = r.drawing->tokens;
        },
        [&](const BatchProgress& p) {
          most = std::max(most, p.lanes_busy);
          if (p.pictures < 4) least = std::min(least, p.lanes_busy);
          return true;
        });
    small.full = false;
    EXPECT_EQ(stats.pictures, 6);
    EXPECT_GE(most, 1);
    EXPECT_LT(least, 3) << "nothing ever waited: the test says nothing";
    for (uint64_t id = 0; id < 6; ++id) {
      LanePicture alone;
      alone.prompt = prompt(id);
      EXPECT_EQ(drawn[id], toy.alone(alone)) << id;
    }
  }
}

TEST(Lanes, ADecodeErrorAffectsOnePicture) {
  const auto backend = make_cpu_backend(1);
  testing::LaneToy toy(*backend, "toy-f32");
  const Tokenizer tokenizer = Tokenizer::open(golden::directory() + "toy-f32");
  const Prepare prepare = [&](const DrawRequest& r) {
    return guided_prompt(tokenizer, toy.config, r);
  };
  for (const bool beside : {false, true}) {
    Lanes lanes = toy.lanes(false);
    lanes.reserve(2);
    int decoded = 0;
    const SchedulerParts parts{.lanes = lanes,
                               .decode =
                                   [&](std::span<const std::span<const int32_t>> codes) {
                                     std::vector<DecodedPicture> pictures = nothing_decoded(codes);
                                     for (DecodedPicture& each : pictures) {
                                       if (++decoded != 2) continue;
                                       each.error = Error(ErrorKind::kData, "not finite");
                                     }
                                     return pictures;
                                   },
                               .decode_beside = beside};
    uint64_t next = 0;
    std::map<std::string, int> outcomes;
    const BatchStats stats = schedule_batch(
        parts, prepare,
        [&]() -> std::optional<BatchJob> {
          if (next == 5) return {};
          const uint64_t id = next++;
          return BatchJob{id, {.prompt = "a cat", .seed = id}};
        },
        [&](BatchResult r) {
          EXPECT_NE(r.drawing.has_value(), r.error.has_value());
          ++outcomes[r.error ? r.error->what() : "drawn"];
        },
        {});
    EXPECT_EQ(outcomes, (std::map<std::string, int>{{"drawn", 4}, {"not finite", 1}}));
    EXPECT_EQ(stats.pictures, 4);
    EXPECT_EQ(stats.failures, 1);
  }
}

// A temporary fault while sampling one code: the picture is drawn again, with the same result.
TEST(Lanes, AFailedSampleIsRepeated) {
  for (const auto& [draw, width] : {std::pair{0, 1}, {3, 1}, {0, 3}, {3, 3}}) {
    const auto backend = make_cpu_backend(1);
    Faulty faulty_backend(*backend);
    testing::LaneToy toy(faulty_backend, "toy-f32");
    const Tokenizer tokenizer = Tokenizer::open(golden::directory() + "toy-f32");
    const auto request = [](uint64_t id) {
      return DrawRequest{.prompt = "a cat " + std::to_string(id), .seed = id};
    };
    const Prepare prepare = [&](const DrawRequest& r) {
      return guided_prompt(tokenizer, toy.config, r);
    };
    std::map<uint64_t, BatchResult> results;
    for (bool faulty : {true, false}) {
      if (faulty) {
        faulty_backend.breaks_in_draw = draw;
        faulty_backend.breaks_picture = draw == 0 ? 1 : width;  // first column of the second lane
      }
      Lanes lanes = toy.lanes(false);
      lanes.reserve(3, 3 * width);
      lanes.set_width(width);
      const SchedulerParts parts{.lanes = lanes, .decode = nothing_decoded};
      uint64_t next = 0;
      const BatchStats stats = schedule_batch(
          parts, prepare,
          [&]() -> std::optional<BatchJob> {
            if (next == 5) return {};
            const uint64_t id = next++;
            return BatchJob{id, request(id)};
          },
          [&](BatchResult r) {
            if (faulty) {
              const uint64_t id = r.id;
              results.emplace(id, std::move(r));
            } else {
              ASSERT_TRUE(results.at(r.id).drawing.has_value());
              EXPECT_EQ(results.at(r.id).drawing->tokens, r.drawing->tokens) << r.id;
              EXPECT_EQ(results.at(r.id).drawing->passes, r.drawing->passes) << r.id;
            }
          },
          {});
      EXPECT_EQ(stats.pictures, 5);
      EXPECT_EQ(stats.retries, faulty ? 1 : 0);
    }
    int tried_twice = 0;
    for (const auto& [id, result] : results) tried_twice += result.attempts == 2;
    EXPECT_EQ(tried_twice, 1);
  }
}

}  // namespace
}  // namespace bifrons
