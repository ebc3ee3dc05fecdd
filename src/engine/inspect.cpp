// `inspect`: the contents of a model directory, and the memory that drawing with it takes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>

#include "src/bifrons.h"
#include "src/edit.h"
#include "src/engine/edit_checks.h"
#include "src/engine/memory_plan.h"
#include "src/engine/model_files.h"
#include "src/engine/weight_format.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/model/model.h"
#include "src/model/surplus.h"
#include "src/model/text_head.h"
#include "src/model/understanding_model.h"
#include "src/reflect.h"
#include "src/think.h"
#include "src/tokenizer/tokenizer.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

// The part of the model to which a tensor belongs, by the prefix of its name in either naming
// scheme.
std::string component_of(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
      {"model.language_model.", "transformer"},
      {"language_model.model.", "transformer"},
      {"language_model.lm_head", "text head"},
      {"lm_head", "text head"},
      {"model.vqmodel.encoder", "VQ encoder"},
      {"gen_vision_model.encoder", "VQ encoder"},
      {"model.vqmodel.quant_conv", "VQ encoder"},
      {"gen_vision_model.quant_conv", "VQ encoder"},
      {"model.vqmodel.", "VQ decoder"},
      {"gen_vision_model.", "VQ decoder"},
      {"model.generation_", "image head"},
      {"gen_", "image head"},
      {"model.vision_model.", "SigLIP"},
      {"vision_model.", "SigLIP"},
      {"model.aligner", "aligner"},
      {"aligner", "aligner"},
  };
  for (const auto& [prefix, component] : kPrefixes) {
    if (name.starts_with(prefix)) return std::string(component);
  }
  return "other";
}

struct Inspection {
  Config config;
  Checkpoint checkpoint;
  bool hugging_face_names;
  DType dtype;
  std::string blind;  // why the model does not see; empty if it does
};

// Reads and checks everything that a load would, except the weights themselves.
Inspection inspect_directory(const std::string& directory) {
  const Config config = read_config(directory);
  Checkpoint checkpoint = Checkpoint::open(directory);
  if (Directory::open(directory).contains("tokenizer.json")) Tokenizer::open(directory);
  const PublishedTensors published(checkpoint);
  const bool hugging_face = published.hugging_face();
  const DType dtype = weights_dtype(published, directory);
  Model model(config, activation_for(dtype));
  TensorList needed;
  model.visit_weights(needed);
  check_tensors(published, needed.tensors(), directory, config);
  check_surplus(config, published, directory);
  std::string blind;
  try {
    check_sees(config, published, directory);
  } catch (const Error& error) {
    blind = error.what();
  }
  return {config, std::move(checkpoint), hugging_face, dtype, std::move(blind)};
}

std::string megabytes(int64_t bytes) { return fmt::format("{:.1f} MB", bytes / 1e6); }

nlohmann::ordered_json config_json(const Config& c) {
  const TransformerConfig& t = c.transformer;
  nlohmann::ordered_json out{
      {"form", c.form == CheckpointForm::kOriginal ? "original" : "hugging face"},
      {"hidden_size", t.hidden},
      {"intermediate_size", t.intermediate},
      {"num_hidden_layers", t.layers},
      {"num_attention_heads", t.heads},
      {"num_key_value_heads", t.kv_heads},
      {"head_dim", t.head_dim},
      {"vocab_size", t.vocabulary},
      {"max_position_embeddings", t.max_positions},
      {"rms_norm_eps", t.norm_eps},
      {"rope_theta", t.rope_theta},
      {"image_size", c.image_size},
      {"grid", c.grid},
      {"codebook", c.vq.codebook},
      {"code_dim", c.vq.code_dim},
      {"vq_base_channels", c.vq.base_channels},
      {"vq_decoder_multipliers", c.vq.decoder_multipliers},
      {"vq_res_blocks", c.vq.res_blocks}};
  if (c.tower) {
    out["tower_image_size"] = c.tower->image_size;
    out["tower_patch_size"] = c.tower->patch;
    out["tower_width"] = c.tower->width;
    out["tower_layers"] = c.tower->layers;
    out["tower_heads"] = c.tower->heads;
    out["tower_tokens"] = c.tower->tokens();
  }
  return out;
}

