// The two published naming schemes of the tensors (docs/janus-pro.md 2.3).
#include "src/weights/hf_names.h"

#include <array>

namespace bifrons {
namespace {

struct Rename {
  std::string_view from;
  std::string_view to;
};

// Prefixes of names, up to a dot. If one prefix begins with another, the longer one comes first.
constexpr std::array<Rename, 15> kPrefixes{{
    {"language_model.lm_head.", "lm_head."},
    {"language_model.model.", "model.language_model."},
    {"gen_vision_model.", "model.vqmodel."},
    {"gen_embed.", "model.generation_embeddings."},
    {"gen_head.output_mlp_projector.", "model.generation_head.proj_out."},
    {"gen_head.vision_head.", "model.generation_head.vision_head."},
    {"gen_aligner.layers.0.", "model.generation_aligner.fc1."},
    {"gen_aligner.layers.2.", "model.generation_aligner.hidden_layers.0."},
    {"aligner.layers.0.", "model.aligner.fc1."},
    {"aligner.layers.2.", "model.aligner.hidden_layers.0."},
    {"vision_model.vision_tower.pos_embed",
     "model.vision_model.embeddings.position_embedding.weight"},
    {"vision_model.vision_tower.patch_embed.proj.",
     "model.vision_model.embeddings.patch_embedding."},
    {"vision_model.vision_tower.blocks.", "model.vision_model.encoder.layers."},
    {"vision_model.vision_tower.norm.", "model.vision_model.post_layernorm."},
    {"vision_model.", "model.vision_model."},
}};

// Parts of the names in the SigLIP blocks.
constexpr std::array<Rename, 4> kTowerParts{{
    {".norm1.", ".layer_norm1."},
    {".norm2.", ".layer_norm2."},
    {".attn.proj.", ".self_attn.projection_layer."},
    {".attn.", ".self_attn."},
}};

// Parts of the names in the visual tokenizer. A name has ".res." (blocks of the levels) or ".mid."
// (blocks between the levels and the latent), never both.
constexpr std::array<Rename, 6> kTokenizerParts{{
    {"encoder.conv_blocks.", "encoder.down."},
    {"decoder.conv_blocks.", "decoder.up."},
    {".res.", ".block."},
    {".mid.0.", ".mid.block_1."},
    {".mid.1.", ".mid.attn_1."},
    {".mid.2.", ".mid.block_2."},
}};

void replace_first(std::string& name, const Rename& rename) {
  const size_t at = name.find(rename.from);
  if (at != std::string::npos) name.replace(at, rename.from.size(), rename.to);
}

}  // namespace

std::string hugging_face_name(std::string_view original) {
  std::string name(original);
  for (const Rename& beginning : kPrefixes) {
    if (!original.starts_with(beginning.from)) continue;
    name.replace(0, beginning.from.size(), beginning.to);
    break;
  }
  if (original.starts_with("vision_model.vision_tower.blocks.")) {
    for (const Rename& part : kTowerParts) replace_first(name, part);
  } else if (original.starts_with("gen_vision_model.")) {
    for (const Rename& part : kTokenizerParts) replace_first(name, part);
  }
  return name;
}

}  // namespace bifrons
