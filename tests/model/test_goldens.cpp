// The loaded toy models compared with two reference implementations (tools/reference/README.md
// explains the values).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/engine/lanes.h"
#include "src/model/model.h"
#include "src/model/rope.h"
#include "src/tokenizer/prompt.h"
#include "src/weights/checkpoint.h"
#include "tests/support/differences.h"
#include "tests/support/golden.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

// A toy model that computes in `activation`, whatever the dtype of its stored weights.
struct Toy {
  std::string directory;
  std::unique_ptr<Backend> backend = testing::backend_under_test();
  std::unique_ptr<Model> model;
  golden::Tensors expected;

  Toy(const std::string& name, DType activation)
      : directory(golden::directory() + name),
        expected(directory + "/expected/expected.safetensors") {
    const Checkpoint checkpoint = Checkpoint::open(directory);
    const PublishedTensors published(checkpoint);
    model = std::make_unique<Model>(read_config(directory), activation);
    TensorList needed;
    model->visit_weights(needed);
    check_tensors(published, needed.tensors(), directory);
    WeightLoader loader(*backend, published, activation);
    model->visit_weights(loader);
    model->decoder.allocate(*backend);
  }

  // Logits [T, 2, C] when the model is given `codes`; step 0 is the prefill.
  std::vector<float> forced_logits(const std::vector<int32_t>& prompt,
                                   const std::vector<int32_t>& null,
                                   const std::vector<int32_t>& codes, bool rope_bf16) {
    Backend& b = *backend;
    const TransformerConfig& t = model->config.transformer;
    const int64_t length = prompt.size(), steps = codes.size(), c = model->config.vq.codebook;
    const auto inverse = inverse_frequencies(t.rope_theta, t.head_dim, rope_bf16);
    const PagedKvCache memory = model->transformer.make_memory(b, 2, length + steps, inverse);
    const TransformerActivations activations = model->transformer.make_activations(b, 2 * length);
    const ImageHeadActivations image_head = model->image_head.make_activations(b, 1);
    const Buffer inputs = b.allocate(2 * length * t.hidden * 4), rows = b.allocate(6 * length * 4);
    const auto put = [&](int64_t part, const std::vector<int32_t>& values) {
      const Tensor view = rows.view(DType::kI32, {static_cast<int64_t>(values.size())},
                                    part * 2 * length * size_of(DType::kI32));
      b.upload(view, values.data());
      return view;
    };
    std::vector<int32_t> ids(prompt), sequences(length, 0), positions;
    ids.insert(ids.end(), null.begin(), null.end());
    sequences.resize(2 * length, 1);
    for (int64_t i = 0; i < 2 * length; ++i) positions.push_back(static_cast<int32_t>(i % length));
    const Tensor x = inputs.view(model->activation, {2 * length, t.hidden});
    b.gather(x, model->transformer.weights().token_embedding, put(0, ids));
    model->transformer.forward(b, x, {put(1, sequences), put(2, positions)}, memory, activations);
    const Norm& norm = model->transformer.weights().final_norm;
    b.rms_norm(image_head.hidden.slice_rows(0, 1), x.slice_rows(length - 1, 1), norm, t.norm_eps);
    b.rms_norm(image_head.hidden.slice_rows(1, 1), x.slice_rows(2 * length - 1, 1), norm,
               t.norm_eps);

    std::vector<float> logits(steps * 2 * c);
    const Tensor step = x.slice_rows(0, 2);
    for (int64_t i = 0; i < steps; ++i) {
      const ImageHeadWeights& w = model->image_head.weights();
      b.linear(image_head.inner, image_head.hidden, w.head_in);
      b.gelu(image_head.inner, image_head.inner);
      b.linear(image_head.logits, image_head.inner, w.head_out);
      b.download(logits.data() + i * 2 * c, image_head.logits);
      const std::vector<int32_t> both(2, codes[i]);
      b.upload(image_head.ids, both.data());
      model->image_head.embed_codes(b, step, image_head);
      const auto position = static_cast<int32_t>(length + i);
      model->transformer.forward(b, step, {put(1, {0, 1}), put(2, {position, position})}, memory,
                                 activations);
      b.rms_norm(image_head.hidden, step, norm, t.norm_eps);
    }
    return logits;
  }
};

