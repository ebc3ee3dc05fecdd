// A whole drawing model: config, transformer, image head and VQ decoder, bound to a backend.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "src/model/bind.h"
#include "src/model/config.h"
#include "src/model/image_head.h"
#include "src/model/transformer.h"
#include "vision/networks/vq_decoder.h"
#include "vision/networks/vq_encoder.h"

namespace bifrons {

struct Model {
  Config config;
  DType activation;
  Transformer transformer;
  ImageHead image_head;
  VqDecoder decoder;

  Model(const Config& config_, DType activation_)
      : config(config_),
        activation(activation_),
        transformer(config_.transformer, activation_),
        image_head(config_, activation_),
        decoder(config_.vq, config_.grid, activation_) {}

  // Every weight that drawing needs, in a fixed order.
  void visit_weights(WeightVisitor& visitor) {
    visit(transformer.weights(), config.transformer, visitor);
    visit(image_head.weights(), config, visitor);
    visit(decoder.weights(), config.vq, visitor);
  }
};

// The dtype in which the reference computes with weights of this dtype: bf16 for bf16, f32 for f32
// and f16.
inline DType activation_for(DType weights) {
  return weights == DType::kBf16 ? DType::kBf16 : DType::kF32;
}

// The dtype of the checkpoint, taken from the token embedding. Throws Error (data) when that is
// absent.
DType weights_dtype(const PublishedTensors& published, const std::string& directory);

// Compares names and shapes of all tensors that drawing needs with the config; reads no weights.
// Throws Error (data).
void check_model(const Config& config, const Checkpoint& checkpoint, const std::string& directory);

// Checks every tensor against the config, then loads the weights that drawing needs. The VQ decoder
// goes to `decoding`, which may be the same backend. Throws Error (data).
std::unique_ptr<Model> load_model(Backend& backend, Backend& decoding, const Config& config,
                                  const Checkpoint& checkpoint, const std::string& directory);
inline std::unique_ptr<Model> load_model(Backend& backend, const Config& config,
                                         const Checkpoint& checkpoint,
                                         const std::string& directory) {
  return load_model(backend, backend, config, checkpoint, directory);
}

// Throws Error (data) when the checkpoint has no encoder or a different one. Reads no weights.
void check_encoder(const Config& config, const Checkpoint& checkpoint,
                   const std::string& directory);

// Loads the encoder of the visual tokenizer, which drawing does not need; it computes in
// `activation`. Throws what check_encoder() throws.
std::unique_ptr<VqEncoder> load_encoder(Backend& backend, const Config& config, DType activation,
                                        const Checkpoint& checkpoint, const std::string& directory);

// The same network with normally distributed weights of `dtype`, made in memory, for benchmarks;
// linear layers are quantised as config.loaded says.
std::unique_ptr<Model> random_model(Backend& backend, const Config& config, DType dtype,
                                    uint64_t seed);

// Only its image head, as loaded from a file: without precomputed inputs.
std::unique_ptr<ImageHead> random_image_head(Backend& backend, const Config& config, DType dtype,
                                             uint64_t seed);

// Published sizes (docs/janus-pro.md 1.1): "janus-pro-1b" or "janus-pro-7b". Throws Error (usage)
// otherwise.
Config shape_named(const std::string& name);

}  // namespace bifrons
