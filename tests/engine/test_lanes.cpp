// Lanes: what they refuse, and numbers that break once.
#include <gtest/gtest.h>

#include <map>

#include "kernels/timed_backend.h"
#include "src/engine/batch.h"
#include "tests/engine/lane_toy.h"

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

TEST(Lanes, APromptThatNobodyMadeRoomForIsABrokenContract) {
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

// A fault of the machine in one draw: that picture is drawn again and comes out as ever.
TEST(Lanes, ABrokenDrawIsTriedOnceMore) {
  for (int64_t draw : {0, 3}) {
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
        faulty_backend.breaks_picture = 1;
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
