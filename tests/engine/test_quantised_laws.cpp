// Laws of a model with quantised weights: a picture is the same alone, in lanes, in windows of
// speculative decoding, and on every instruction set with fused multiply-adds.
#include <gtest/gtest.h>

#include "tests/engine/quantised_toy.h"

namespace bifrons {
namespace {

class QuantisedLaws : public ::testing::TestWithParam<LinearFormat> {};

TEST_P(QuantisedLaws, LanesAndWindowsChangeNoPicture) {
  const auto backend = make_cpu_backend(2);
  testing::LaneToy toy = testing::quantised_toy(*backend, GetParam());
  constexpr uint64_t kPictures = 8;
  std::map<uint64_t, std::vector<int32_t>> alone;
  for (uint64_t id = 0; id < kPictures; ++id) alone[id] = toy.alone(toy.picture(id));
  for (const int64_t lanes : {1, 3, 7}) {
    for (const int64_t width : {1, 2, 5, 16}) {
      EXPECT_EQ(testing::draw_in_lanes(toy, kPictures, lanes, width, false), alone)
          << lanes << " lanes, width " << width;
    }
  }
}

TEST_P(QuantisedLaws, ThreadsAndThePlaceOfAPictureDoNotMatter) {
  std::vector<int32_t> first;
  for (const int threads : {1, 2, 5}) {
    const auto backend = make_cpu_backend(threads);
    testing::LaneToy toy = testing::quantised_toy(*backend, GetParam());
    const std::vector<int32_t> codes = toy.alone(toy.picture(4));
    if (first.empty()) first = codes;
    EXPECT_EQ(codes, first) << threads << " threads";
  }
}

// gen_head keeps eight bits where the layers have four.
TEST_P(QuantisedLaws, LayersHaveTheFormatThatTheyMayHave) {
  const auto backend = make_cpu_backend(2);
  testing::LaneToy quantised = testing::quantised_toy(*backend, GetParam());
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
