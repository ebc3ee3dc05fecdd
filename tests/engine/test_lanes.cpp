// Lanes: pictures enter at any time, steps may be filled up, memory grows, numbers may break once.
#include <gtest/gtest.h>

#include <map>

#include "kernels/timed_backend.h"
#include "src/engine/batch.h"
#include "src/engine/lanes.h"
#include "src/model/model.h"
#include "src/weights/checkpoint.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

// Breaks the draw of one picture in one step.
class Faulty final : public TimedBackend {
 public:
  explicit Faulty(Backend& inner) : TimedBackend(inner), inner_(inner) {}
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

struct Toy {
  std::unique_ptr<Backend> backend = make_cpu_backend(1);
  Faulty faulty{*backend};
  Config config;
  std::unique_ptr<Model> model;

  explicit Toy(const std::string& name) {
    const std::string directory = golden::directory() + name;
    config = read_config(directory);
    model = load_model(*backend, config, Checkpoint::open(directory), directory);
  }
  Lanes lanes(bool fills_up) {
    return Lanes(faulty, config, model->transformer, model->face, RopeMode::kF32, fills_up);
  }
  // Picture `id`: lengths, ids and settings all differ; pictures 0, 3, 6 and 9 begin alike.
  LanePicture picture(uint64_t id) const {
    const size_t length = 5 + 7 * (id % 5) % 31;
    LanePicture p;
    p.id = id;
    p.prompt.prompted.assign(length, 5);
    p.prompt.unprompted.assign(length, 7);
    if (id % 3 != 0) p.prompt.prompted[1] = static_cast<int32_t>(20 + id);
    p.prompt.prompted.back() = p.prompt.unprompted.back() = 11;
    p.prompt.seed = id << 33 | id;
    p.prompt.guidance = 1.0f + static_cast<float>(id);
    p.prompt.temperature = id % 4 == 3 ? 0.0f : 1.0f;
    p.prompt.top_k = static_cast<int32_t>(id % 3 * 5);
    p.prompt.top_p = id % 2 == 0 ? 1.0f : 0.8f;
    for (int64_t t = 0; id % 5 == 2 && t < config.image_tokens(); ++t) {
      p.prompt.fixed.push_back(t % 3 == 1 ? static_cast<int32_t>(id + t) : -1);
    }
    return p;
  }
  std::vector<int32_t> alone(const LanePicture& picture) {
    Lanes one = lanes(false);
    one.reserve(1);
    one.make_room(static_cast<int64_t>(picture.prompt.prompted.size()));
    std::vector<LanePicture> entering;
    entering.push_back(picture);
    one.admit(std::move(entering));
    for (int64_t i = 1; i < config.image_tokens(); ++i) one.step();
    return one.take_finished().at(0).codes;
  }
};

class EnteringLanes : public testing::TestWithParam<const char*> {};

// Pictures enter one by one at odd moments, so that every step mixes positions, and the last steps
// have ever fewer lanes.
TEST_P(EnteringLanes, AtAnyTimeChangesNothing) {
  Toy toy(GetParam());
  for (bool fills_up : {false, true}) {
    for (int64_t count : {1, 3, 5, 7}) {
      Lanes lanes = toy.lanes(fills_up);
      lanes.reserve(count);
      std::map<uint64_t, std::vector<int32_t>> codes;
      uint64_t next = 0;
      for (int64_t step = 0; codes.size() < 12; ++step) {
        if (next < 12 && lanes.busy() < count && (step % 3 != 1 || lanes.busy() == 0)) {
          std::vector<LanePicture> entering;
          entering.push_back(toy.picture(next++));
          if (next < 12 && step % 2 == 0 && lanes.busy() + 1 < count) {
            entering.push_back(toy.picture(next++));
          }
          lanes.admit(std::move(entering));
        }
        lanes.step();
        for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
      }
      for (const auto& [id, drawn] : codes) {
        EXPECT_EQ(drawn, toy.alone(toy.picture(id))) << id << " of " << count << " lanes";
        if (id % 5 != 2) continue;
        for (size_t t = 1; t < drawn.size(); t += 3) {
          EXPECT_EQ(drawn[t], static_cast<int32_t>(id + t)) << "a kept code of " << id;
        }
      }
      EXPECT_GT(lanes.work().shared_rows, 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, EnteringLanes, testing::Values("toy-f32", "toy-hf", "grouped-query"),
                         [](const auto& toy) {
                           std::string name = toy.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Lanes, MemoryGrowsUnderBusyLanes) {
  Toy toy("toy-hf");
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

TEST(Lanes, APromptThatNobodyMadeRoomForIsABrokenContract) {
  Toy toy("toy-f32");
  Lanes lanes = toy.lanes(false);
  lanes.reserve(1);
  std::vector<LanePicture> entering;
  entering.push_back(toy.picture(0));
  entering[0].prompt.prompted.resize(70);
  entering[0].prompt.unprompted.resize(70);
  EXPECT_THROW(lanes.admit(std::move(entering)), ContractError);
}

// A fault of the machine in one draw: that picture is drawn again and comes out as ever.
TEST(Lanes, ABrokenDrawIsTriedOnceMore) {
  for (int64_t draw : {0, 3}) {
    Toy toy("toy-f32");
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
        toy.faulty.breaks_in_draw = draw;
        toy.faulty.breaks_picture = 1;
      }
      Lanes lanes = toy.lanes(false);
      lanes.reserve(3);
      const BatchParts parts{.lanes = lanes, .decode = [](auto) { return Picture{}; }};
      uint64_t next = 0;
      const BatchStats stats = run_batch(
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
