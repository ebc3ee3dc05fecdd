// Laws together: pictures of two and of three rows and thoughts share lanes, with quantised weights
// and with keys and values in 8 bits. Lanes, neighbours, windows and threads change no bit.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "kernels/quantise.h"
#include "src/engine/thinking.h"
#include "src/model/text_head.h"
#include "tests/engine/lane_toy.h"
#include "tests/engine/quantised_toy.h"

namespace bifrons {
namespace {

struct Formats {
  LinearFormat weights;
  bool int8_kv;
};

// Fills a text head with random numbers, in the format in which such a model keeps it.
class RandomHead : public WeightVisitor {
 public:
  RandomHead(Backend& backend, LinearFormat format) : backend_(backend), format_(format) {}

  using WeightVisitor::linear;
  void linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool, LinearForm,
              FewestBits fewest) override {
    const int64_t out = parts.front().out;
    std::mt19937 random(5);
    std::normal_distribution<float> normal(0, 0.2f);
    std::vector<float> values(out * in);
    for (float& value : values) value = normal(random);
    const HostArray rows{reinterpret_cast<const std::byte*>(values.data()), DType::kF32, out, in};
    const LinearFormat format = format_for(format_, fewest);
    if (format == LinearFormat::kStored) {
      weight = backend_.make_linear({&rows, 1}, {});
      return;
    }
    std::vector<std::byte> numbers(out * value_bytes(format, in)),
        scales(out * scale_bytes(format, in));
    Quantiser(1).quantise(rows, format, numbers, scales);
    const QuantisedArray array{numbers.data(), scales.data(), format, out, in};
    weight = backend_.make_quantised_linear({&array, 1}, {});
  }
  void convolution(Convolution&, const std::string&, int64_t, int64_t, int64_t, Padding) override {}
  void norm(Norm&, const std::string&, int64_t, bool) override {}
  void table(Table&, const std::string&, int64_t, int64_t, TableRows) override {}
  void positions(Table&, const std::string&, int64_t, int64_t) override {}

 private:
  Backend& backend_;
  LinearFormat format_;
};

using Found = std::map<uint64_t, std::vector<int32_t>>;

// From this id on a thought is written; the picture that follows it has the id + kThoughts.
constexpr uint64_t kThoughts = 100;

class MixedToy {
 public:
  MixedToy(Backend& backend, Formats formats)
      : toy_(backend, testing::quantised_config(formats.weights),
             random_model(backend, testing::quantised_config(formats.weights), DType::kBf16, 7)),
        head_(toy_.config) {
    toy_.model->transformer.set_int8_kv(formats.int8_kv);
    RandomHead random(backend, formats.weights);
    head_.visit_weights(random);
  }

  LanePicture picture(uint64_t id) const {
    return id % 2 == 0 ? toy_.of_three_rows(id) : toy_.picture(id);
  }
  std::vector<int32_t> alone_in_two_rows(uint64_t id) { return toy_.alone(toy_.picture(id)); }

  // Pictures and thoughts enter one by one at irregular times, in windows of `width` columns.
  Found draw(std::deque<uint64_t> ids, int64_t count, int64_t width) {
    Lanes lanes = toy_.lanes(false);
    lanes.reserve(count, count * width, 3);
    lanes.set_width(width);
    lanes.set_text_head(&head_);
    Found found;
    std::deque<LanePicture> following;
    for (int64_t step = 0;; ++step) {
      const bool idle = lanes.busy() + lanes.thinking() == 0;
      if (idle && ids.empty() && following.empty()) return found;
      if (lanes.idle() > 0 && (step % 3 != 1 || idle)) enter(lanes, ids, following);
      for (ThoughtTask& task : lanes.take_thoughts()) {
        following.push_back(picture_after(task));
        found[task.id] = std::move(task.tokens);
      }
      lanes.think();
      if (lanes.busy() > 0) lanes.step();
      for (LanePicture& p : lanes.take_finished()) found[p.id] = std::move(p.codes);
    }
  }

