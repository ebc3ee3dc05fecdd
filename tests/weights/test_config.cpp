// config.json in both published forms: every default, and every number out of range.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "src/model/config.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights/config_documents.h"
#include "tests/weights/expect_error.h"

namespace bifrons {
namespace {

using nlohmann::json;
using testing::config_refusal;
using testing::expect_contains;
using testing::hugging_face;
using testing::original;
using testing::parse_document;
using testing::refusal_of;

TEST(Config, OriginalFormFillsDefaults) {
  const Config c = parse_document(original());
  EXPECT_EQ(c.form, CheckpointForm::kOriginal);
  EXPECT_EQ(c.transformer.hidden, 4096);
  EXPECT_EQ(c.transformer.intermediate, 11008);
  EXPECT_EQ(c.transformer.layers, 30);
  EXPECT_EQ(c.transformer.heads, 32);
  EXPECT_EQ(c.transformer.kv_heads, 32);
  EXPECT_EQ(c.transformer.head_dim, 128);
  EXPECT_EQ(c.transformer.vocabulary, 102400);
  EXPECT_EQ(c.transformer.max_positions, 16384);
  EXPECT_EQ(c.transformer.norm_eps, 1e-6);
  EXPECT_EQ(c.transformer.rope_theta, 10000.0);
  EXPECT_EQ(c.vq.codebook, 16384);
  EXPECT_EQ(c.vq.code_dim, 8);
  EXPECT_EQ(c.vq.decoder_multipliers, (std::vector<int64_t>{1, 1, 2, 2, 4}));
  EXPECT_EQ(c.image_size, 384);
  EXPECT_EQ(c.grid, 24);
  EXPECT_EQ(c.image_tokens(), 576);
  EXPECT_EQ(c.image_token_embed, 4096);
  EXPECT_EQ(c.gen_aligner_width, 4096);
}

TEST(Config, OriginalFormTakesTheTokenizersOwnArguments) {
  json document = original();
  document["gen_vision_config"]["params"].update({{"ch", 32},
                                                  {"encoder_ch_mult", {1, 2}},
                                                  {"decoder_ch_mult", {1, 3}},
                                                  {"num_res_blocks", 1},
                                                  {"z_channels", 16},
                                                  {"codebook_size", 16384},
                                                  {"codebook_embed_dim", 8},
                                                  {"image_size", 64}});
  const Config c = parse_document(document);
  EXPECT_EQ(c.vq.base_channels, 32);
  EXPECT_EQ(c.vq.encoder_multipliers, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(c.vq.decoder_multipliers, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(c.vq.res_blocks, 1);
  EXPECT_EQ(c.vq.latent_channels, 16);
  EXPECT_EQ(c.image_size, 64);
  EXPECT_EQ(c.grid, 32);
}

TEST(Config, HuggingFaceForm) {
  const Config c = parse_document(hugging_face());
  EXPECT_EQ(c.form, CheckpointForm::kHuggingFace);
  EXPECT_EQ(c.transformer.hidden, 2048);
  EXPECT_EQ(c.transformer.intermediate, 5632);
  EXPECT_EQ(c.transformer.layers, 24);
  EXPECT_EQ(c.transformer.head_dim, 128);
  EXPECT_EQ(c.vq.latent_channels, 256);
  EXPECT_EQ(c.grid, 24);
  EXPECT_EQ(c.image_token_embed, 2048);
  EXPECT_EQ(c.gen_aligner_width, 2048);
}

TEST(Config, RopeParametersOfNewerFiles) {
  json document = hugging_face();
  document["text_config"].erase("rope_theta");
  document["text_config"]["rope_parameters"] = {{"rope_theta", 500.0}, {"rope_type", "default"}};
  EXPECT_EQ(parse_document(document).transformer.rope_theta, 500.0);
  document["text_config"]["rope_parameters"]["rope_type"] = "yarn";
  expect_contains(refusal_of([&] { parse_document(document); }),
                  "scaled positions are not supported");
  expect_contains(config_refusal(original(), "/language_config/rope_scaling",
                                 R"({"type":"linear","factor":2})"),
                  "language_config.rope_scaling.type is \"linear\"");
  json fine = original();
  fine["language_config"]["rope_scaling"] = {{"rope_type", "default"}};
  parse_document(fine);
}

TEST(Config, HeadSizeNeedNotBeWidthOverHeads) {
  json document = hugging_face();
  document["text_config"]["head_dim"] = 64;
  document["text_config"]["num_key_value_heads"] = 4;
  EXPECT_EQ(parse_document(document).transformer.head_dim, 64);
  EXPECT_EQ(parse_document(document).transformer.kv_heads, 4);
  document["text_config"]["head_dim"] = nullptr;  // null counts as absent
  EXPECT_EQ(parse_document(document).transformer.head_dim, 128);
}

TEST(Config, UnknownFieldsAreIgnored) {
  json document = original();
  document["auto_map"] = {{"AutoModel", "evil.Model"}};
  document["_name_or_path"] = "/etc/passwd";
  document["hidden_size"] = 7;
  document["language_config"]["_attn_implementation"] = "flash_attention_2";
  EXPECT_EQ(parse_document(document).transformer.hidden, 4096);
}

TEST(Config, RefusesOtherModels) {
  json flow = original();
  flow["vision_gen_dec_config"] = json::object();
  const std::string said = refusal_of([&] { parse_document(flow); });
  expect_contains(said, "JanusFlow");
  expect_contains(said, "supported are Janus-Pro");
  expect_contains(config_refusal(original(), "/model_type", "\"llama\""),
                  "model_type is \"llama\"; supported are");
  expect_contains(config_refusal(original(), "/model_type", "null"), "model_type is not given");
  expect_contains(config_refusal(original(), "/model_type", "5"),
                  "model_type is a number, not a string");
  expect_contains(config_refusal(original(), "/language_config", "null"),
                  "language_config is missing");
  expect_contains(config_refusal(original(), "/language_config", "[]"),
                  "is an array, not an object");
  expect_contains(config_refusal(original(), "/language_config/model_type", "\"mistral\""),
                  "only llama");
  expect_contains(config_refusal(original(), "/gen_vision_config/cls", "\"VQ-8\""), "only VQ-16");
  expect_contains(config_refusal(hugging_face(), "/text_config", "null"), "text_config is missing");
  expect_contains(config_refusal(hugging_face(), "/vq_config", "null"), "vq_config is missing");
  for (const char* text : {"[]", "1", "\"x\"", "null"}) {
    expect_contains(refusal_of([&] { parse_config(text, "\"c\""); }), "does not hold an object");
  }
}

TEST(Config, RefusesUnsupportedFeatures) {
  for (const char* field : {"attention_bias", "mlp_bias"}) {
    const std::string path = fmt::format("/text_config/{}", field);
    expect_contains(config_refusal(hugging_face(), path.c_str(), "true"),
                    "is true, which is not supported");
  }
  expect_contains(config_refusal(hugging_face(), "/text_config/hidden_act", "\"gelu\""),
                  "only silu");
  expect_contains(config_refusal(hugging_face(), "/vq_config/double_latent", "true"),
                  "not supported");
  expect_contains(config_refusal(hugging_face(), "/vq_config/in_channels", "4"), "is 4, but");
  expect_contains(config_refusal(hugging_face(), "/vq_config/num_hidden_layers", "3"), "is 3, but");
  expect_contains(config_refusal(original(), "/gen_aligner_config/params/depth", "3"), "is 3, but");
  expect_contains(
      config_refusal(original(), "/gen_aligner_config/params/projector_type", "\"linear\""),
      "mlp_gelu");
}

// Each number out of range gives an error that names the field.
TEST(Config, RefusesNumbersOutOfRange) {
  const std::vector<std::string> bad{"0",
                                     "-1",
                                     "1.5",
                                     "1e3",
                                     "\"8\"",
                                     "true",
                                     "[8]",
                                     "{}",
                                     "2147483648",
                                     "4294967296",
                                     "9223372036854775807",
                                     "9223372036854775808",
                                     "18446744073709551615"};
  const auto all_bad = [&](const json& document, const char* path) {
    const std::string field = std::string(path).substr(std::string(path).rfind('/') + 1);
    for (const std::string& value : bad)
      expect_contains(config_refusal(document, path, value), field);
  };
  for (const char* field :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"}) {
    all_bad(original(), fmt::format("/language_config/{}", field).c_str());
    all_bad(hugging_face(), fmt::format("/text_config/{}", field).c_str());
  }
  for (const char* field : {"image_token_size", "n_embed", "z_channels", "ch", "num_res_blocks",
                            "codebook_size", "codebook_embed_dim", "image_size"}) {
    all_bad(original(), fmt::format("/gen_vision_config/params/{}", field).c_str());
  }
  for (const char* field :
       {"num_embeddings", "embed_dim", "latent_channels", "base_channels", "num_res_blocks",
        "num_patches", "projection_dim", "image_token_embed_dim"}) {
    all_bad(hugging_face(), fmt::format("/vq_config/{}", field).c_str());
  }
  all_bad(original(), "/gen_head_config/params/image_token_embed");
  all_bad(original(), "/gen_head_config/params/n_embed");
  all_bad(original(), "/gen_head_config/params/image_token_size");
  all_bad(original(), "/gen_aligner_config/params/n_embed");
  all_bad(original(), "/gen_aligner_config/params/input_dim");
  all_bad(original(), "/vision_config/params/image_size");
}

TEST(Config, RefusesInconsistentNumbers) {
  config_refusal(original(), "/language_config/hidden_size", "4088");
  expect_contains(config_refusal(original(), "/language_config/hidden_size", "4100"),
                  "multiple of 8");
  expect_contains(config_refusal(original(), "/language_config/num_key_value_heads", "5"),
                  "does not divide");
  expect_contains(config_refusal(original(), "/language_config/num_attention_heads", "33"),
                  "does not divide");
  expect_contains(config_refusal(original(), "/language_config/head_dim", "127"), "must be even");
  expect_contains(config_refusal(original(), "/language_config/max_position_embeddings", "576"),
                  "positions");
  expect_contains(config_refusal(original(), "/gen_vision_config/params/n_embed", "16"),
                  "input_dim is 8");
  expect_contains(config_refusal(original(), "/vision_config/params/image_size", "385"),
                  "multiple of 16");
  expect_contains(config_refusal(hugging_face(), "/vq_config/projection_dim", "4096"),
                  "hidden_size is 2048");
  expect_contains(config_refusal(hugging_face(), "/vq_config/image_token_embed_dim", "8"),
                  "hidden_size");
  expect_contains(config_refusal(hugging_face(), "/vq_config/base_channels", "100"), "32 groups");
  for (const char* multipliers :
       {"[]", "[0]", "[1,2,3,4,5,6,7,8,9]", "[65]", "[1.5]", "[-1]", "3", "[\"1\"]"}) {
    config_refusal(hugging_face(), "/vq_config/channel_multiplier", multipliers);
  }
  expect_contains(config_refusal(original(), "/gen_vision_config/params/decoder_ch_mult", "[1,2]"),
                  "another number of levels");
}

TEST(Config, RefusesReals) {
  for (const char* value : {"0", "-1e-6", "0.1", "1", "1e30", "\"1e-6\"", "true"}) {
    expect_contains(config_refusal(original(), "/language_config/rms_norm_eps", value),
                    "rms_norm_eps");
  }
  for (const char* value : {"0", "-10000", "0.5", "\"x\"", "[]"}) {
    expect_contains(config_refusal(original(), "/language_config/rope_theta", value), "rope_theta");
  }
}

// transformers sets num_patches to the tower's patches per side, which is also the number of image
// tokens per side.
TEST(Config, ImageTokensPerSideAreTheTowersPatches) {
  json document = hugging_face();
  for (const int patches : {1, 16, 32, 576}) {
    document["vq_config"]["num_patches"] = patches;
    EXPECT_EQ(parse_document(document).grid, 24) << patches;
  }
  document["vision_config"]["image_size"] = 96;
  document["vision_config"]["patch_size"] = 8;
  EXPECT_EQ(parse_document(document).grid, 12);
  EXPECT_EQ(parse_document(document).image_size, 192) << "each token is 16 pixels wide";
  document.erase("vision_config");
  EXPECT_EQ(parse_document(document).grid, 24);
}

TEST(Config, ReadsTiedEmbeddings) {
  EXPECT_FALSE(parse_document(original()).ties_head);
  EXPECT_TRUE(parse_document(hugging_face()).ties_head);
  const auto said = [](json document, const char* section, const std::optional<bool>& whole,
                       const std::optional<bool>& part) {
    document.erase("tie_word_embeddings");
    if (whole) document["tie_word_embeddings"] = *whole;
    if (part) document[section]["tie_word_embeddings"] = *part;
    return parse_document(document).ties_head;
  };
  EXPECT_TRUE(said(hugging_face(), "text_config", {}, {}));
  EXPECT_TRUE(said(hugging_face(), "text_config", true, false));
  EXPECT_FALSE(said(hugging_face(), "text_config", {}, false));
  EXPECT_FALSE(said(hugging_face(), "text_config", false, {}));
  EXPECT_TRUE(said(original(), "language_config", {}, true));
  EXPECT_TRUE(said(original(), "language_config", true, {}));
  EXPECT_FALSE(said(original(), "language_config", false, {}));
}

TEST(Config, NamesOtherKindsOfFiles) {
  const testing::TemporaryDirectory directory;
  const auto refused = [&](const std::string& text) {
    directory.write("config.json", text);
    return refusal_of([&] { read_config(directory.path()); });
  };
  expect_contains(refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n"),
                  "is a git-lfs pointer, not the file itself; fetch the real file (git lfs pull)");
  expect_contains(refused("\n<!DOCTYPE html><title>Sign in</title>"), "is a web page, not JSON");
  expect_contains(refused("Entry not found"), "is a server's error message");
  expect_contains(refused(R"({"error":"Repository not found"})"), "is a server's error message");
  expect_contains(refused(std::string(100, '\0')), "begins with zeros");
  const std::string whole = original().dump();
  expect_contains(refused(whole.substr(0, whole.size() / 2)), "it is cut off");
  expect_contains(config_refusal(original(), "/quantization_config", R"({"quant_method":"gptq"})"),
                  "says that the weights are quantised");
  auto both = original();
  both["quantization"] = {{"group_size", 64}, {"bits", 4}};  // what MLX writes
  expect_contains(config_refusal(both, "/quantization_config", R"({"quant_method":"gptq"})"),
                  "says that the weights are quantised");
  both["quantization_config"] = both["quantization"];
  EXPECT_EQ(parse_config(both.dump(), "config.json").transformer.layers, 30);
}

TEST(Config, ReadsTheFile) {
  const testing::TemporaryDirectory directory;
  refusal_of([&] { read_config(directory.path()); }, ErrorKind::kMissing);
  directory.write("config.json", original().dump());
  EXPECT_EQ(read_config(directory.path()).transformer.layers, 30);
  directory.write("config.json", "");
  expect_contains(refusal_of([&] { read_config(directory.path()); }), "/config.json\": empty file");
  directory.write("config.json", std::string(2 << 20, ' '));
  expect_contains(refusal_of([&] { read_config(directory.path()); }), "at most");
}

}  // namespace
}  // namespace bifrons