std::string plan_text(const std::string& title, const std::vector<MemoryItem>& plan) {
  std::string out = fmt::format("\nmemory     {}\n", title);
  for (const MemoryItem& item : plan) {
    out += fmt::format("  {:<26} {:>12}\n", item.name, megabytes(item.bytes));
  }
  return out + fmt::format("  {:<26} {:>12}\n", "in all", megabytes(total_bytes(plan)));
}

nlohmann::ordered_json plan_json(const std::vector<MemoryItem>& plan) {
  nlohmann::ordered_json out{{"bytes", total_bytes(plan)}};
  for (const MemoryItem& item : plan) out["items"][item.name] = item.bytes;
  return out;
}

// The integers of quantised weights; empty for a model that is stored in full.
std::vector<const SkippedTensor*> quantised_tensors(const Inspection& i) {
  std::vector<const SkippedTensor*> tensors;
  if (i.config.in_files == LinearFormat::kStored) return tensors;
  for (const SkippedTensor& tensor : i.checkpoint.skipped()) {
    if (i.checkpoint.find(scale_name(tensor.name)) != nullptr) tensors.push_back(&tensor);
  }
  return tensors;
}

// Memory for drawing one picture with weights quantised while loading; empty where the model cannot
// be quantised.
std::vector<std::pair<LinearFormat, int64_t>> totals_when_quantised(const Inspection& i,
                                                                    MemorySpace space) {
  std::vector<std::pair<LinearFormat, int64_t>> totals;
  if (i.config.in_files != LinearFormat::kStored) return totals;
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    Config config = i.config;
    config.loaded = format;
    if (!divides_into_groups(config)) continue;
    totals.emplace_back(format,
                        total_bytes(memory_plan(config, i.dtype, 1, kPlannedPromptTokens, space)));
  }
  return totals;
}

std::vector<MemoryItem> drawing_one(const Inspection& i, MemorySpace space,
                                    KvFormat kv = KvFormat::kStored) {
  return memory_plan(i.config, {i.dtype, kv}, 1, kPlannedPromptTokens, space);
}

// The last lines of a plan.
std::string with_fewer_bits(const Inspection& i, MemorySpace space) {
  const auto line = [](const std::string& name, int64_t bytes) {
    return fmt::format("  {:<26} {:>12}\n", name, megabytes(bytes));
  };
  std::string lines =
      line("in all with --kv int8", total_bytes(drawing_one(i, space, KvFormat::kInt8)));
  for (const auto& [format, bytes] : totals_when_quantised(i, space)) {
    lines += line(fmt::format("in all, --weights {}", name_of(format)), bytes);
  }
  return lines;
}

// What a picture takes with a thought of the model's own style, what an edit takes, and what a
// picture takes that is judged and drawn again.
struct WithMore {
  std::string option;  // of the command line
  PlannedPictures planned;
};
std::vector<WithMore> with_more(const Inspection& i, const std::string& directory) {
  std::vector<WithMore> all;
  try {
    check_text_head(i.config, i.checkpoint, directory);
    all.push_back({"--think", planned_pictures({style_of_model(directory), {}, {}})});
  } catch (const Error&) {
    // The model writes no text, or its own style is damaged, which --think says.
  }
  const EditStyle* style = edit_style_of(name_of_model(directory));
  if (style == nullptr) style = &edit_styles().front();
  try {
    check_edits(i.config, i.checkpoint, directory, *style);
    all.push_back({fmt::format("edit {}", style->name), {.edit = style}});
  } catch (const Error&) {
    // The model does not see, or has no encoder, which the list of tensors says.
    return all;
  }
  if (i.blind.empty()) all.push_back({"--reflect", {.reflects = ReflectOptions{}.max_tokens}});
  return all;
}

