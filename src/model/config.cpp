// Reads the config.json of a model directory, in either of the two published forms.
#include "src/model/config.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "kernels/error.h"
#include "src/io/byte_source.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/model/config_fields.h"
#include "src/weights/diagnosis.h"

namespace bifrons {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr int64_t kMaxWidth = 16384;
constexpr int64_t kMaxCount = 1 << 20;  // of vocabulary, codes, positions
constexpr std::string_view kSupported =
    "supported are Janus-Pro and Janus-1.3B in their original form (model_type multi_modality) and "
    "in the form of Hugging Face transformers (model_type janus)";

// Reads rope_theta, and checks the two places where a RoPE scaling may be written.
double read_rope_theta(const ConfigFields& llama, double absent) {
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const ConfigFields rope = llama.section(name);
    for (const char* kind : {"rope_type", "type"}) {
      const std::string value = rope.text(kind).value_or("default");
      if (value != "default" && value != "none") {
        rope.fail(kind, fmt::format("is {}; scaled positions are not supported", quote(value, 60)));
      }
    }
  }
  const double nested = llama.section("rope_parameters").real("rope_theta", absent);
  const double theta = llama.real("rope_theta", nested);
  if (!std::isfinite(theta) || theta < 1)
    llama.fail("rope_theta", "must be a number of at least 1");
  return theta;
}

TransformerConfig read_transformer(const ConfigFields& llama) {
  llama.demand_text("model_type", "llama");
  llama.demand_text("hidden_act", "silu");
  llama.demand_false("attention_bias");
  llama.demand_false("mlp_bias");

  TransformerConfig c;
  c.hidden = llama.integer("hidden_size", c.hidden, 8, kMaxWidth);
  if (c.hidden % 8 != 0) llama.fail("hidden_size", "must be a multiple of 8");
  c.intermediate = llama.integer("intermediate_size", c.intermediate, 1, 4 * kMaxWidth);
  c.layers = llama.integer("num_hidden_layers", c.layers, 1, 128);
  c.heads = llama.integer("num_attention_heads", c.heads, 1, 256);
  c.kv_heads = llama.integer("num_key_value_heads", c.heads, 1, c.heads);
  if (c.heads % c.kv_heads != 0) {
    llama.fail("num_key_value_heads",
               fmt::format("is {}, which does not divide the {} heads", c.kv_heads, c.heads));
  }
  if (!llama.has("head_dim") && c.hidden % c.heads != 0) {
    llama.fail("num_attention_heads",
               fmt::format("is {}, which does not divide hidden_size {}", c.heads, c.hidden));
  }
  c.head_dim = llama.integer("head_dim", c.hidden / c.heads, 2, 512);
  if (c.head_dim % 2 != 0)
    llama.fail("head_dim", fmt::format("is {}; it must be even", c.head_dim));
  c.vocabulary = llama.integer("vocab_size", c.vocabulary, 1, kMaxCount);
  c.max_positions = llama.integer("max_position_embeddings", c.max_positions, 1, kMaxCount);
  c.norm_eps = llama.real("rms_norm_eps", c.norm_eps);
  if (!(c.norm_eps > 0 && c.norm_eps < 0.1)) {
    llama.fail("rms_norm_eps", "must lie between 0 and 0.1");
  }
  c.rope_theta = read_rope_theta(llama, c.rope_theta);
  return c;
}

void check_multipliers(const VqConfig& vq, const std::vector<int64_t>& multipliers,
                       const ConfigFields& fields, std::string_view name) {
  if (multipliers.empty() || multipliers.size() > 8) {
    fields.fail(name, fmt::format("has {} levels; 1 to 8 are supported", multipliers.size()));
  }
  for (const int64_t m : multipliers) {
    if (m < 1 || m > 64 || (vq.base_channels * m) % vq.norm_groups != 0) {
      fields.fail(name, fmt::format("holds {}: {} x {} channels must be a positive multiple of the "
                                    "{} groups of the normalisation",
                                    m, vq.base_channels, m, vq.norm_groups));
    }
  }
}

// Names of the visual tokenizer's fields; they differ between the two forms, their ranges do not.
struct VqNames {
  const char* codebook;
  const char* code_dim;
  const char* latent_channels;
  const char* base_channels;
  const char* encoder_multipliers;
  const char* decoder_multipliers;
};

constexpr VqNames kOriginalVq{"image_token_size", "n_embed",        "z_channels", "ch",
                              "encoder_ch_mult",  "decoder_ch_mult"};
