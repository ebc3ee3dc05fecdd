// Understanding with toy models, compared with two reference implementations
// (tools/reference/make_understanding_goldens.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/model/model.h"
#include "src/model/rope.h"
#include "src/model/understanding_model.h"
#include "src/tokenizer/chat_prompt.h"
#include "src/weights/checkpoint.h"
#include "tests/support/differences.h"
#include "tests/support/golden.h"
#include "vision/networks/tower_input.h"

namespace bifrons {
namespace {

// As in test_goldens.cpp. The references differ from each other by less than a tenth of it.
constexpr double kTowerTolerance = 2e-5;

std::vector<float> floats_of(Backend& b, const Tensor& t) {
  std::vector<float> values(t.count());
  if (t.dtype == DType::kF32) {
    b.download(values.data(), t);
    return values;
  }
  std::vector<Bf16> stored(t.count());
  b.download(stored.data(), t);
  std::transform(stored.begin(), stored.end(), values.begin(), [](Bf16 v) { return to_float(v); });
  return values;
}

// A toy model that computes in `activation`, whatever the dtype of its stored weights.
struct SeeingToy {
  std::string directory;
  std::unique_ptr<Backend> backend = make_cpu_backend(2);
  std::unique_ptr<Model> model;
  std::unique_ptr<UnderstandingModel> understanding;
  golden::Tensors expected;

  SeeingToy(const std::string& name, DType activation)
      : directory(golden::directory() + name),
        expected(directory + "/expected/understanding.safetensors") {
    const Checkpoint checkpoint = Checkpoint::open(directory);
    const PublishedTensors published(checkpoint);
    const Config config = read_config(directory);
    model = std::make_unique<Model>(config, activation);
    understanding = std::make_unique<UnderstandingModel>(config, activation);
    TensorList needed;
    visit(model->transformer.weights(), config.transformer, needed);
    understanding->visit_weights(needed);
    check_tensors(published, needed.tensors(), directory);
    WeightLoader loader(*backend, published, activation);
    visit(model->transformer.weights(), config.transformer, loader);
    understanding->visit_weights(loader);
    understanding->allocate(*backend);
  }

  void show(int picture) {
    const TowerConfig& tower = understanding->tower().config();
    const auto pixels = expected.values<uint8_t>("see.pictures");
    const int64_t bytes = tower.image_size * tower.image_size * 3;
    const Picture shown{tower.image_size,
                        tower.image_size,
                        {pixels.begin() + picture * bytes, pixels.begin() + (picture + 1) * bytes}};
    const std::vector<float> patches = patches_of(shown, tower);
    const Tensor place = understanding->tower().patches();
    if (place.dtype == DType::kF32) return backend->upload(place, patches.data());
    std::vector<Bf16> rounded(patches.size());
    std::transform(patches.begin(), patches.end(), rounded.begin(),
                   [](float v) { return to_bf16(v); });
    backend->upload(place, rounded.data());
  }

