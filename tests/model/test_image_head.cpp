// The table of precomputed inputs equals gen_embed and gen_aligner, bit for bit, for any codes in a
// batch.
#include <gtest/gtest.h>

#include "src/model/model.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

Config small(int64_t codebook) {
  Config config = shape_named("janus-pro-1b");
  TransformerConfig& t = config.transformer;
  t.vocabulary = 8;
  t.layers = 1;
  t.heads = t.kv_heads = 2;
  t.head_dim = 32;
  t.hidden = 64;
  t.intermediate = 32;
  config.image_token_embed = 24;
  config.gen_aligner_width = 48;
  config.vq.codebook = codebook;
  config.vq.code_dim = 8;
  return config;
}

// The image head alone, with random weights.
class Face {
 public:
  Face(Backend& b, const Config& config, DType dtype) : b_(b), hidden_(config.transformer.hidden) {
    image_head = random_image_head(b, config, dtype, 1);
    activation_ = activation_for(dtype);
  }

  // The inputs for `codes`, one after another.
  std::vector<std::byte> inputs(const std::vector<int32_t>& codes) const {
    const int64_t rows = static_cast<int64_t>(codes.size());
    const ImageHeadActivations all = image_head->make_activations(b_, (rows + 1) / 2);
    const ImageHeadActivations a = all.rows(rows);
    const Buffer buffer = b_.allocate(rows * hidden_ * size_of(activation_));
    const Tensor x = buffer.view(activation_, {rows, hidden_});
    b_.upload(a.ids, codes.data());
    image_head->embed_codes(b_, x, a);
    std::vector<std::byte> bytes(x.bytes());
    b_.download(bytes.data(), x);
    return bytes;
  }

  std::unique_ptr<ImageHead> image_head;

 private:
  Backend& b_;
  int64_t hidden_;
  DType activation_;
};

class PrecomputedInputs : public ::testing::TestWithParam<DType> {};

TEST_P(PrecomputedInputs, EqualTheAligner) {
  if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = testing::backend_under_test();
  for (const int64_t codebook :
       {5, 256, 600}) {  // less than a round of precompute_inputs(), one round, more
    Face plain(*b, small(codebook), GetParam()), precomputed(*b, small(codebook), GetParam());
    precomputed.image_head->precompute_inputs(*b);
    const auto last = static_cast<int32_t>(codebook - 1);
    std::vector<int32_t> all(codebook);
    for (int32_t i = 0; i <= last; ++i) all[i] = last - i;
    // -1 is a code that could not be sampled.
    for (const std::vector<int32_t>& codes :
         {all, std::vector<int32_t>{0}, {last}, {3, 3, -1, last, 0}}) {
      EXPECT_EQ(plain.inputs(codes), precomputed.inputs(codes)) << codebook << ", " << codes.size();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PrecomputedInputs, ::testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

TEST(PrecomputedInputs, AreMadeWhereTheySaveTime) {
  const Config large = shape_named("janus-pro-1b");
  EXPECT_FALSE(ImageHead::precomputes_inputs(large, MemorySpace::kHost));
  EXPECT_TRUE(ImageHead::precomputes_inputs(large, MemorySpace::kDevice));
  EXPECT_TRUE(ImageHead::precomputes_inputs(small(2496), MemorySpace::kHost));
  EXPECT_EQ(ImageHead::precomputed_bytes(large, DType::kBf16), 16384 * 2048 * 2);
}

}  // namespace
}  // namespace bifrons