constexpr VqNames kHuggingFaceVq{"num_embeddings", "embed_dim",          "latent_channels",
                                 "base_channels",  "channel_multiplier", "channel_multiplier"};

VqConfig read_vq(const ConfigFields& fields, const VqNames& names) {
  VqConfig vq;
  vq.codebook = fields.integer(names.codebook, vq.codebook, 1, kMaxCount);
  vq.code_dim = fields.integer(names.code_dim, vq.code_dim, 1, 1024);
  vq.latent_channels = fields.integer(names.latent_channels, vq.latent_channels, 1, 4096);
  vq.base_channels = fields.integer(names.base_channels, vq.base_channels, 1, 1024);
  vq.res_blocks = fields.integer("num_res_blocks", vq.res_blocks, 1, 16);
  vq.encoder_multipliers = fields.integers(names.encoder_multipliers, vq.encoder_multipliers);
  vq.decoder_multipliers = fields.integers(names.decoder_multipliers, vq.decoder_multipliers);
  check_multipliers(vq, vq.encoder_multipliers, fields, names.encoder_multipliers);
  check_multipliers(vq, vq.decoder_multipliers, fields, names.decoder_multipliers);
  if (vq.encoder_multipliers.size() != vq.decoder_multipliers.size()) {
    fields.fail(names.decoder_multipliers, "has another number of levels than the encoder");
  }
  return vq;
}

// Sets the image side in pixels and in tokens. `fields` and `name`: where the side was read.
void set_image_size(Config& config, int64_t pixels, const ConfigFields& fields,
                    std::string_view name) {
  const int64_t shrink = int64_t{1} << (config.vq.decoder_multipliers.size() - 1);
  if (pixels < shrink || pixels > 4096 || pixels % shrink != 0) {
    fields.fail(name, fmt::format("is {}; it must be a multiple of {} up to 4096", pixels, shrink));
  }
  config.image_size = pixels;
  config.grid = pixels / shrink;
  if (config.image_tokens() >= config.transformer.max_positions) {
    fields.fail(name, fmt::format("asks for {} image tokens, but the transformer has only {} "
                                  "positions for prompt and picture",
                                  config.image_tokens(), config.transformer.max_positions));
  }
}

// Names of a tower's fields; they differ between the two forms, their ranges do not.
struct TowerNames {
  const char* width;
  const char* layers;
  const char* heads;
  const char* patch;
};

constexpr TowerNames kOriginalTower{"width", "layers", "heads", "patch_size"};
constexpr TowerNames kHuggingFaceTower{"hidden_size", "num_hidden_layers", "num_attention_heads",
                                       "patch_size"};

TowerConfig read_tower_sizes(const ConfigFields& fields, const TowerNames& names, bool filled) {
  TowerConfig tower;
  for (const char* name : {names.width, names.layers, names.heads, names.patch}) {
    if (!filled && !fields.has(name)) fields.fail(name, "is missing");
  }
  tower.width = fields.integer(names.width, tower.width, 8, kMaxWidth);
  if (tower.width % 8 != 0) fields.fail(names.width, "must be a multiple of 8");
  tower.layers = fields.integer(names.layers, tower.layers, 1, 128);
  tower.heads = fields.integer(names.heads, tower.heads, 1, 256);
  if (tower.width % tower.heads != 0) {
    fields.fail(names.heads, fmt::format("is {}, which does not divide {} {}", tower.heads,
                                         names.width, tower.width));
  }
  const double ratio = fields.real("mlp_ratio", 4.0);
  if (!(ratio > 0 && ratio <= 64)) fields.fail("mlp_ratio", "must lie between 0 and 64");
  tower.mlp_width = static_cast<int64_t>(static_cast<double>(tower.width) * ratio);
  if (tower.mlp_width < 1) fields.fail("mlp_ratio", "leaves the MLP without width");
  tower.patch = fields.integer(names.patch, tower.patch, 1, 256);
  tower.image_size = fields.integer("image_size", tower.image_size, tower.patch, 4096);
  if (tower.image_size % tower.patch != 0) {
    fields.fail("image_size", fmt::format("is {}; it must be a multiple of the patches' {}",
                                          tower.image_size, tower.patch));
  }
  if (tower.tokens() > 16384) {
    fields.fail("image_size",
                fmt::format("makes {} patches; at most 16384 are supported", tower.tokens()));
  }
  return tower;
}

