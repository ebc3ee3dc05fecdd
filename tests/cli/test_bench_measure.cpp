// `bifrons bench` synchronises once per run and measures the drawing loop itself. It holds one rig
// at a time and leaves out what does not fit into memory. Times are not checked.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "src/weights/checkpoint.h"
#include "tests/support/forwarding_backend.h"
#include "tests/support/golden.h"
#include "tools/bench/measure.h"

namespace bifrons::testing {
namespace {

// Records launches and synchronisations in order, and limits the memory.
class Watched final : public ForwardingBackend {
 public:
  explicit Watched(Backend& inner) : ForwardingBackend(inner), inner_(inner) {}

  // g: gather (also the first op of image understanding), l: layer norm, p: pixels, s:
  // synchronisation. Repeats in a row count once.
  std::string events;
  int64_t live = 0, peak = 0, limit = INT64_MAX;  // bytes

  void synchronize() override { note('s'); }
  Buffer allocate(int64_t bytes) override {
    if (live + bytes > limit) throw Error(ErrorKind::kUnavailable, "not enough memory");
    live += bytes;
    peak = std::max(peak, live);
    Buffer buffer = inner_.allocate(bytes);
    void* data = buffer.data();
    buffers_[data] = std::move(buffer);
    const auto free = [](void* self, void* what, int64_t size) {
      static_cast<Watched*>(self)->live -= size;
      static_cast<Watched*>(self)->buffers_.erase(what);
    };
    return Buffer(data, bytes, memory_space(), free, this);
  }

 private:
  void note(char event) {
    if (events.empty() || events.back() != event) events += event;
  }
  void do_gather(const Tensor& y, const Table& table, const Tensor& ids) override {
    note('g');
    inner_.gather(y, table, ids);
  }
  void do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override {
    note('l');
    inner_.layer_norm(y, x, norm, eps);
  }
  void do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) override {
    note('p');
    inner_.to_pixels(pixels, x, not_finite);
  }