int64_t bytes_with(const Inspection& i, const WithMore& more, MemorySpace space) {
  return total_bytes(memory_plan(i.config, i.dtype, 1, more.planned, space));
}

// More last lines.
std::string text_with_more(const Inspection& i, const std::vector<WithMore>& all,
                           MemorySpace space) {
  std::string text;
  for (const WithMore& more : all) {
    text += fmt::format("  {:<26} {:>12}\n", "in all, " + more.option,
                        megabytes(bytes_with(i, more, space)));
  }
  return text;
}

std::vector<MemoryItem> seeing(const Inspection& i) {
  return understanding_plan(i.config, i.dtype, i.config.tower->tokens() + 2 + kPlannedPromptTokens);
}

}  // namespace

std::string inspect(const std::string& directory) {
  const Inspection i = inspect_directory(directory);
  std::string out = fmt::format("model      {}\n", quote(directory));
  std::vector<std::string> files;
  for (const std::string& file : i.checkpoint.files()) files.push_back(quote_if_needed(file));
  out += fmt::format("files      {}\n", fmt::join(files, ", "));
  out += fmt::format("names      {}\n", i.hugging_face_names ? "hugging face" : "original");
  if (const std::string& packed = i.checkpoint.quantisation(); !packed.empty()) {
    out += fmt::format("packed     {}, read as {}\n", packed, name_of(i.dtype));
  }
  out += fmt::format("sees       {}\n", i.blind.empty() ? "yes" : "no: " + i.blind);
  out += "\nconfig\n";
  const nlohmann::ordered_json config = config_json(i.config);
  for (const auto& [key, value] : config.items()) {
    out += fmt::format("  {:<26} {}\n", key,
                       value.is_string() ? value.get<std::string>() : value.dump());
  }

  struct Sum {
    int64_t tensors = 0, bytes = 0;
  };
  std::map<std::string, Sum> sums;
  Sum all;
  const PublishedTensors published(i.checkpoint);
  const auto add = [&](const auto& tensor) {
    for (Sum* sum : {&sums[component_of(published.own_name(tensor.name).value_or(""))], &all}) {
      ++sum->tensors;
      sum->bytes += tensor.bytes;
    }
  };
  for (const StoredTensor& tensor : i.checkpoint.tensors()) add(tensor);
  for (const SkippedTensor* tensor : quantised_tensors(i)) add(*tensor);
  out += fmt::format("\ntensors    {} in all, {}\n", all.tensors, megabytes(all.bytes));
  for (const auto& [component, sum] : sums) {
    out += fmt::format("  {:<26} {:>5}  {:>12}\n", component, sum.tensors, megabytes(sum.bytes));
  }
  for (const StoredTensor& tensor : i.checkpoint.tensors()) {
    out += fmt::format("  {:<72} {:<5} [{}]\n", quote(tensor.name), name_of(tensor.dtype),
                       fmt::join(tensor.shape, ", "));
  }
  for (const SkippedTensor* tensor : quantised_tensors(i)) {
    out += fmt::format("  {:<72} {:<5} [{}]\n", quote(tensor->name),
                       lower_case(tensor->stored_type), fmt::join(tensor->shape, ", "));
  }

  const std::vector<WithMore> more = with_more(i, directory);
  out +=
      plan_text(fmt::format("drawing one picture with a prompt of {} tokens", kPlannedPromptTokens),
                drawing_one(i, MemorySpace::kHost)) +
      with_fewer_bits(i, MemorySpace::kHost) + text_with_more(i, more, MemorySpace::kHost);
  out += plan_text("the same on a GPU, beside what its libraries take",
                   drawing_one(i, MemorySpace::kDevice)) +
         with_fewer_bits(i, MemorySpace::kDevice) + text_with_more(i, more, MemorySpace::kDevice);
  if (i.blind.empty()) {
    out += plan_text(fmt::format("seeing, beside the transformer: one picture and {} tokens",
                                 kPlannedPromptTokens),
                     seeing(i));
  }
  return out;
}