// The original form gives the name of its tower. With a name other than the published one, sizes
// stand beside it. Without sizes the tower is not described; then the model can still draw.
std::optional<TowerConfig> read_original_tower(const ConfigFields& root, int64_t hidden) {
  const ConfigFields vision = root.section("vision_config").section("params");
  const bool published = vision.text("model_name") == "siglip_large_patch16_384";
  if (!published && !vision.has("width")) return std::nullopt;
  if (vision.real("select_layer", -1) != -1) vision.fail("select_layer", "is not -1, the last");
  vision.demand_text("select_feature", "same");
  const TowerConfig tower = read_tower_sizes(vision, kOriginalTower, published);

  const ConfigFields aligner = root.section("aligner_config").section("params");
  aligner.demand("n_embed", hidden, "hidden_size");
  aligner.demand("input_dim", tower.width, "the vision tower's width");
  aligner.demand("depth", 2, "the number of supported layers");
  aligner.demand_text("projector_type", "mlp_gelu");
  return tower;
}

TowerConfig read_hugging_face_tower(const ConfigFields& vision, int64_t hidden) {
  TowerConfig tower = read_tower_sizes(vision, kHuggingFaceTower, true);
  tower.norm_eps = vision.real("layer_norm_eps", tower.norm_eps);
  if (!(tower.norm_eps > 0 && tower.norm_eps < 0.1)) {
    vision.fail("layer_norm_eps", "must lie between 0 and 0.1");
  }
  vision.demand_text("hidden_act", "gelu");
  vision.demand_false("use_qk_norm");
  vision.demand("num_channels", 3, "the number of supported channels");
  vision.demand("projection_dim", hidden, "hidden_size");
  vision.demand("depth", 2, "the number of supported layers");
  return tower;
}

// Whether any place of a config ties the text head to the embedding, or nothing when none says.
std::optional<bool> says_tied(const ConfigFields& root, const ConfigFields& llama) {
  std::optional<bool> tied;
  for (const ConfigFields* fields : {&root, &llama}) {
    const std::optional<bool> said = fields->boolean("tie_word_embeddings");
    if (said) tied = tied.value_or(false) || *said;
  }
  return tied;
}

Config read_original(const ConfigFields& root) {
  Config config;
  config.form = CheckpointForm::kOriginal;
  config.transformer = read_transformer(root.needed_section("language_config"));
  const int64_t hidden = config.transformer.hidden;

  const ConfigFields tokenizer_class = root.needed_section("gen_vision_config");
  const ConfigFields tokenizer = tokenizer_class.section("params");
  if (!tokenizer.has("encoder_ch_mult")) tokenizer_class.demand_text("cls", "VQ-16");
  config.vq = read_vq(tokenizer, kOriginalVq);
  tokenizer.demand("codebook_size", config.vq.codebook, "image_token_size");
  tokenizer.demand("codebook_embed_dim", config.vq.code_dim, "n_embed");

  const ConfigFields head = root.section("gen_head_config").section("params");
  config.image_token_embed = head.integer("image_token_embed", hidden, 1, 4 * kMaxWidth);
  head.demand("n_embed", hidden, "hidden_size");
  head.demand("image_token_size", config.vq.codebook, "the codebook");

  const ConfigFields aligner = root.section("gen_aligner_config").section("params");
  config.gen_aligner_width = aligner.integer("n_embed", hidden, 1, kMaxWidth);
  aligner.demand("n_embed", hidden, "hidden_size");
  aligner.demand("input_dim", config.vq.code_dim, "the code's dimension");
  aligner.demand("depth", 2, "the number of supported layers");
  aligner.demand_text("projector_type", "mlp_gelu");

  const ConfigFields vision = root.section("vision_config").section("params");
  const ConfigFields& sized = tokenizer.has("image_size") ? tokenizer : vision;
  set_image_size(config, sized.integer("image_size").value_or(384), sized, "image_size");
  config.tower = read_original_tower(root, hidden);
  config.ties_head = says_tied(root, root.section("language_config")).value_or(false);
  return config;
}

// There the tower's patches a side are the image tokens a side; num_patches of vq_config is
// overwritten with them, whatever it says. Each token is 2^(levels - 1) pixels wide.
void set_hugging_face_size(Config& config, const ConfigFields& vision) {
  const int64_t pixels = vision.integer("image_size", 384, 1, 4096);
  const int64_t patch = vision.integer("patch_size", 16, 1, pixels);
  const int64_t shrink = int64_t{1} << (config.vq.decoder_multipliers.size() - 1);
  set_image_size(config, pixels / patch * shrink, vision, "image_size");
}

