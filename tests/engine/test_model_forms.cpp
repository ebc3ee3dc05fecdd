// Configs and tensors that do not match, and variants of both that do.
#include <gtest/gtest.h>

#include <set>

#include "src/understand.h"
#include "tests/engine/damaged_model.h"

namespace bifrons::testing {
namespace {

class ModelForms : public DamagedModel {};

// The files have more layers than config.json says. Without a check the model would draw other
// pictures.
TEST_F(ModelForms, TensorsBeyondTheConfigAreRefused) {
  const std::string good = directory_.read("model.safetensors");
  const struct {
    const char* like;
    const char* name;
    const char* key;
  } cases[] = {
      {"language_model.model.layers.1.mlp.up_proj.weight",
       "language_model.model.layers.2.mlp.up_proj.weight",
       "language_config.num_hidden_layers is 2"},
      {"language_model.model.norm.weight", "language_model.model.layers.0.self_attn.q_proj.bias",
       "language_config.attention_bias is false"},
      {"gen_vision_model.decoder.conv_out.bias",
       "gen_vision_model.decoder.conv_blocks.4.res.0.conv1.bias", "decoder_ch_mult is ["},
      {"gen_vision_model.decoder.conv_out.bias",
       "gen_vision_model.decoder.conv_blocks.0.res.3.conv1.bias", "num_res_blocks is "},
      {"gen_vision_model.decoder.conv_in.bias",
       "gen_vision_model.encoder.conv_blocks.0.res.2.conv1.bias", "num_res_blocks is "},
      {"gen_vision_model.decoder.conv_in.bias",
       "gen_vision_model.encoder.conv_blocks.4.res.0.conv1.bias", "encoder_ch_mult is ["},
      {"gen_aligner.layers.2.bias", "gen_aligner.layers.4.bias",
       "gen_aligner_config.params.depth is 2"},
      {"gen_head.vision_head.bias", "gen_head.second_head.bias", "describes no such tensor"},
      {"gen_vision_model.decoder.conv_in.bias", "gen_vision_model.decoder.mid.3.norm1.bias",
       "describes no such tensor"},
  };
  for (const auto& [like, name, key] : cases) {
    add(like, name);
    ErrorKind kind{};
    const std::string sentence = fault(&kind);
    EXPECT_EQ(kind, ErrorKind::kData) << name;
    EXPECT_NE(sentence.find(name), std::string::npos) << sentence;
    EXPECT_NE(sentence.find(key), std::string::npos) << name << ": " << sentence;
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
    try {
      inspect(directory_.path());
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), sentence);
    }
    directory_.write("model.safetensors", good);
  }
}

// config.json has fewer layers than the files.
TEST_F(ModelForms, AConfigOfAnotherModelIsRefused) {
  std::string config = directory_.read("config.json");
  const std::string two = "\"num_hidden_layers\": 2";
  const size_t at = config.find(two);
  ASSERT_NE(at, std::string::npos);
  config.replace(at, two.size(), "\"num_hidden_layers\": 1");
  directory_.write("config.json", config);
  EXPECT_NE(fault().find("language_config.num_hidden_layers is 1"), std::string::npos) << fault();
}

TEST_F(ModelForms, OtherTensorsInTheFilesAreIgnored) {
  const Drawing plain = drawn();
  for (const char* name :
       {"language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
        "language_model.model.rotary_emb.inv_freq", "vision_model.vision_tower.attn_pool.q.bias",
        "vision_model.vision_tower.position_ids", "gen_vision_model.quantize.codebook_used",
        "gen_vision_model.quantize.embed_avg", "gen_vision_model.quantize.cluster_size",
        "gen_vision_model.loss.discriminator.main.0.bias", "model_ema.gen_embed_weight",
        "gen_vision_model.decoder.ema_conv_out.bias", "lm_head.weight", "another_head.0.bias",
        "dit.layers.0.bias", "logit_scale"}) {
    if (tensors().contains(name)) continue;  // the toy has it, as the published files do
    add("gen_vision_model.decoder.conv_out.bias", name);
  }
  EXPECT_EQ(fault(), "");
  const Drawing drawing = drawn();
  EXPECT_EQ(drawing.tokens, plain.tokens);
  EXPECT_EQ(drawing.picture.rgb, plain.picture.rgb);
}

// Prefixes that wrappers such as DataParallel add to all names.
TEST_F(ModelForms, PrefixesOfWrappersAreRemoved) {
  const Drawing plain = drawn();
  const std::string good = directory_.read("model.safetensors");
  for (const std::string prefix : {"module.", "model.", "base_model.model.", "_orig_mod.module."}) {
    rename([&](const std::string& name) { return prefix + name; });
    EXPECT_EQ(fault(), "") << prefix;
    EXPECT_EQ(drawn().picture.rgb, plain.picture.rgb) << prefix;
    EXPECT_NE(inspect(directory_.path()).find("transformer"), std::string::npos);
    add(prefix + "gen_aligner.layers.2.bias", prefix + "gen_aligner.layers.4.bias");
    EXPECT_NE(fault().find("gen_aligner.layers.4.bias"), std::string::npos) << fault();
    directory_.write("model.safetensors", good);
  }
  add("gen_embed.weight", "ema.gen_embed.weight");
  EXPECT_EQ(fault(), "");  // an EMA copy next to the model itself
  rename(
      [&](const std::string& name) { return name.starts_with("ema.") ? name : "module." + name; });
  EXPECT_TRUE(fault().starts_with("\"" + directory_.path().string() + "\": ")) << fault();
  EXPECT_NE(fault().find("two models, one under \"ema.\" and one under \"module.\""),
            std::string::npos)
      << fault();
}

