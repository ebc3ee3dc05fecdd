// Speculative decoding with adversarial drafts. The drafts decide only the number of passes, and
// that number follows exactly from them. Non-finite values behind the accepted codes are ignored.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/engine/lane_toy.h"
#include "tests/support/forwarding_backend.h"

namespace bifrons {
namespace {

// The adversary's draft for an image token of a lane.
using Draft = std::function<int32_t(int64_t lane, int64_t token)>;

// Replaces the drafts after every pass. It can also make the columns of drafts non-finite.
class Adversary final : public ForwardingBackend {
 public:
  explicit Adversary(Backend& inner) : ForwardingBackend(inner), inner_(inner) {}
  Draft draft;
  bool poisons = false;  // one lane: q of all its draft columns is NaN
  int64_t poisoned = 0;

 private:
  void do_accept_drafts(const DraftWindows& windows, const Tensor& ids) override {
    inner_.accept_drafts(windows, ids);
    const int64_t pictures = windows.pass.count(), w = windows.step.count() / pictures;
    for (int64_t column = 0; column < pictures * w; ++column) {
      const int64_t token = windows.step.as<int32_t>()[column] - 1;  // the token of the input
      if (column % w == 0 || token >= windows.forced.cols()) continue;
      for (int64_t row = 2 * column; row < 2 * column + 2; ++row) {
        windows.inputs.as<int32_t>()[row] = draft(column / w, token);
      }
    }
  }
  // NaN spreads from q to the hidden states, and to the keys and values of the next layers.
  void do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                      const RopeTable& rope, const TokenRows& rows) override {
    inner_.rope_append(q, cache, qkv, rope, rows);
    for (int64_t m = 2; poisons && m < q.rows(); ++m) {
      reinterpret_cast<float*>(q.row(m))[0] = std::numeric_limits<float>::quiet_NaN();
      ++poisoned;
    }
  }
  Backend& inner_;
};

struct Fixture {
  std::unique_ptr<Backend> cpu = make_cpu_backend(1);
  Adversary backend{*cpu};
  testing::LaneToy toy{backend, "toy-f32"};
  int64_t tokens = toy.config.image_tokens();
  bool poisons_steps = false;

  // Draws pictures without forced codes together, with windows.
  std::vector<LanePicture> draw(int64_t count, int64_t width, bool as_device) {
    Lanes lanes = toy.lanes(as_device);
    lanes.reserve(count, count * width);
    lanes.set_width(width);
    std::vector<LanePicture> entering, drawn(count);
    for (int64_t i = 0; i < count; ++i) entering.push_back(picture(i));
    lanes.admit(std::move(entering));
    backend.poisons = poisons_steps;
    // A lane keeps its row only while all lanes are busy. So the drafts below do not depend on the
    // lane.
    while (lanes.busy() > 0) {
      lanes.step();
      for (LanePicture& p : lanes.take_finished()) {
        const uint64_t id = p.id;
        drawn[id] = std::move(p);
      }
    }
    backend.poisons = false;
    return drawn;
  }
  LanePicture picture(int64_t i) {
    LanePicture p = toy.picture(0);
    p.id = static_cast<uint64_t>(i);
    return p;
  }

  // Number of passes for a picture with these codes. The drafts of the first window are copies of
  // the first code.
  int64_t passes(const std::vector<int32_t>& codes, int64_t width) const {
    int64_t done = 1, passes = 0;
    while (done < tokens) {
      const int64_t columns = std::min(width, tokens - done);
      int64_t right = 0;  // drafts equal to the codes
      while (right + 1 < columns &&
             codes[done + right] == (passes == 0 ? codes[0] : backend.draft(0, done + right))) {
        ++right;
      }
      done += right + 1;
      ++passes;
    }
    return passes;
  }
};

constexpr int64_t kWidths[] = {2, 3, 8, 16, 31, 64};

TEST(Drafts, DecideTheNumberOfPassesAndNothingElse) {
  Fixture f;
  const std::vector<int32_t> codes = f.toy.alone(f.picture(0));
  const auto wrong = [&](int64_t token) {
    return static_cast<int32_t>((codes[token] + 1) % f.toy.config.vq.codebook);
  };
  const int64_t one = f.tokens / 2;
  const std::pair<const char*, Draft> adversaries[] = {
      {"all wrong", [&](int64_t, int64_t t) { return wrong(t); }},
      {"all right", [&](int64_t, int64_t t) { return codes[t]; }},
      {"right but one", [&](int64_t, int64_t t) { return t == one ? wrong(t) : codes[t]; }},
      {"every third wrong", [&](int64_t, int64_t t) { return t % 3 == 0 ? wrong(t) : codes[t]; }},
      {"not codes", [&](int64_t, int64_t) { return -1; }}};
  for (const auto& [name, draft] : adversaries) {
    f.backend.draft = draft;
    for (const int64_t width : kWidths) {
      const int64_t expected = f.passes(codes, width);
      for (const bool as_device : {false, true}) {
        for (const int64_t count : {1, 3}) {
          for (const LanePicture& p : f.draw(count, width, as_device)) {
            EXPECT_EQ(p.codes, codes) << name << ", width " << width;
            EXPECT_EQ(p.passes, expected) << name << ", width " << width;
          }
        }
      }
    }
  }
}

// Exact counts for cases where they depend only on the width.
TEST(Drafts, ThatAreAllRightGiveWholeWindows) {
  Fixture f;
  const std::vector<int32_t> codes = f.toy.alone(f.picture(0));
  f.backend.draft = [&](int64_t, int64_t token) { return codes[token]; };
  for (const int64_t width : kWidths) {
    const int64_t got = f.draw(1, width, false)[0].passes;
    // The first pass gives between one code and a whole window.
    EXPECT_GE(got, (f.tokens - 1 + width - 1) / width) << width;
    EXPECT_LE(got, 1 + (f.tokens - 2 + width - 1) / width) << width;
  }
  f.backend.draft = [](int64_t, int64_t) { return -1; };
  EXPECT_GE(f.draw(1, 2, false)[0].passes, f.tokens - 2);
}

TEST(Drafts, NotFiniteBehindTheAcceptedCodesIsNoFailure) {
  Fixture f;
  const std::vector<int32_t> codes = f.toy.alone(f.picture(0));
  ASSERT_NE(codes[0], codes[1]) << "the first draft must be wrong";
  f.backend.draft = [](int64_t, int64_t) { return -1; };
  f.poisons_steps = true;
  for (const bool as_device : {false, true}) {
    for (const int64_t width : {2, 5}) {
      f.backend.poisoned = 0;
      const LanePicture p = f.draw(1, width, as_device)[0];
      EXPECT_GT(f.backend.poisoned, 0);
      EXPECT_TRUE(p.finite) << width;
      EXPECT_EQ(p.codes, codes) << width;
    }
  }
}

}  // namespace
}  // namespace bifrons