  std::vector<float> features() {
    std::vector<float> all;
    for (int picture = 0; picture < 2; ++picture) {
      show(picture);
      const auto one = floats_of(*backend, understanding->tower().encode(*backend));
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  std::vector<float> rows() {
    const int64_t n = understanding->tower().config().tokens(),
                  hidden = model->config.transformer.hidden;
    const Buffer buffer = backend->allocate(n * hidden * 4);
    std::vector<float> all;
    for (int picture = 0; picture < 2; ++picture) {
      show(picture);
      const Tensor seen = buffer.view(model->activation, {n, hidden});
      understanding->encode_image(*backend, seen);
      const auto one = floats_of(*backend, seen);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  // Logits [steps, V] after conversation `ask` when the model is given its tokens.
  std::vector<float> forced_logits(const std::string& ask) {
    Backend& b = *backend;
    const TransformerConfig& t = model->config.transformer;
    const auto ids = expected.values<int32_t>(ask + ".ids");
    const auto places = expected.values<int32_t>(ask + ".places");
    const auto pictures = expected.values<int32_t>(ask + ".pictures");
    const auto said = expected.values<int32_t>(ask + ".tokens");
    const int64_t length = ids.size(), n = understanding->tower().config().tokens();
    const PagedKvCache memory =
        model->transformer.make_memory(b, 1, length + static_cast<int64_t>(said.size()),
                                       inverse_frequencies(t.rope_theta, t.head_dim, false));
    const TransformerActivations activations = model->transformer.make_activations(b, length);
    const Buffer inputs = b.allocate(length * t.hidden * 4), counters = b.allocate(3 * length * 4);
    const Buffer outputs = b.allocate((t.vocabulary + t.hidden) * 4);
    const auto counter = [&](int64_t part, const std::vector<int32_t>& values) {
      const Tensor view = counters.view(DType::kI32, {static_cast<int64_t>(values.size())},
                                        part * length * size_of(DType::kI32));
      b.upload(view, values.data());
      return view;
    };
    const auto run = [&](const std::vector<int32_t>& tokens, int64_t first) {
      const auto rows = static_cast<int64_t>(tokens.size());
      const Tensor x = inputs.view(model->activation, {rows, t.hidden});
      b.gather(x, model->transformer.weights().token_embedding, counter(0, tokens));
      for (size_t i = 0; first == 0 && i < places.size(); ++i) {
        show(pictures[i]);
        understanding->encode_image(b, x.slice_rows(places[i], n));
      }
      std::vector<int32_t> position(rows);
      std::iota(position.begin(), position.end(), static_cast<int32_t>(first));
      model->transformer.forward(b, x,
                                 {counter(1, std::vector<int32_t>(rows, 0)), counter(2, position)},
                                 memory, activations);
      const Tensor hidden = outputs.view(model->activation, {1, t.hidden}, t.vocabulary * 4);
      const Tensor logits = outputs.view(DType::kF32, {1, t.vocabulary});
      b.rms_norm(hidden, x.slice_rows(rows - 1, 1), model->transformer.weights().final_norm,
                 t.norm_eps);
      understanding->lm_head(b, logits, hidden);
      return floats_of(b, logits);
    };
    std::vector<float> all = run(ids, 0);
    for (size_t i = 0; i + 1 < said.size(); ++i) {
      const auto next = run({said[i]}, length + static_cast<int64_t>(i));
      all.insert(all.end(), next.begin(), next.end());
    }
    return all;
  }

  std::vector<std::string> asks() const {
    std::vector<std::string> names;
    for (const std::string ask : {"ask0", "ask1", "ask2"}) {
      if (expected.has(ask + ".ids")) names.push_back(ask);
    }
    EXPECT_GE(names.size(), 2u);
    return names;
  }
};

class UnderstandingOfToys : public ::testing::TestWithParam<const char*> {};
class UnderstandingOfBf16Toys : public UnderstandingOfToys {};

TEST_P(UnderstandingOfToys, FeaturesAndRowsInF32) {
  SeeingToy toy(GetParam(), DType::kF32);
  const auto features = toy.expected.values<float>("see.features");
  EXPECT_LE(largest_difference(toy.features(), features), kTowerTolerance * largest(features));
  const auto rows = toy.expected.values<float>("see.rows");
  EXPECT_LE(largest_difference(toy.rows(), rows), kTowerTolerance * largest(rows));
}

// The tolerance is the reference's own distance from f32, as in test_goldens.cpp.
TEST_P(UnderstandingOfBf16Toys, FeaturesAndRows) {
  SeeingToy toy(GetParam(), DType::kBf16);
  for (const auto& [name, values] :
       {std::pair{"see.features", toy.features()}, {"see.rows", toy.rows()}}) {
    const auto exact = toy.expected.values<float>(name);
    const auto reference = toy.expected.values<float>(std::string(name) + "_bf16");
    const double rounding = distance(reference, exact);
    EXPECT_LE(distance(values, exact), 1.25 * rounding) << name;
    EXPECT_LE(distance(values, reference), 2 * rounding) << name;
    EXPECT_GT(distance(values, exact), 0) << "bf16 must round";
  }
}

TEST_P(UnderstandingOfToys, TextLogitsInF32) {
  SeeingToy toy(GetParam(), DType::kF32);
  for (const std::string& ask : toy.asks()) {
    const auto reference = toy.expected.values<float>(ask + ".logits");
    EXPECT_LE(largest_difference(toy.forced_logits(ask), reference),
              kTowerTolerance * largest(reference))
        << ask;
  }
}

TEST_P(UnderstandingOfBf16Toys, TextLogits) {
  SeeingToy toy(GetParam(), DType::kBf16);
  for (const std::string& ask : toy.asks()) {
    const auto exact = toy.expected.values<float>(ask + ".logits");
    const auto reference = toy.expected.values<float>(ask + ".logits_bf16");
    const auto logits = toy.forced_logits(ask);
    const double rounding = distance(reference, exact);
    EXPECT_LE(distance(logits, exact), 1.25 * rounding) << ask;
    EXPECT_LE(distance(logits, reference), 2 * rounding) << ask;
  }
}

TEST_P(UnderstandingOfToys, GreedyTokensInF32) {
  SeeingToy toy(GetParam(), DType::kF32);
  const int64_t words = toy.model->config.transformer.vocabulary;
  for (const std::string& ask : toy.asks()) {
    const auto said = toy.expected.values<int32_t>(ask + ".tokens");
    const auto logits = toy.forced_logits(ask);
    for (size_t i = 0; i < said.size(); ++i) {
      const auto row = logits.begin() + static_cast<int64_t>(i) * words;
      EXPECT_EQ(std::max_element(row, row + words) - row, said[i]) << ask << " token " << i;
    }
  }
}

// The conversations of the script. Ids are compared with those of the whole text.
TEST_P(UnderstandingOfToys, PromptIds) {
  const std::string directory = golden::directory() + GetParam();
  const golden::Tensors expected(directory + "/expected/understanding.safetensors");
  const Tokenizer tokenizer = Tokenizer::open(directory);
  std::ifstream file(directory + "/expected/understanding.json");
  const auto json = nlohmann::json::parse(file);
  const int64_t patches =
      json["tower"]["image_size"].get<int64_t>() / json["tower"]["patch_size"].get<int64_t>();
  size_t at = 0;
  for (const std::string ask : {"ask0", "ask1", "ask2"}) {
    if (!expected.has(ask + ".ids")) continue;
    const auto& conversation = json["conversations"][at++];
    std::vector<ChatTurn> turns;
    for (const auto& turn : conversation["turns"]) {
      turns.push_back({static_cast<int64_t>(turn["pictures"].size()), turn["words"], {}});
      if (turn.contains("reply")) turns.back().reply = turn["reply"];
    }
    const ChatPrompt prompt = chat_prompt(tokenizer, conversation["system"].get<std::string>(),
                                          turns, patches * patches, false);
    EXPECT_EQ(prompt.ids, expected.values<int32_t>(ask + ".ids")) << ask;
    const auto places = expected.values<int32_t>(ask + ".places");
    EXPECT_EQ(prompt.pictures, std::vector<int64_t>(places.begin(), places.end())) << ask;
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, UnderstandingOfToys, ::testing::ValuesIn(golden::kToys),
                         golden::test_name);
// The toys whose goldens have bf16 tensors.
INSTANTIATE_TEST_SUITE_P(Toys, UnderstandingOfBf16Toys,
                         ::testing::ValuesIn(golden::toys_with("understanding.safetensors",
                                                               "see.features_bf16")),
                         golden::test_name);

TEST(UnderstandingShapes, ParametersAreThoseOfTheSpecification) {
  for (const auto& [shape, aligner, head] : {std::tuple{"janus-pro-1b", 6'295'552, 209'715'200},
                                             {"janus-pro-7b", 20'979'712, 419'430'400}}) {
    UnderstandingModel understanding(shape_named(shape), DType::kBf16);
    TensorList list;
    understanding.visit_weights(list);
    int64_t sum = 0;
    for (const NeededTensor& tensor : list.tensors()) {
      int64_t n = 1;
      for (int64_t size : tensor.shape) n *= size;
      sum += n;
    }
    EXPECT_EQ(sum, int64_t{303'688'704} + aligner + head) << shape;
  }
}

}  // namespace
}  // namespace bifrons