// f32 sums of a few hundred terms through a dozen layers: some hundred times 2^-24, relative to the
// largest value. The two references differ from each other by about 1e-6.
constexpr double kF32Tolerance = 2e-5;

class Goldens : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  }
};

class GoldensOfF32Models : public Goldens {};
class GoldensOfBf16Models : public Goldens {};

TEST_P(Goldens, PromptIds) {
  const std::string directory = golden::directory() + GetParam();
  const golden::Tensors expected(directory + "/expected/expected.safetensors");
  const Tokenizer tokenizer = Tokenizer::open(directory);
  std::ifstream file(directory + "/expected/expected.json");
  const auto json = nlohmann::json::parse(file);
  for (int i = 0; i < 2; ++i) {
    const std::string draw = "draw" + std::to_string(i);
    const std::string prompt = json.at("draws").at(i).at("prompt");
    const auto ids = drawing_prompt(tokenizer, prompt, false);
    EXPECT_EQ(ids, expected.values<int32_t>(draw + ".prompt_ids")) << prompt;
    EXPECT_EQ(unconditional_prompt(tokenizer, ids, ""),
              expected.values<int32_t>(draw + ".null_ids"));
  }
}

TEST_P(Goldens, LogitsInF32) {
  Toy toy(GetParam(), DType::kF32);
  for (const std::string draw : {"draw0", "draw1"}) {
    const auto reference = toy.expected.values<float>(draw + ".logits");
    const auto logits = toy.forced_logits(toy.expected.values<int32_t>(draw + ".prompt_ids"),
                                          toy.expected.values<int32_t>(draw + ".null_ids"),
                                          toy.expected.values<int32_t>(draw + ".codes"), false);
    EXPECT_LE(largest_difference(logits, reference), kF32Tolerance * largest(reference)) << draw;
  }
}

TEST_P(Goldens, GreedyCodesInF32) {
  Toy toy(GetParam(), DType::kF32);
  Lanes lanes(*toy.backend, toy.model->config, toy.model->transformer, toy.model->image_head,
              RopeMode::kF32);
  lanes.reserve(2);
  std::vector<LanePicture> pictures(2);
  for (int i = 0; i < 2; ++i) {
    const std::string draw = "draw" + std::to_string(i);
    pictures[i].id = i;
    pictures[i].prompt.prompted = toy.expected.values<int32_t>(draw + ".prompt_ids");
    pictures[i].prompt.unprompted = toy.expected.values<int32_t>(draw + ".null_ids");
    pictures[i].prompt.temperature = 0;
  }
  lanes.admit(std::move(pictures));  // both in one batch, which changes no result
  for (int64_t i = 1; i < toy.model->config.image_tokens(); ++i) lanes.step();
  for (const LanePicture& picture : lanes.take_finished()) {
    EXPECT_EQ(picture.codes,
              toy.expected.values<int32_t>("draw" + std::to_string(picture.id) + ".codes"));
  }
  EXPECT_EQ(lanes.busy(), 0);
}

TEST_P(GoldensOfF32Models, RopeOfTheOriginalScripts) {
  Toy toy(GetParam(), DType::kF32);
  const auto reference = toy.expected.values<float>("draw0.logits_rope_bf16");
  const auto prompt = toy.expected.values<int32_t>("draw0.prompt_ids");
  const auto null = toy.expected.values<int32_t>("draw0.null_ids");
  const auto codes = toy.expected.values<int32_t>("draw0.codes");
  const auto logits = toy.forced_logits(prompt, null, codes, true);
  const double tolerance = kF32Tolerance * largest(reference);
  EXPECT_LE(largest_difference(logits, reference), tolerance);
  EXPECT_GT(largest_difference(toy.forced_logits(prompt, null, codes, false), reference), tolerance)
      << "the two modes must differ";
}

// In bf16, every order of summation rounds differently. The tolerance is therefore the reference's
// own distance from f32: our result may not be farther from f32 than that, and not farther from the
// reference than twice that distance.
TEST_P(GoldensOfBf16Models, Logits) {
  Toy toy(GetParam(), DType::kBf16);
  for (const std::string draw : {"draw0", "draw1"}) {
    const auto exact = toy.expected.values<float>(draw + ".logits");
    const auto reference = toy.expected.values<float>(draw + ".logits_bf16");
    const auto logits = toy.forced_logits(toy.expected.values<int32_t>(draw + ".prompt_ids"),
                                          toy.expected.values<int32_t>(draw + ".null_ids"),
                                          toy.expected.values<int32_t>(draw + ".codes"), false);
    const double rounding = distance(reference, exact);
    EXPECT_LE(distance(logits, exact), 1.25 * rounding) << draw;
    EXPECT_LE(distance(logits, reference), 2 * rounding) << draw;
    EXPECT_GT(distance(logits, exact), 0) << "bf16 must round";
  }
}