Config read_hugging_face(const ConfigFields& root) {
  Config config;
  config.form = CheckpointForm::kHuggingFace;
  config.transformer = read_transformer(root.needed_section("text_config"));
  const int64_t hidden = config.transformer.hidden;

  const ConfigFields vq = root.needed_section("vq_config");
  config.vq = read_vq(vq, kHuggingFaceVq);
  vq.demand_false("double_latent");
  vq.demand("in_channels", 3, "the number of supported channels");
  vq.demand("out_channels", 3, "the number of supported channels");
  vq.demand("num_hidden_layers", 2, "the number of supported layers");
  vq.demand_text("hidden_act", "gelu");

  // In this form one width serves the aligner and the head: the inner width of both, and the
  // aligner's output. 2048 is the default of the class in transformers.
  config.gen_aligner_width = vq.integer("projection_dim", 2048, 1, kMaxWidth);
  config.image_token_embed = config.gen_aligner_width;
  if (config.gen_aligner_width != hidden) {
    vq.fail("projection_dim",
            fmt::format("is {}, but hidden_size is {}", config.gen_aligner_width, hidden));
  }
  vq.demand("image_token_embed_dim", hidden, "hidden_size");

  const ConfigFields vision = root.section("vision_config");
  vq.integer("num_patches", 1, 1, kMaxCount);  // of any value: see above
  set_hugging_face_size(config, vision);
  if (root.has("vision_config")) config.tower = read_hugging_face_tower(vision, hidden);
  // The class ties them, and files of before 5.0 do not write what is the default.
  config.ties_head = says_tied(root, root.section("text_config")).value_or(true);
  return config;
}

// The record that `bifrons quantize` writes (docs/quantization.md).
LinearFormat read_quantisation(const ConfigFields& record) {
  record.demand("version", 1, "the version that is read");
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    const std::string name = fmt::format("{}_group_size", name_of(format));
    record.demand(name, group_of(format), "the size that is supported");
  }
  const std::string weights = record.text("weights").value_or("");
  if (weights == "int8") return LinearFormat::kInt8;
  if (weights == "int4") return LinearFormat::kInt4;
  record.fail("weights", fmt::format("is {}; int8 and int4 are supported", quote(weights, 60)));
}

// Converters write this key; the weights beside it are integers and scales. MLX's key is
// "quantization", which read_mlx_quantization() of src/weights/mlx.h reads; mlx-lm writes its
// content a second time under this key.
LinearFormat format_in_files(const ConfigFields& root) {
  const char* name = "quantization_config";
  if (!root.has(name)) return LinearFormat::kStored;
  const ConfigFields record = root.section(name);
  const std::string method = record.text("quant_method").value_or("");
  if (method.empty() && root.has("quantization")) return LinearFormat::kStored;
  if (method == "bifrons") return read_quantisation(record);
  root.fail(name, fmt::format("says that the weights are quantised{}, which is not supported; "
                              "bf16, f16 and f32 are: take the model's full weights",
                              method.empty() ? "" : fmt::format(" ({})", quote(method, 40))));
}

}  // namespace

Config parse_config(std::string_view json, const std::string& name) {
  const JsonLimits limits{kMaxConfigBytes, 16, 100'000};
  const Json document = Json::parse(json, name, limits);
  if (!document.is_object()) refuse(name, "does not hold an object");
  const ConfigFields root(&document, name + ": ");
  const std::string type = root.text("model_type").value_or("");
  if (root.has("vision_gen_enc_config") || root.has("vision_gen_dec_config")) {
    refuse(name, fmt::format("describes JanusFlow, which draws in another way; {}", kSupported));
  }
  const LinearFormat format = format_in_files(root);
  if (type == "multi_modality" || type == "janus") {
    Config config = type == "janus" ? read_hugging_face(root) : read_original(root);
    config.in_files = config.loaded = format;
    return config;
  }
  if (type.empty() && root.has("error")) {
    refuse(name, "is a server's error message, not a model's config; download the file again");
  }
  refuse(name, fmt::format("model_type is {}; {}", type.empty() ? "not given" : quote(type, 60),
                           kSupported));
}

Config read_config(const std::string& directory_path) {
  const Directory directory = Directory::open(directory_path);
  if (!directory.contains("config.json")) {
    const auto kind = detect_directory_kind(directory);
    throw Error(ErrorKind::kMissing,
                kind ? fmt::format("{}: {}", quote(directory_path), *kind)
                     : fmt::format("{}: no such file; is this the model's directory?",
                                   directory.shown("config.json")));
  }
  return parse_config(directory.read_file("config.json", kMaxConfigBytes),
                      directory.shown("config.json"));
}

}  // namespace bifrons
