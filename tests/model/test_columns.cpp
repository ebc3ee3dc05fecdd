// Column clause of kernels/backend.h on every backend: the columns of one causal pass have the bits
// of single steps, from the embedding of the codes to the sampled code and the stored K and V.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "src/model/model.h"
#include "src/model/rope.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

// Grouped-query heads, odd sizes beside whole tiles, and more than one attention chunk (128).
Config small() {
  Config config = shape_named("janus-pro-1b");
  TransformerConfig& t = config.transformer;
  t.vocabulary = 8;
  t.layers = 2;
  t.heads = 4;
  t.kv_heads = 2;
  t.head_dim = 32;
  t.hidden = 136;
  t.intermediate = 80;
  config.image_token_embed = 72;
  config.gen_aligner_width = 48;
  config.vq.codebook = 2100;
  config.vq.code_dim = 8;
  config.vq.latent_channels = 8;
  config.vq.base_channels = 8;
  config.vq.decoder_multipliers = {1, 1};
  config.vq.norm_groups = 4;
  config.vq.res_blocks = 1;
  return config;
}

using Bytes = std::vector<std::byte>;

Bytes bytes_of(Backend& b, const Tensor& t) {
  Bytes bytes(t.bytes());
  b.download(bytes.data(), t);
  return bytes;
}

// Results of a run over all columns, in order.
struct Results {
  std::vector<int32_t> ids;  // sampled codes, one per column
  Bytes hidden, guided, keys, values;
};

// Runs the columns of one guided pair of sequences in passes of given widths.
class Columns {
 public:
  Columns(Backend& b, DType dtype, bool int8_kv, int64_t columns)
      : b_(b), columns_(columns), model_(random_model(b, small(), dtype, 3)) {
    model_->transformer.set_int8_kv(int8_kv);
    const TransformerConfig& t = model_->config.transformer;
    const int64_t rows = 2 * columns;
    activations_ = model_->transformer.make_activations(b, rows);
    head_ = model_->image_head.make_activations(b, columns);
    x_ = b.allocate(rows * t.hidden * size_of(model_->activation));
    integers_ = b.allocate(2 * rows * size_of(DType::kI32));
    controls_ = b.allocate(7 * columns * size_of(DType::kI32));
  }

  Results run(const std::vector<int64_t>& widths) {
    const TransformerConfig& t = model_->config.transformer;
    memory_ = model_->transformer.make_memory(b_, 2, columns_ + kLonger,
                                              inverse_frequencies(t.rope_theta, t.head_dim, false));
    // The conditional sequence is longer from the start, so that the rows of a pair differ.
    for (int64_t p = 0; p < kLonger; ++p) pass({{0, p, 3 * p}});
    Results results;
    size_t turn = 0;
    for (int64_t first = 0; first < columns_;) {
      const int64_t n = std::min(widths[turn++ % widths.size()], columns_ - first);
      std::vector<Row> rows;
      for (int64_t c = first; c < first + n; ++c) {
        rows.push_back({0, kLonger + c, 37 * c});
        rows.push_back({1, c, 37 * c});
      }
      pass(rows);
      sample(results, first, n);
      first += n;
    }
    for (const KvCache& cache : memory_.cache) {
      append(results.keys, bytes_of(b_, cache.k));
      append(results.values, bytes_of(b_, cache.v));
    }
    return results;
  }

 private:
  static constexpr int64_t kLonger = 5;
  struct Row {
    int64_t sequence, position, code;
  };

  static void append(Bytes& to, const Bytes& from) {
    to.insert(to.end(), from.begin(), from.end());
  }

  Tensor integers(int64_t part, const std::vector<int32_t>& values) {
    const Tensor t = integers_.view(DType::kI32, {static_cast<int64_t>(values.size())},
                                    part * 2 * columns_ * size_of(DType::kI32));
    b_.upload(t, values.data());
    return t;
  }