// The same in the form of Hugging Face, whose names may lack their own "model." too.
TEST_F(ModelForms, PrefixesOfWrappersAreRemovedInBothForms) {
  use("toy-hf");
  const Drawing plain = drawn();
  const auto with_names = [&](const std::function<std::string(const std::string&)>& renamed) {
    use("toy-hf");
    fs::remove(directory_ / "model.safetensors.index.json");  // it has the old names
    for (const std::string& file : directory_.names()) {
      if (!file.ends_with(".safetensors")) continue;
      fs::rename(directory_ / file, directory_ / "model.safetensors");
      rename(renamed);
      fs::rename(directory_ / "model.safetensors", directory_ / file);
    }
  };
  for (const std::string prefix : {"module.", "model.", "base_model.model.", "_orig_mod."}) {
    with_names([&](const std::string& name) { return prefix + name; });
    EXPECT_EQ(fault(), "") << prefix;
    EXPECT_EQ(drawn().picture.rgb, plain.picture.rgb) << prefix;
  }
  with_names([](const std::string& name) {
    return name.starts_with("model.") ? "module." + name.substr(6) : "module." + name;
  });
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(drawn().picture.rgb, plain.picture.rgb);
}

// Tensors with other dtypes, and the tensors that replace a matrix in quantised files.
TEST_F(ModelForms, UnsupportedDtypesAreNamed) {
  const std::string good = directory_.read("model.safetensors");
  const std::string type = "is not supported; bf16, f16 and f32 are";
  for (const char* dtype : {"I32", "U32"}) {  // with as many bytes
    edit_header([&](nlohmann::ordered_json& header) {
      header["language_model.model.layers.0.mlp.up_proj.weight"]["dtype"] = dtype;
    });
    EXPECT_NE(fault().find(std::string(dtype) + " " + type), std::string::npos) << fault();
  }
  for (const char* dtype : {"F8_E4M3", "F8_E5M2", "F8_E8M0"}) {  // four times as many elements
    directory_.write("model.safetensors", good);
    edit_header([&](nlohmann::ordered_json& header) {
      auto& tensor = header["language_model.model.layers.0.mlp.up_proj.weight"];
      tensor["dtype"] = dtype;
      tensor["shape"][1] = 4 * tensor["shape"][1].get<int>();
    });
    EXPECT_NE(fault().find(std::string(dtype) + " " + type), std::string::npos) << fault();
  }
  directory_.write("model.safetensors", good);
  edit_header([&](nlohmann::ordered_json& header) {
    header["language_model.model.embed_tokens.weight"]["dtype"] = "I32";
  });
  EXPECT_NE(fault().find("I32 " + type), std::string::npos) << fault();
  directory_.write("model.safetensors", good);
  add("gen_embed.weight", "language_model.model.layers.0.mlp.up_proj.qweight");
  edit_header([](nlohmann::ordered_json& header) {
    header["odd"] = header["language_model.model.layers.0.mlp.up_proj.weight"];
    header.erase("language_model.model.layers.0.mlp.up_proj.weight");
  });
  EXPECT_NE(fault().find("quantised"), std::string::npos) << fault();
  directory_.write("model.safetensors", good);
  rename([](std::string name) {
    const size_t at = name.find("q_proj.weight");
    return at == std::string::npos ? name : name.replace(at, 6, "q_proj.base_layer");
  });
  EXPECT_NE(fault().find("LoRA adapter that is not merged"), std::string::npos) << fault();
}

// What transformers writes for a model with tied embeddings: no lm_head.weight.
TEST_F(ModelForms, ATiedHeadIsTheTokenEmbedding) {
  use("toy-sees");
  const auto said = [&] {
    Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
    Understanding understanding = Understanding::open(engine);
    return understanding.say("What is it?", {.max_tokens = 6}).tokens;
  };
  const std::string good = directory_.read("model.safetensors");
  const auto [header, begin] = header_of(good);
  const auto offsets = [&, &h = header](const char* name) -> std::pair<size_t, size_t> {
    const auto& range = h.at(name).at("data_offsets");
    return {range.at(0), range.at(1)};
  };
  const auto [from, to] = offsets("language_model.model.embed_tokens.weight");
  std::string copied = good;
  copied.replace(begin + offsets("language_model.lm_head.weight").first, to - from,
                 good.substr(begin + from, to - from));
  directory_.write("model.safetensors", copied);
  const auto expected = said();

  directory_.write("model.safetensors", good);
  const auto untied = said();
  ASSERT_NE(untied, expected) << "the heads are alike: the test says nothing";
  std::string config = directory_.read("config.json");
  config.insert(config.find('{') + 1, R"("tie_word_embeddings": true,)");
  directory_.write("config.json", config);
  EXPECT_EQ(said(), untied) << "a head that is there is used, whatever the config says";
  rename([](const std::string& name) {
    return name == "language_model.lm_head.weight" ? "unused" : name;
  });
  EXPECT_EQ(said(), expected);

  config.replace(config.find("true"), 4, "false");
  directory_.write("config.json", config);
  EXPECT_THROW(said(), Error);
}

TEST_F(ModelForms, AQuantisedConfigIsNamed) {
  std::string config = directory_.read("config.json");
  config.insert(config.find('{') + 1,
                R"("quantization_config": {"quant_method": "bitsandbytes"},)");
  directory_.write("config.json", config);
  EXPECT_NE(fault().find("quantization_config says that the weights are quantised"),
            std::string::npos)
      << fault();
}

}  // namespace
}  // namespace bifrons::testing
