// Parts of the network that files hold and the config denies.
#include "src/model/surplus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <unordered_set>

#include "src/io/quote.h"
#include "src/model/model.h"
#include "src/model/understanding_model.h"

namespace bifrons {
namespace {

// Found anywhere in a name of a part of the network: no part of its arithmetic.
constexpr std::array<std::string_view, 17> kHarmless{
    "rotary_emb",   "inv_freq",  "position_ids",  ".attn_pool.",
    ".head.",       "lm_head",   "codebook_used", ".ema_",
    "_ema",         ".ema.",     "model_ema",     ".loss.",
    "cluster_size", "embed_avg", "discriminator", "num_batches_tracked",
    "logit_"};

bool is_harmless(std::string_view name) {
  for (const std::string_view part : kHarmless) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

std::optional<int64_t> leading_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.') return std::nullopt;
  return number;
}

// The number behind `word` in `name`, as in ".res.2.".
std::optional<int64_t> number_behind(std::string_view name, std::string_view word) {
  const size_t at = name.find(word);
  return at == std::string_view::npos ? std::nullopt
                                      : leading_number(name.substr(at + word.size()));
}

// A key of config.json and what it says.
struct Key {
  std::string name;
  std::string value;
};

// How names and keys are spelt: the two need not be of one form.
struct Spelling {
  bool original_names;
  bool original_keys;