 private:
  static ThoughtTask task(uint64_t id) {
    auto thinking = std::make_shared<Thinking>();
    thinking->options.style = thought_style("got-r1");
    thinking->options.style.temperature = id % 2 == 0 ? 1 : 0.7;
    thinking->options.style.top_k = id % 3 == 0 ? 20 : 0;
    thinking->stop = {static_cast<int32_t>(30 + id % 7)};
    ThoughtTask task{.id = id};
    task.request.thinking = std::move(thinking);
    task.request.seed = id << 20 | id;
    task.prompt.assign(9 + 5 * (id % 4), 5);
    task.prompt[1] = static_cast<int32_t>(20 + id % 3);
    task.most = static_cast<int64_t>(4 + 6 * (id % 3));
    return task;
  }
  // In the same sequence: what is in the cache is not run again.
  LanePicture picture_after(const ThoughtTask& task) const {
    LanePicture p = toy_.picture(task.id);
    p.id = task.id + kThoughts;
    p.prompt.fixed.clear();
    p.prompt.guidance = 3;
    p.prompt.prompted = task.prompt;
    p.prompt.prompted.insert(p.prompt.prompted.end(), task.tokens.begin(), task.tokens.end());
    p.prompt.prompted.push_back(11);
    p.prompt.unprompted.assign(p.prompt.prompted.size(), 7);
    p.prompt.unprompted.back() = 11;
    return p;
  }
  void enter(Lanes& lanes, std::deque<uint64_t>& ids, std::deque<LanePicture>& following) const {
    if (following.empty() && ids.empty()) return;
    if (following.empty() && ids.front() >= kThoughts) {
      std::vector<ThoughtTask> entering{task(ids.front())};
      lanes.make_room(std::ssize(entering[0].prompt) + entering[0].most);
      if (lanes.begin_thoughts(std::move(entering)).empty()) ids.pop_front();
      return;
    }
    std::vector<LanePicture> entering{following.empty() ? picture(ids.front()) : following.front()};
    lanes.make_room(std::ssize(entering[0].prompt.prompted));
    if (!lanes.admit(std::move(entering)).empty()) return;  // until a lane is done
    following.empty() ? ids.pop_front() : following.pop_front();
  }

  testing::LaneToy toy_;
  TextHead head_;
};

class MixedLanes : public ::testing::TestWithParam<Formats> {
 protected:
  const std::deque<uint64_t> kIds = {0, 101, 1, 2, 102, 3, 107, 4, 5};
};

TEST_P(MixedLanes, NeighboursAndWindowsChangeNoPictureAndNoThought) {
  const auto backend = make_cpu_backend(2);
  MixedToy toy(*backend, GetParam());
  Found alone;
  for (const uint64_t id : kIds) alone.merge(toy.draw({id}, 1, 1));
  EXPECT_EQ(alone.size(), kIds.size() + 3);
  EXPECT_NE(alone.at(101), alone.at(107));
  // Three rows may be a pair with a repeated row.
  for (const uint64_t id : {1, 3, 5}) EXPECT_EQ(alone.at(id), toy.alone_in_two_rows(id)) << id;
  for (const auto& [lanes, width] : {std::pair{1, 5}, {3, 1}, {3, 9}, {7, 2}}) {
    EXPECT_EQ(toy.draw(kIds, lanes, width), alone) << lanes << " lanes, width " << width;
  }
  const std::deque<uint64_t> backwards(kIds.rbegin(), kIds.rend());
  EXPECT_EQ(toy.draw(backwards, 4, 3), alone);
}

TEST_P(MixedLanes, ThreadsDoNotMatter) {
  Found first;
  for (const int threads : {1, 2, 5}) {
    const auto backend = make_cpu_backend(threads);
    MixedToy toy(*backend, GetParam());
    const Found found = toy.draw(kIds, 3, 4);
    if (first.empty()) first = found;
    EXPECT_EQ(found, first) << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kept, MixedLanes,
    ::testing::Values(Formats{LinearFormat::kStored, false}, Formats{LinearFormat::kStored, true},
                      Formats{LinearFormat::kInt8, false}, Formats{LinearFormat::kInt8, true},
                      Formats{LinearFormat::kInt4, false}, Formats{LinearFormat::kInt4, true}),
    [](const auto& at) {
      const Formats& kept = at.param;
      const std::string weights =
          kept.weights == LinearFormat::kStored ? "stored" : std::string(name_of(kept.weights));
      return weights + (kept.int8_kv ? "_kv_int8" : "");
    });

}  // namespace
}  // namespace bifrons
