// Laws of a model with quantised weights: a picture is the same alone, in lanes, in windows of
// speculative decoding, and on every instruction set with fused multiply-adds.
#include <gtest/gtest.h>

#include <map>

#include "tests/engine/lane_toy.h"

namespace bifrons {
namespace {

// The visual tokenizer of a toy, and layers whose columns divide into groups of both formats.
Config config_of(LinearFormat format) {
  Config config = read_config(golden::directory() + "toy-f32");
  TransformerConfig& t = config.transformer;
  t.hidden = config.image_token_embed = config.gen_aligner_width = 128;
  t.intermediate = 256;
  t.heads = 2;
  t.kv_heads = 1;
  t.head_dim = 64;
  t.layers = 2;
  config.tower.reset();
  config.loaded = format;
  return config;
}

testing::LaneToy make_toy(Backend& b, LinearFormat format) {
  const Config config = config_of(format);
  return {b, config, random_model(b, config, DType::kBf16, 7)};
}

class QuantisedLaws : public ::testing::TestWithParam<LinearFormat> {};

// Draws pictures that enter one by one, in windows of `width` columns.
std::map<uint64_t, std::vector<int32_t>> draw(testing::LaneToy& toy, uint64_t pictures,
                                              int64_t count, int64_t width) {
  Lanes lanes = toy.lanes(false);
  lanes.reserve(count, count * width);
  lanes.set_width(width);
  std::map<uint64_t, std::vector<int32_t>> codes;
  uint64_t next = 0;
  for (int64_t step = 0; codes.size() < pictures; ++step) {
    if (next < pictures && lanes.busy() < count && (step % 3 != 1 || lanes.busy() == 0)) {
      std::vector<LanePicture> entering;
      entering.push_back(toy.picture(next++));
      lanes.admit(std::move(entering));
    }
    for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
    if (lanes.busy() == 0) continue;
    lanes.step();
    for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
  }
  return codes;
}

TEST_P(QuantisedLaws, LanesAndWindowsChangeNoPicture) {
  const auto backend = make_cpu_backend(2);
  testing::LaneToy toy = make_toy(*backend, GetParam());
  constexpr uint64_t kPictures = 8;
  std::map<uint64_t, std::vector<int32_t>> alone;
  for (uint64_t id = 0; id < kPictures; ++id) alone[id] = toy.alone(toy.picture(id));
  for (const int64_t lanes : {1, 3, 7}) {
    for (const int64_t width : {1, 2, 5, 16}) {
      EXPECT_EQ(draw(toy, kPictures, lanes, width), alone) << lanes << " lanes, width " << width;
    }
  }
}

TEST_P(QuantisedLaws, ThreadsAndThePlaceOfAPictureDoNotMatter) {
  std::vector<int32_t> first;
  for (const int threads : {1, 2, 5}) {
    const auto backend = make_cpu_backend(threads);
    testing::LaneToy toy = make_toy(*backend, GetParam());
    const std::vector<int32_t> codes = toy.alone(toy.picture(4));
    if (first.empty()) first = codes;
    EXPECT_EQ(codes, first) << threads << " threads";
  }
}

// gen_head keeps eight bits where the layers have four.
TEST_P(QuantisedLaws, LayersHaveTheFormatThatTheyMayHave) {
  const auto backend = make_cpu_backend(2);
  testing::LaneToy quantised = make_toy(*backend, GetParam());
  const ImageHeadWeights& head = quantised.model->image_head.weights();
  EXPECT_EQ(head.head_out.format, LinearFormat::kInt8);
  EXPECT_EQ(head.head_in.format, LinearFormat::kInt8);
  for (const LayerWeights& layer : quantised.model->transformer.weights().layers) {
    EXPECT_EQ(layer.qkv.format, GetParam());
    EXPECT_EQ(layer.attention_out.format, GetParam());
    EXPECT_EQ(layer.gate_up.format, GetParam());
    EXPECT_EQ(layer.down.format, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantisedLaws,
                         ::testing::Values(LinearFormat::kInt8, LinearFormat::kInt4),
                         [](const auto& format) { return std::string(name_of(format.param)); });

}  // namespace
}  // namespace bifrons
