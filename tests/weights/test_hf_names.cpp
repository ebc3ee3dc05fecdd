// hugging_face_name() for all tensors of both published sizes.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "src/weights/hf_names.h"

namespace bifrons {
namespace {

using Pair = std::function<void(const std::string& original, const std::string& hugging_face)>;

void with_bias(const std::string& a, const std::string& b, const Pair& pair) {
  pair(a + ".weight", b + ".weight");
  pair(a + ".bias", b + ".bias");
}

void res_block(const std::string& a, const std::string& b, bool shortcut, const Pair& pair) {
  for (const char* part : {".norm1", ".conv1", ".norm2", ".conv2"})
    with_bias(a + part, b + part, pair);
  if (shortcut) with_bias(a + ".nin_shortcut", b + ".nin_shortcut", pair);
}

void attention_block(const std::string& a, const std::string& b, const Pair& pair) {
  for (const char* part : {".norm", ".q", ".k", ".v", ".proj_out"})
    with_bias(a + part, b + part, pair);
}

// Adds the names of one half of the visual tokenizer. `channels`: per level; a level with another
// number than the one before has a shortcut.
void half(const std::string& side, const std::string& levels, int blocks,
          const std::vector<int>& channels, size_t attention_level, const std::string& sampler,
          const Pair& pair) {
  const std::string a = "gen_vision_model." + side;
  const std::string b = "model.vqmodel." + side;
  for (const char* part : {".conv_in", ".norm_out", ".conv_out"})
    with_bias(a + part, b + part, pair);
  res_block(a + ".mid.0", b + ".mid.block_1", false, pair);
  attention_block(a + ".mid.1", b + ".mid.attn_1", pair);
  res_block(a + ".mid.2", b + ".mid.block_2", false, pair);
  for (size_t l = 0; l < channels.size(); ++l) {
    const std::string al = a + ".conv_blocks." + std::to_string(l);
    const std::string bl = b + levels + std::to_string(l);
    const int before = l > 0 ? channels[l - 1] : side == "encoder" ? 128 : 512;
    for (int r = 0; r < blocks; ++r) {
      const std::string n = std::to_string(r);
      res_block(al + ".res." + n, bl + ".block." + n, r == 0 && before != channels[l], pair);
      if (l == attention_level) attention_block(al + ".attn." + n, bl + ".attn." + n, pair);
    }
    if (l + 1 < channels.size()) with_bias(al + sampler, bl + sampler, pair);
  }
}

void vision_tower(const Pair& pair) {
  const std::string a = "vision_model.vision_tower.";
  const std::string b = "model.vision_model.";
  pair(a + "pos_embed", b + "embeddings.position_embedding.weight");
  with_bias(a + "patch_embed.proj", b + "embeddings.patch_embedding", pair);
  with_bias(a + "norm", b + "post_layernorm", pair);
  for (int i = 0; i < 24; ++i) {
    const std::string ai = a + "blocks." + std::to_string(i);
    const std::string bi = b + "encoder.layers." + std::to_string(i);
    with_bias(ai + ".norm1", bi + ".layer_norm1", pair);
    with_bias(ai + ".norm2", bi + ".layer_norm2", pair);
    with_bias(ai + ".attn.proj", bi + ".self_attn.projection_layer", pair);
    with_bias(ai + ".mlp.fc1", bi + ".mlp.fc1", pair);
    with_bias(ai + ".mlp.fc2", bi + ".mlp.fc2", pair);
  }
}

void language_model(int layers, const Pair& pair) {
  pair("language_model.lm_head.weight", "lm_head.weight");
  for (const char* part : {"embed_tokens.weight", "norm.weight"}) {
    pair(std::string("language_model.model.") + part, std::string("model.language_model.") + part);
  }
  for (int n = 0; n < layers; ++n) {
    for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                             "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
                             "input_layernorm", "post_attention_layernorm"}) {
      const std::string leaf = "layers." + std::to_string(n) + "." + part + ".weight";
      pair("language_model.model." + leaf, "model.language_model." + leaf);
    }
  }
}

// Adds all tensors that map one to one.
void all_names(int layers, const Pair& pair) {
  vision_tower(pair);
  language_model(layers, pair);
  with_bias("aligner.layers.0", "model.aligner.fc1", pair);
  with_bias("aligner.layers.2", "model.aligner.hidden_layers.0", pair);
  with_bias("gen_aligner.layers.0", "model.generation_aligner.fc1", pair);
  with_bias("gen_aligner.layers.2", "model.generation_aligner.hidden_layers.0", pair);
  with_bias("gen_head.output_mlp_projector", "model.generation_head.proj_out", pair);
  with_bias("gen_head.vision_head", "model.generation_head.vision_head", pair);
  pair("gen_embed.weight", "model.generation_embeddings.weight");
  pair("gen_vision_model.quantize.embedding.weight", "model.vqmodel.quantize.embedding.weight");
  with_bias("gen_vision_model.quant_conv", "model.vqmodel.quant_conv", pair);
  with_bias("gen_vision_model.post_quant_conv", "model.vqmodel.post_quant_conv", pair);
  half("encoder", ".down.", 2, {128, 128, 256, 256, 512}, 4, ".downsample.conv", pair);
  half("decoder", ".up.", 3, {512, 256, 256, 128, 128}, 0, ".upsample.conv", pair);
}

class Names : public ::testing::TestWithParam<int> {};

TEST_P(Names, MapOneToOne) {
  std::set<std::string> seen;
  all_names(GetParam(), [&](const std::string& original, const std::string& hugging_face) {
    EXPECT_EQ(hugging_face_name(original), hugging_face);
    EXPECT_TRUE(seen.insert(hugging_face).second) << hugging_face;
  });
  // All tensors without merged qkv (2 in each of 24 blocks), attn_pool (13) and codebook_used.
  EXPECT_EQ(seen.size(), (GetParam() == 24 ? 882u : 936u) - 48 - 13 - 1);
}

// The published names in both forms (tools/reference/make_name_goldens.py). They have 30 layers;
// the smaller model has the first 24 of them.
TEST_P(Names, AgreeWithThePublishedFiles) {
  std::map<std::string, std::string> generated;
  all_names(GetParam(), [&](const std::string& original, const std::string& hugging_face) {
    generated[original] = hugging_face;
  });
  std::map<std::string, std::string> published;
  std::ifstream file(std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/tensor_names.tsv");
  for (std::string original, hugging_face; file >> original >> hugging_face;) {
    const std::string layers = "language_model.model.layers.";
    const bool is_layer = original.starts_with(layers);
    if (is_layer && std::stoi(original.substr(layers.size())) >= GetParam()) continue;
    published[original] = hugging_face;
    EXPECT_EQ(hugging_face_name(original), hugging_face);
  }
  EXPECT_EQ(generated, published);
}

INSTANTIATE_TEST_SUITE_P(Layers, Names, ::testing::Values(24, 30));

TEST(Names, UnknownNamesStay) {
  EXPECT_EQ(hugging_face_name("something.else"), "something.else");
  EXPECT_EQ(hugging_face_name(""), "");
}

}  // namespace
}  // namespace bifrons
