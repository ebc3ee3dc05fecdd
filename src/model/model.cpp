// Loads a model directory into a backend.
#include "src/model/model.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "src/model/surplus.h"

namespace bifrons {

DType weights_dtype(const PublishedTensors& published, const std::string& directory) {
  const char* embedding = "language_model.model.embed_tokens.weight";
  if (const StoredTensor* stored = published.find(embedding)) return stored->dtype;
  const std::string name = published.published_name(embedding);
  refuse_other_weights(published, {&name, 1}, directory);
  throw Error(ErrorKind::kData,
              fmt::format("{}: {} is missing: not a Janus model", quote(directory), name));
}

namespace {

void check_model(Model& model, const PublishedTensors& published, const Config& config,
                 const std::string& directory) {
  TensorList needed;
  model.visit_weights(needed);
  check_tensors(published, needed.tensors(), directory, config);
  check_surplus(config, published, directory);
}

}  // namespace

void check_model(const Config& config, const Checkpoint& checkpoint, const std::string& directory) {
  const PublishedTensors published(checkpoint);
  Model model(config, activation_for(weights_dtype(published, directory)));
  check_model(model, published, config, directory);
}

std::unique_ptr<Model> load_model(Backend& backend, Backend& decoding, const Config& config,
                                  const Checkpoint& checkpoint, const std::string& directory) {
  const PublishedTensors published(checkpoint);
  const DType activation = activation_for(weights_dtype(published, directory));
  auto model = std::make_unique<Model>(config, activation);
  check_model(*model, published, config, directory);
  {
    WeightLoader loader(backend, published, activation, config);
    visit(model->transformer.weights(), config.transformer, loader);
    visit(model->image_head.weights(), config, loader);
  }
  if (ImageHead::precomputes_inputs(config, backend.memory_space()))
    model->image_head.precompute_inputs(backend);
  WeightLoader decoder_loader(decoding, published, activation, config);
  visit(model->decoder.weights(), config.vq, decoder_loader);
  checkpoint.verify_unchanged();
  model->decoder.allocate(decoding);
  return model;
}

namespace {

// The weights of an encoder, with the codebook that it compares with.
void visit_encoder(VqEncoder& encoder, const Config& config, WeightVisitor& weights,
                   WeightVisitor& codebook) {
  visit(encoder.weights(), config.vq, weights);
  codebook.table(encoder.codebook(), "gen_vision_model.quantize.embedding", config.vq.codebook,
                 config.vq.code_dim, TableRows::kUnitLength);
}

}  // namespace

void check_encoder(const Config& config, const Checkpoint& checkpoint,
                   const std::string& directory) {
  const PublishedTensors published(checkpoint);
  const char* first = "gen_vision_model.encoder.conv_in.weight";
  if (published.find(first) == nullptr) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: {} is missing: this model has no encoder, so it cannot take "
                            "pictures apart",
                            quote(directory), published.published_name(first)));
  }
  VqEncoder encoder(config.vq, config.grid, activation_for(weights_dtype(published, directory)));
  TensorList needed;
  visit_encoder(encoder, config, needed, needed);
  check_tensors(published, needed.tensors(), directory, config);
}

std::unique_ptr<VqEncoder> load_encoder(Backend& backend, const Config& config, DType activation,
                                        const Checkpoint& checkpoint,
                                        const std::string& directory) {
  check_encoder(config, checkpoint, directory);
  const PublishedTensors published(checkpoint);
  auto encoder = std::make_unique<VqEncoder>(config.vq, config.grid, activation);
  WeightLoader loader(backend, published, activation, config);
  WeightLoader exact(backend, published, DType::kF32, config);
  visit_encoder(*encoder, config, loader, exact);
  checkpoint.verify_unchanged();
  encoder->allocate(backend);
  return encoder;
}

Config shape_named(const std::string& name) {
  Config config;
  TransformerConfig& t = config.transformer;
  t.vocabulary = 102400;
  t.max_positions = 16384;
  if (name == "janus-pro-1b") {
    t.hidden = 2048;
    t.intermediate = 5632;
    t.layers = 24;
    t.heads = t.kv_heads = 16;
  } else if (name == "janus-pro-7b") {
    t.hidden = 4096;
    t.intermediate = 11008;
    t.layers = 30;
    t.heads = t.kv_heads = 32;
  } else {
    throw Error(ErrorKind::kUsage,
                fmt::format("unknown shape {}: janus-pro-1b or janus-pro-7b", quote(name)));
  }
  config.image_token_embed = config.gen_aligner_width = t.hidden;
  config.tower = TowerConfig{};
  return config;
}

}  // namespace bifrons