ModelSummary summarize_model(const std::string& directory) {
  const Inspection i = inspect_directory(directory);
  Tokenizer::open(directory);  // drawing needs it, inspect does not
  const auto bytes_in = [&](MemorySpace space) {
    std::vector<std::pair<std::string, int64_t>> bytes{
        {"stored", total_bytes(drawing_one(i, space))}};
    for (const auto& [format, total] : totals_when_quantised(i, space)) {
      bytes.emplace_back(name_of(format), total);
    }
    return bytes;
  };
  std::vector<std::pair<std::string, int64_t>> with;
  for (const WithMore& more : with_more(i, directory)) {
    with.emplace_back(more.option, bytes_with(i, more, MemorySpace::kHost));
  }
  return {.form = i.config.form == CheckpointForm::kOriginal ? "original" : "hugging face",
          .weights_dtype = i.checkpoint.quantisation().empty()
                               ? std::string(weights_name(i.config.loaded, i.dtype))
                               : i.checkpoint.quantisation(),
          .sees = i.blind.empty(),
          .image_size = i.config.image_size,
          .gpu_bytes = bytes_in(MemorySpace::kDevice),
          .host_bytes = bytes_in(MemorySpace::kHost),
          .host_bytes_with = std::move(with)};
}

std::string inspect_json(const std::string& directory) {
  const Inspection i = inspect_directory(directory);
  nlohmann::ordered_json out{{"schema", 1},
                             {"model", directory},
                             {"files", i.checkpoint.files()},
                             {"names", i.hugging_face_names ? "hugging face" : "original"},
                             {"config", config_json(i.config)}};
  if (const std::string& packed = i.checkpoint.quantisation(); !packed.empty()) {
    out["quantisation"] = packed;
  }
  out["tensors"] = nlohmann::ordered_json::array();
  for (const StoredTensor& tensor : i.checkpoint.tensors()) {
    out["tensors"].push_back({{"name", tensor.name},
                              {"dtype", name_of(tensor.dtype)},
                              {"shape", tensor.shape},
                              {"bytes", tensor.bytes}});
  }
  for (const SkippedTensor* tensor : quantised_tensors(i)) {
    out["tensors"].push_back({{"name", tensor->name},
                              {"dtype", lower_case(tensor->stored_type)},
                              {"shape", tensor->shape},
                              {"bytes", tensor->bytes}});
  }
  const std::vector<WithMore> more = with_more(i, directory);
  for (const auto& [name, space] : {std::pair{"memory", MemorySpace::kHost},
                                    std::pair{"memory_on_gpu", MemorySpace::kDevice}}) {
    out[name] = {{"pictures", 1}, {"prompt_tokens", kPlannedPromptTokens}};
    out[name].update(plan_json(drawing_one(i, space)));
    out[name]["bytes_with_int8_kv"] = total_bytes(drawing_one(i, space, KvFormat::kInt8));
    const std::string with_weights = std::string(name) + "_with_weights";
    for (const auto& [format, bytes] : totals_when_quantised(i, space)) {
      out[with_weights][std::string(name_of(format))] = bytes;
    }
    for (const WithMore& each : more) {
      const char* key = each.planned.thinks         ? "bytes_with_think"
                        : each.planned.reflects > 0 ? "bytes_with_reflect"
                                                    : "bytes_of_edit";
      out[name][key] = bytes_with(i, each, space);
    }
  }
  out["sees"] = i.blind.empty();
  if (i.blind.empty()) out["memory_seeing"] = plan_json(seeing(i));
  return plain_json(out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
         "\n";
}

}  // namespace bifrons