  Key key(const char* original, const char* hugging_face, const std::string& value) const {
    return {original_keys ? original : hugging_face, value};
  }
};

// Names under "encoder." or "decoder." of the visual tokenizer.
std::optional<Key> tokenizer_key(const VqConfig& vq, std::string_view name, bool encoder,
                                 const Spelling& spelling) {
  const auto& multipliers = encoder ? vq.encoder_multipliers : vq.decoder_multipliers;
  const auto level = number_behind(name, spelling.original_names ? "conv_blocks."
                                         : encoder               ? "down."
                                                                 : "up.");
  if (!level) return std::nullopt;
  if (*level < static_cast<int64_t>(multipliers.size())) {
    const int64_t blocks = vq.res_blocks + (encoder ? 0 : 1);
    for (const std::string_view word : {".res.", ".block.", ".attn."}) {
      if (number_behind(name, word).value_or(0) < blocks) continue;
      return spelling.key("gen_vision_config.params.num_res_blocks", "vq_config.num_res_blocks",
                          std::to_string(vq.res_blocks));
    }
  }
  return spelling.key(encoder ? "gen_vision_config.params.encoder_ch_mult"
                              : "gen_vision_config.params.decoder_ch_mult",
                      "vq_config.channel_multiplier",
                      fmt::format("[{}]", fmt::join(multipliers, ", ")));
}

std::optional<Key> transformer_key(const TransformerConfig& t, std::string_view name,
                                   const Spelling& spelling) {
  if (number_behind(name, ".layers.").value_or(0) >= t.layers) {
    return spelling.key("language_config.num_hidden_layers", "text_config.num_hidden_layers",
                        std::to_string(t.layers));
  }
  if (!name.ends_with(".bias")) return std::nullopt;
  return name.find(".mlp.") != std::string_view::npos
             ? spelling.key("language_config.mlp_bias", "text_config.mlp_bias", "false")
             : spelling.key("language_config.attention_bias", "text_config.attention_bias",
                            "false");
}

std::optional<Key> tower_key(const TowerConfig& tower, std::string_view name,
                             const Spelling& spelling) {
  const char* word = spelling.original_names ? ".blocks." : ".layers.";
  if (number_behind(name, word).value_or(0) < tower.layers) return std::nullopt;
  return spelling.key("vision_config.params.layers", "vision_config.num_hidden_layers",
                      std::to_string(tower.layers));
}

// What config.json says of a part of the network.
struct Denial {
  std::optional<Key> key;  // nothing: no one key says so
};

// For a name that is not one of the network's; nothing when it begins like no part of the network.
std::optional<Denial> denial_of(const Config& config, std::string_view name,
                                const Spelling& spelling) {
  const auto under = [&](std::string_view original, std::string_view hugging_face) {
    return name.starts_with(spelling.original_names ? original : hugging_face);
  };
  if (under("language_model.model.", "model.language_model.")) {
    return Denial{transformer_key(config.transformer, name, spelling)};
  }
  if (under("gen_vision_model.encoder.", "model.vqmodel.encoder.")) {
    return Denial{tokenizer_key(config.vq, name, true, spelling)};
  }
  if (under("gen_vision_model.decoder.", "model.vqmodel.decoder.")) {
    return Denial{tokenizer_key(config.vq, name, false, spelling)};
  }
  if (under("gen_aligner.", "model.generation_aligner.")) {
    return Denial{
        spelling.key("gen_aligner_config.params.depth", "vq_config.num_hidden_layers", "2")};
  }
  if (under("gen_head.", "model.generation_head.") ||
      under("gen_vision_model.quant_conv.", "model.vqmodel.quant_conv.") ||
      under("gen_vision_model.post_quant_conv.", "model.vqmodel.post_quant_conv.")) {
    return Denial{};
  }
  if (!config.tower) return std::nullopt;  // what is not described is not denied either
  if (under("vision_model.vision_tower.", "model.vision_model.")) {
    return Denial{tower_key(*config.tower, name, spelling)};
  }
  if (under("aligner.", "model.aligner.")) {
    return Denial{spelling.key("aligner_config.params.depth", "vision_config.depth", "2")};
  }
  return std::nullopt;
}

// Everything the network can have, as published.
std::unordered_set<std::string> names_of(const Config& config, const PublishedTensors& published) {
  TensorList list;
  Model(config, DType::kF32).visit_weights(list);
  VqEncoderWeights encoder;
  visit(encoder, config.vq, list);
  if (config.tower) UnderstandingModel(config, DType::kF32).visit_weights(list);
  std::unordered_set<std::string> names;
  for (const NeededTensor& tensor : list.tensors()) {
    for (const NeededTensor& piece : published.pieces_of(tensor)) {
      names.insert(published.published_name(piece.name));
      if (format_for(config.in_files, piece.fewest) == LinearFormat::kStored) continue;
      names.insert(published.published_name(scale_name(piece.name)));
    }
  }
  return names;
}

}  // namespace

void check_surplus(const Config& config, const PublishedTensors& published,
                   const std::string& directory) {
  const std::unordered_set<std::string> names = names_of(config, published);
  const Spelling spelling{!published.hugging_face(), config.form == CheckpointForm::kOriginal};
  size_t count = 0;
  std::string first;
  Denial denial;
  const auto look = [&](const std::string& name) {
    if (names.contains(name) || is_harmless(name)) return;
    const std::optional<std::string> own = published.own_name(name);
    const std::optional<Denial> found = own ? denial_of(config, *own, spelling) : std::nullopt;
    if (!found || count++ > 0) return;
    first = name;
    denial = *found;
  };
  for (const StoredTensor& tensor : published.checkpoint().tensors()) look(tensor.name);
  for (const SkippedTensor& tensor : published.checkpoint().skipped()) look(tensor.name);
  if (count == 0) return;
  if (config.in_files == LinearFormat::kStored) {
    refuse_other_weights(published, {&first, 1}, directory);
  }
  const std::string more = count > 1 ? fmt::format(" and {} more like it", count - 1) : "";
  const std::string because =
      denial.key ? fmt::format("whose {} is {}", denial.key->name, denial.key->value)
                 : std::string("which describes no such tensor");
  throw Error(ErrorKind::kData,
              fmt::format("{}: the files hold tensor {}{}, against config.json, {}; the two are of "
                          "different models",
                          quote(directory), quote(first), more, because));
}

}  // namespace bifrons