  // Leaves the normed hidden states in head_.
  void pass(const std::vector<Row>& rows) {
    const int64_t n = static_cast<int64_t>(rows.size());
    std::vector<int32_t> sequences, positions, codes;
    for (const Row& row : rows) {
      sequences.push_back(static_cast<int32_t>(row.sequence));
      positions.push_back(static_cast<int32_t>(row.position));
      codes.push_back(static_cast<int32_t>(row.code % model_->config.vq.codebook));
    }
    const ImageHeadActivations a = head_.rows(n);
    const Tensor x = x_.view(model_->activation, {n, model_->config.transformer.hidden});
    b_.upload(a.ids, codes.data());
    model_->image_head.embed_codes(b_, x, a);
    model_->transformer.forward(b_, x, {integers(0, sequences), integers(1, positions)}, memory_,
                                activations_);
    b_.rms_norm(a.hidden, x, model_->transformer.weights().final_norm,
                model_->config.transformer.norm_eps);
  }

  template <typename T, typename Value>
  Tensor control(int64_t part, int64_t n, DType dtype, const Value& value) {
    std::vector<T> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<T>(value(i)));
    const Tensor t = controls_.view(dtype, {n}, part * columns_ * size_of(dtype));
    b_.upload(t, values.data());
    return t;
  }

  void sample(Results& results, int64_t first, int64_t n) {
    SampleControls c;
    const Tensor scale = control<float>(0, n, DType::kF32, [](int64_t) { return 5.0; });
    c.temperature = control<float>(1, n, DType::kF32,
                                   [&](int64_t i) { return (first + i) % 7 == 0 ? 0.0 : 1.0; });
    c.top_p =
        control<float>(2, n, DType::kF32, [&](int64_t i) { return (first + i) % 3 ? 1.0 : 0.9; });
    c.top_k =
        control<int32_t>(3, n, DType::kI32, [&](int64_t i) { return (first + i) % 4 ? 0 : 30; });
    c.step = control<int32_t>(4, n, DType::kI32, [&](int64_t i) { return first + i; });
    c.seed = control<int32_t>(5, 2 * n, DType::kI32, [](int64_t i) {
               return i % 2 ? 1 : 11;
             }).reshape({n, 2});
    const ImageHeadActivations a = head_.first(n);
    model_->image_head.sample_codes(b_, a, scale, c);
    append(results.hidden, bytes_of(b_, a.hidden));
    append(results.guided, bytes_of(b_, a.guided));
    std::vector<int32_t> ids(2 * n);
    b_.download(ids.data(), a.ids);
    for (int64_t i = 0; i < n; ++i) results.ids.push_back(ids[2 * i]);
  }

  Backend& b_;
  int64_t columns_;
  std::unique_ptr<Model> model_;
  PagedKvCache memory_;
  TransformerActivations activations_;
  ImageHeadActivations head_;
  Buffer x_, integers_, controls_;
};

struct Format {
  DType dtype;
  bool int8_kv;
};

class ColumnClause : public ::testing::TestWithParam<Format> {};

TEST_P(ColumnClause, AColumnOfAPassHasTheBitsOfAStep) {
  if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const bool slow = testing::backend_is_emulated();
  const int64_t columns = slow ? 35 : 150;
  std::vector<std::vector<int64_t>> all{{columns}, {2}, {3, 17, 1, 64}};
  if (!slow) all.insert(all.end(), {{3}, {8}, {16}, {31}, {64}});
  for (const auto& b : testing::backends_under_test()) {
    Columns rig(*b, GetParam().dtype, GetParam().int8_kv, columns);
    const Results steps = rig.run({1});
    for (const std::vector<int64_t>& widths : all) {
      const Results passes = rig.run(widths);
      const std::string which =
          std::string(b->description()) + ", widths from " + std::to_string(widths[0]) + " on";
      EXPECT_EQ(passes.ids, steps.ids) << which;
      EXPECT_TRUE(passes.hidden == steps.hidden) << which;
      EXPECT_TRUE(passes.guided == steps.guided) << which;
      EXPECT_TRUE(passes.keys == steps.keys) << which;
      EXPECT_TRUE(passes.values == steps.values) << which;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ColumnClause,
                         ::testing::Values(Format{DType::kF32, false}, Format{DType::kBf16, false},
                                           Format{DType::kF32, true}, Format{DType::kBf16, true}),
                         [](const auto& type) {
                           return std::string(name_of(type.param.dtype)) +
                                  (type.param.int8_kv ? "_int8_cache" : "");
                         });

}  // namespace
}  // namespace bifrons