  Backend& inner_;
  std::map<void*, Buffer> buffers_;
};

int64_t count_of(const std::string& part, const std::string& whole) {
  int64_t count = 0;
  for (size_t at = whole.find(part); at != std::string::npos; at = whole.find(part, at + 1))
    ++count;
  return count;
}

class BenchMeasure : public ::testing::Test {
 protected:
  explicit BenchMeasure(const std::string& toy = "toy-f32") {
    options_.model = golden::directory() + toy;
    options_.decode = options_.draw = options_.prefill = options_.vq = options_.speculate = false;
    options_.repeats = 2;
    model_ = load_model(watched_, read_config(options_.model), Checkpoint::open(options_.model),
                        options_.model);
    watched_.events.clear();
  }
  BenchReport measured() {
    return measure(watched_, *model_, options_, [] { return 10.0; });
  }
  static std::vector<std::string> names_of(const BenchReport& report) {
    std::vector<std::string> names;
    for (const BenchRow& row : report.rows) names.push_back(row.name);
    return names;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend(1);
  Watched watched_{*backend_};
  BenchOptions options_;
  std::unique_ptr<Model> model_;
};

TEST_F(BenchMeasure, WholeDecodesAreWaitedForOnce) {
  options_.vq = true;
  const BenchReport report = measured();
  ASSERT_EQ(report.rows.size(), 3u);
  EXPECT_EQ(report.rows[0].name, "VQ decode 4x4");
  EXPECT_GT(report.rows[0].flops, report.rows[1].flops);
  // One counted run and three timed ones, without a synchronisation before the pixels.
  EXPECT_EQ(count_of("gps", watched_.events), 4) << watched_.events;
  EXPECT_EQ(count_of("gs", watched_.events), 3) << "op by op: " << watched_.events;
}

// Bytes of the KV cache in 8 bits: the rows count what the ops read.
TEST_F(BenchMeasure, CountsAnInt8CacheAsTheOpsDo) {
  options_.draw = options_.decode = true;
  options_.whole = true;
  options_.pictures = {3};
  options_.rows = {2};
  const BenchReport stored = measured();
  model_->transformer.set_int8_kv(true);
  const BenchReport int8 = measured();
  const int64_t steps = model_->config.image_tokens() - 1;
  ASSERT_EQ(names_of(int8), names_of(stored));
  for (size_t i = 0; i < int8.rows.size(); ++i) EXPECT_LT(int8.rows[i].bytes, stored.rows[i].bytes);
  EXPECT_EQ(int8.rows.back().bytes, watched_.meter().total().bytes / steps);
}

TEST_F(BenchMeasure, DrawingIsWhatTheEngineDoes) {
  options_.draw = true;
  options_.whole = true;
  options_.pictures = {1, 3};
  const BenchReport report = measured();
  EXPECT_EQ(names_of(report),
            (std::vector<std::string>{"1 picture", "drawing step, 1 picture", "3 pictures at once",
                                      "drawing step, 3 pictures"}));
  const int64_t steps = model_->config.image_tokens() - 1;
  Meter& meter = watched_.meter();  // has the steps of the last picture
  for (const Op op : {Op::kGuide, Op::kSample, Op::kForceIds, Op::kRecordIds}) {
    EXPECT_EQ(meter.of(op).calls, steps) << name_of(op);
  }
  EXPECT_EQ(meter.of(Op::kAdvance).calls, 2 * steps);
  EXPECT_EQ(report.rows[3].bytes, meter.total().bytes / steps) << "as if a device told positions";
  EXPECT_EQ(report.rows[3].flops, meter.total().flops / steps);
  EXPECT_EQ(report.rows[2].bytes, report.rows[3].bytes * steps);
  EXPECT_GT(report.rows[2].codes_per_second, 0);
  EXPECT_GT(report.rows[2].percent_of_bandwidth(), 0);
}

TEST_F(BenchMeasure, ACpuDrawsSomeSteps) {
  options_.draw = true;
  EXPECT_EQ(names_of(measured()), std::vector<std::string>{"drawing step, 1 picture, first 2"});
  EXPECT_EQ(watched_.meter().of(Op::kSample).calls, 2);
}

TEST_F(BenchMeasure, OneRigAtATimeHasMemory) {
  options_.decode = true;
  options_.rows = {2, 32};
  measured();
  watched_.limit = watched_.peak;
  options_.rows = {2, 8, 31, 32, 16};
  EXPECT_EQ(measured().skipped, std::vector<std::string>{});
}

TEST_F(BenchMeasure, WhatDoesNotFitIsLeftOutAndSaid) {
  options_.decode = options_.draw = true;
  options_.whole = true;
  options_.rows = {2, 8};
  options_.pictures = {1, 2};
  measured();
  watched_.limit = watched_.peak;
  options_.rows = {2, 512, 8};
  options_.pictures = {1, 64, 2};
  const BenchReport report = measured();
  EXPECT_EQ(names_of(report),
            (std::vector<std::string>{"decode step, 2 rows", "decode step, 8 rows", "1 picture",
                                      "drawing step, 1 picture", "2 pictures at once",
                                      "drawing step, 2 pictures"}));
  EXPECT_EQ(report.skipped, (std::vector<std::string>{"decode step, 512 rows: not enough memory",
                                                      "64 pictures: not enough memory"}));
}

TEST_F(BenchMeasure, WhatThereIsNoTimeForIsLeftOutAndSaid) {
  options_.draw = true;
  options_.pictures = {1, 2};
  const BenchReport report = measure(watched_, *model_, options_, [&] {
    options_.until = std::chrono::steady_clock::now();  // during the first measurement
    return 10.0;
  });
  EXPECT_EQ(names_of(report), std::vector<std::string>{"drawing step, 1 picture, first 2"});
  EXPECT_EQ(report.skipped, std::vector<std::string>{"2 pictures: no time left"});
}

TEST_F(BenchMeasure, NothingThatFitsIsAnError) {
  options_.draw = true;
  watched_.limit = watched_.live;
  try {
    measured();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
  }
}

class BenchSight : public BenchMeasure {
 protected:
  BenchSight() : BenchMeasure("toy-sees") {}
};

TEST_F(BenchSight, LooksAndTokensAreWaitedFor) {
  options_.understand = true;
  EXPECT_FALSE(measured().rows.empty());
  EXPECT_TRUE(watched_.events.ends_with("glsgsglsgs")) << watched_.events;
}

}  // namespace
}  // namespace bifrons::testing
