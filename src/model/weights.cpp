// Names and shapes of the original form (docs/janus-pro.md 2.1).
#include "src/model/weights.h"

#include <fmt/format.h>

namespace bifrons {

void visit(TransformerWeights& weights, const TransformerConfig& config, WeightVisitor& visitor) {
  const int64_t q_width = config.heads * config.head_dim;
  const int64_t kv_width = config.kv_heads * config.head_dim;
  const std::string model = "language_model.model.";
  constexpr LinearForm matrix = LinearForm::kMatrix;

  visitor.table(weights.token_embedding, model + "embed_tokens", config.vocabulary, config.hidden);
  weights.layers.resize(config.layers);
  for (int64_t l = 0; l < config.layers; ++l) {
    LayerWeights& w = weights.layers[l];
    const std::string layer = fmt::format("{}layers.{}.", model, l);
    const LinearPart qkv[] = {{layer + "self_attn.q_proj", q_width},
                              {layer + "self_attn.k_proj", kv_width},
                              {layer + "self_attn.v_proj", kv_width}};
    const LinearPart gate_up[] = {{layer + "mlp.gate_proj", config.intermediate},
                                  {layer + "mlp.up_proj", config.intermediate}};
    visitor.norm(w.attention_norm, layer + "input_layernorm", config.hidden, false);
    visitor.linear(w.qkv, qkv, config.hidden, false, matrix, FewestBits::k4);
    visitor.linear(w.attention_out, layer + "self_attn.o_proj", config.hidden, q_width, false,
                   matrix, FewestBits::k4);
    visitor.norm(w.mlp_norm, layer + "post_attention_layernorm", config.hidden, false);
    visitor.linear(w.gate_up, gate_up, config.hidden, false, matrix, FewestBits::k4);
    visitor.linear(w.down, layer + "mlp.down_proj", config.hidden, config.intermediate, false,
                   matrix, FewestBits::k4);
  }
  visitor.norm(weights.final_norm, model + "norm", config.hidden, false);
}

void visit(ImageHeadWeights& weights, const Config& config, WeightVisitor& visitor) {
  const int64_t hidden = config.transformer.hidden;
  // Guidance multiplies the error of the logits: with 4 bits these two do most of the damage.
  visitor.linear(weights.head_in, "gen_head.output_mlp_projector", config.image_token_embed, hidden,
                 true, LinearForm::kMatrix, FewestBits::k8);
  visitor.linear(weights.head_out, "gen_head.vision_head", config.vq.codebook,
                 config.image_token_embed, true, LinearForm::kMatrix, FewestBits::k8);
  visitor.table(weights.code_embedding, "gen_embed", config.vq.codebook, config.vq.code_dim);
  visitor.linear(weights.aligner_in, "gen_aligner.layers.0", config.gen_aligner_width,
                 config.vq.code_dim, true);
  visitor.linear(weights.aligner_out, "gen_aligner.layers.2", hidden, config.gen_aligner_width,
                 true);
}

}  // namespace bifrons
