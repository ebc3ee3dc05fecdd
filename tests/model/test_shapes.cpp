// The list of weights compared with the published parameter counts (docs/janus-pro.md 8.1), and the
// memory plan compared with the list.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "src/engine/memory_plan.h"
#include "src/model/model.h"

namespace bifrons {
namespace {

int64_t parameters(const TensorList& list) {
  int64_t sum = 0;
  for (const NeededTensor& tensor : list.tensors()) {
    int64_t n = 1;
    for (int64_t size : tensor.shape) n *= size;
    sum += n;
  }
  return sum;
}

struct Published {
  const char* shape;
  int64_t transformer;  // layers, final norm and token embedding
  int64_t image_head;   // gen_head, gen_aligner, gen_embed
};

class Shapes : public ::testing::TestWithParam<Published> {};

TEST_P(Shapes, ParametersAreThoseOfTheSpecification) {
  const Config config = shape_named(GetParam().shape);
  Model model(config, DType::kBf16);
  TensorList transformer, image_head, decoder;
  visit(model.transformer.weights(), config.transformer, transformer);
  visit(model.image_head.weights(), config, image_head);
  visit(model.decoder.weights(), config.vq, decoder);
  EXPECT_EQ(parameters(transformer), GetParam().transformer);
  EXPECT_EQ(parameters(image_head), GetParam().image_head);
  EXPECT_EQ(parameters(decoder), 42'449'795 + 2'304 + 131'072);
  EXPECT_EQ(model.decoder.image_size(), 384);
  VqEncoder encoder(config.vq, config.grid, DType::kBf16);
  TensorList half;
  visit(encoder.weights(), config.vq, half);
  EXPECT_EQ(parameters(half), 29'298'176 + 2'056);
  EXPECT_EQ(encoder.image_size(), 384);
}

TEST_P(Shapes, TensorNamesAreUnique) {
  const Config config = shape_named(GetParam().shape);
  Model model(config, DType::kBf16);
  TensorList list;
  model.visit_weights(list);
  std::set<std::string> names;
  for (const NeededTensor& tensor : list.tensors()) {
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Published, Shapes,
    ::testing::Values(Published{"janus-pro-1b", 209'715'200 + 1'233'223'680 + 2'048,
                                131'072 + 4'214'784 + 37'767'168},
                      Published{"janus-pro-7b", 419'430'400 + 6'071'500'800 + 4'096,
                                131'072 + 16'818'176 + 83'906'560}),
    [](const auto& toy) { return toy.index == 0 ? "OneB" : "SevenB"; });

TEST(MemoryPlan, CountsTheWorkingSetOfTheSpecification) {
  // docs/janus-pro.md 8.1: 2.636 GB for 1B without the token embedding (0.419 GB). 8.3: 196,608
  // bytes of keys and values per token and row; here in pages of 16 tokens.
  const auto plan = memory_plan(shape_named("janus-pro-1b"), DType::kBf16, 1, 64);
  std::map<std::string, int64_t> bytes;
  for (const MemoryItem& item : plan) bytes[item.name] = item.bytes;
  EXPECT_EQ(bytes.size(), plan.size());
  EXPECT_NEAR(bytes["text embedding"] / 1e9, 0.419, 0.001);
  const int64_t others =
      bytes["transformer"] + bytes["image head and aligner"] + bytes["visual tokenizer, decoder"];
  EXPECT_NEAR(others / 1e9, 2.636, 0.001);
  EXPECT_EQ(bytes["keys and values"], 2 * 40 * 16 * 196'608);
}

// docs/janus-pro.md 8.3: 101,376 bytes per token and row in 8 bits.
TEST(MemoryPlan, CountsAnInt8Cache) {
  const auto kv_bytes = [](PlanFormats formats) {
    for (const MemoryItem& item : memory_plan(shape_named("janus-pro-1b"), formats, 1, 64)) {
      if (item.name == "keys and values") return item.bytes;
    }
    return int64_t{0};
  };
  EXPECT_EQ(kv_bytes({DType::kBf16, KvFormat::kInt8}), 2 * 40 * 16 * 101'376);
  EXPECT_EQ(kv_bytes({DType::kF32, KvFormat::kInt8}), 2 * 40 * 16 * 101'376);
}

// A row of 639 tokens needs 40 pages. Unconditional rows begin with the same 63 tokens: 48 of them
// fill whole pages, which all rows share. A device has one more page, for padding rows.
TEST(MemoryPlan, CountsSharedPagesOnce) {
  const auto pages = [](int64_t pictures, MemorySpace space) {
    for (const MemoryItem& item :
         memory_plan(shape_named("janus-pro-1b"), DType::kBf16, pictures, 64, space)) {
      if (item.name == "keys and values") return item.bytes / (16 * 196'608);
    }
    return int64_t{0};
  };
  EXPECT_EQ(pages(4, MemorySpace::kHost), 4 * 2 * 40 - 3 * 3);
  EXPECT_EQ(pages(4, MemorySpace::kDevice), 4 * 2 * 40 - 3 * 3 + 1);
  EXPECT_EQ(pages(1, MemorySpace::kDevice), 2 * 40);
}

// Scratch memory of the kernels of a GPU. The token embedding of 419 MB stays in host memory.
TEST(MemoryPlan, CountsScratchMemoryOfAGpu) {
  const auto bytes = [](int64_t pictures, const std::string& name, int64_t prompt = 64) {
    for (const MemoryItem& item : memory_plan(shape_named("janus-pro-1b"), DType::kBf16, pictures,
                                              prompt, MemorySpace::kDevice)) {
      if (item.name == name) return item.bytes;
    }
    return int64_t{-1};
  };
  EXPECT_EQ(bytes(1, "text embedding"), 0);
  // The largest of: partial sums of GEMMs; for attention, 256 rows of 16 heads with 10 chunks of
  // 128 positions in f32; for 200 pictures, 8 bytes per code and two codes per block. In addition
  // the scores of the decoder. Times four, because the scratch memory grows.
  const int64_t decoder = 576 * (576 + 512) * 2;
  EXPECT_EQ(bytes(1, "kernels' scratch"), 4 * ((16 << 20) + decoder));
  EXPECT_EQ(bytes(1, "kernels' scratch", 640), 4 * (256 * 16 * 10 * (128 + 2) * 4 + decoder));
  EXPECT_EQ(bytes(200, "kernels' scratch"), 4 * (200 * (16'384 * 8 + 8 * 16) + decoder));
}

TEST(ShapeNamed, RefusesOthers) {
  try {
    shape_named("janus-flow");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace bifrons