std::vector<float> decoded(Toy& toy, const int32_t* codes, std::vector<uint8_t>* pixels) {
  const int64_t n = toy.model->config.image_tokens(), size = toy.model->decoder.image_size();
  Backend& b = *toy.backend;
  const Buffer code = b.allocate(n * 4), pixel = b.allocate(size * size * 3);
  b.upload(code.view(DType::kI32, {n}), codes);
  const Tensor signal = toy.model->decoder.decode_to_signal(b, code.view(DType::kI32, {n}));
  const Tensor pixel_view = pixel.view(DType::kU8, {1, size, size, 3});
  const Buffer not_finite = b.allocate(size_of(DType::kI32));
  b.to_pixels(pixel_view, signal, not_finite.view(DType::kI32, {1}));
  pixels->resize(size * size * 3);
  b.download(pixels->data(), pixel_view);
  std::vector<float> values(signal.count());
  if (signal.dtype == DType::kF32) {
    b.download(values.data(), signal);
    return values;
  }
  std::vector<Bf16> rounded(signal.count());
  b.download(rounded.data(), signal);
  std::transform(rounded.begin(), rounded.end(), values.begin(),
                 [](Bf16 x) { return to_float(x); });
  return values;
}

TEST_P(Goldens, DecodedPixelsInF32) {
  Toy toy(GetParam(), DType::kF32);
  const auto codes = toy.expected.values<int32_t>("decode.codes");
  const auto reference = toy.expected.values<float>("decode.values");
  const auto reference_pixels = toy.expected.values<uint8_t>("decode.pixels");
  const size_t n = toy.model->config.image_tokens(), one = reference.size() / (codes.size() / n);
  for (size_t p = 0; p < codes.size() / n; ++p) {
    std::vector<uint8_t> pixels;
    const auto values = decoded(toy, codes.data() + p * n, &pixels);
    const std::vector<float> exact(reference.begin() + p * one, reference.begin() + (p + 1) * one);
    EXPECT_LE(largest_difference(values, exact), kF32Tolerance * largest(exact)) << "picture " << p;
    int64_t other = 0;
    for (size_t i = 0; i < one; ++i) {
      const int step = std::abs(int{pixels[i]} - int{reference_pixels[p * one + i]});
      EXPECT_LE(step, 1) << i;
      other += step;
    }
    EXPECT_LE(other, static_cast<int64_t>(one / 100)) << "values next to a step are rare";
  }
}

TEST_P(GoldensOfBf16Models, DecodedSignal) {
  Toy toy(GetParam(), DType::kBf16);
  const auto codes = toy.expected.values<int32_t>("decode.codes");
  const auto exact = toy.expected.values<float>("decode.values");
  const auto reference = toy.expected.values<float>("decode.values_bf16");
  const size_t n = toy.model->config.image_tokens();
  std::vector<float> values;
  for (size_t p = 0; p < codes.size() / n; ++p) {
    std::vector<uint8_t> pixels;
    const auto one = decoded(toy, codes.data() + p * n, &pixels);
    values.insert(values.end(), one.begin(), one.end());
  }
  const double rounding = distance(reference, exact);
  EXPECT_LE(distance(values, exact), 1.25 * rounding);
  EXPECT_LE(distance(values, reference), 2 * rounding);
}

constexpr const char* kFile = "expected.safetensors";

INSTANTIATE_TEST_SUITE_P(Toys, Goldens, ::testing::ValuesIn(golden::kToys), golden::test_name);
INSTANTIATE_TEST_SUITE_P(Toys, GoldensOfF32Models,
                         ::testing::ValuesIn(golden::toys_with(kFile, "draw0.logits_rope_bf16")),
                         golden::test_name);
INSTANTIATE_TEST_SUITE_P(Toys, GoldensOfBf16Models,
                         ::testing::ValuesIn(golden::toys_with(kFile, "decode.values_bf16")),
                         golden::test_name);

}  // namespace
}  // namespace bifrons
