// The published forms of config.json as JSON documents, and what reading a changed one says.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "src/model/config.h"
#include "tests/weights/expect_error.h"

namespace bifrons::testing {

// The config of the published 7B model; nearly all values are defaults.
inline nlohmann::json original() {
  return nlohmann::json::parse(R"({
    "model_type": "multi_modality", "torch_dtype": "bfloat16",
    "aligner_config": {"cls": "MlpProjector", "params": {"depth": 2, "input_dim": 1024,
      "n_embed": 4096, "projector_type": "mlp_gelu"}},
    "gen_aligner_config": {"cls": "MlpProjector", "model_type": "gen_aligner",
      "params": {"depth": 2,
      "input_dim": 8, "n_embed": 4096, "projector_type": "mlp_gelu"}},
    "gen_head_config": {"cls": "vision_head", "params": {"image_token_embed": 4096,
      "image_token_size": 16384, "n_embed": 4096}},
    "gen_vision_config": {"cls": "VQ-16", "params": {"image_token_size": 16384, "n_embed": 8}},
    "vision_config": {"cls": "CLIPVisionTower", "params": {"image_size": 384,
      "model_name": "siglip_large_patch16_384", "select_layer": -1}},
    "language_config": {"max_position_embeddings": 16384, "model_type": "llama",
      "num_hidden_layers": 30, "torch_dtype": "bfloat16", "vocab_size": 102400}})");
}

inline nlohmann::json hugging_face() {
  return nlohmann::json::parse(R"({
    "model_type": "janus", "architectures": ["JanusForConditionalGeneration"],
    "image_token_id": 100581, "tie_word_embeddings": true,
    "text_config": {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
      "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
      "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 16384,
      "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 10000.0, "vocab_size": 102400,
      "attention_bias": false, "mlp_bias": false},
    "vision_config": {"model_type": "janus_vision_model", "image_size": 384, "patch_size": 16,
      "attention_bias": true},
    "vq_config": {"embed_dim": 8, "num_embeddings": 16384, "double_latent": false,
      "latent_channels": 256, "in_channels": 3, "out_channels": 3, "base_channels": 128,
      "channel_multiplier": [1, 1, 2, 2, 4], "num_res_blocks": 2, "num_patches": 24,
      "projection_dim": 2048, "num_hidden_layers": 2, "hidden_act": "gelu",
      "image_token_embed_dim": 2048}})");
}

inline Config parse_document(const nlohmann::json& document) {
  return parse_config(document.dump(), "\"config.json\"");
}

// The error message after the value at `path` (a JSON pointer) was replaced by `value`, in JSON.
inline std::string config_refusal(nlohmann::json document, const char* path,
                                  const std::string& value) {
  document[nlohmann::json::json_pointer(path)] = nlohmann::json::parse(value);
  SCOPED_TRACE(fmt::format("{} = {}", path, value));
  return refusal_of([&] { parse_document(document); });
}

}  // namespace bifrons::testing
