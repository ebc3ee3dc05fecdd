// How the tensors of a checkpoint are called, and what is wrong with them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/io/quote.h"
#include "src/model/bind.h"
#include "src/weights/hf_names.h"

namespace bifrons {

namespace {

constexpr size_t kNamedInOneMessage = 12;

// The one tensor that every drawing model has, in both forms.
constexpr std::string_view kOriginalMark = "gen_embed.weight";
constexpr std::string_view kHuggingFaceMark = "generation_embeddings.weight";
constexpr std::string_view kInner = "model.";

// What stands before `mark` in names that end with it, a dot at its end or nothing; shortest first.
std::vector<std::string_view> prefixes_of(const Checkpoint& checkpoint, std::string_view mark) {
  std::vector<std::string_view> prefixes;
  const auto look = [&](std::string_view name) {
    if (!name.ends_with(mark)) return;
    name.remove_suffix(mark.size());
    if (name.empty() || name.ends_with('.')) prefixes.push_back(name);
  };
  for (const StoredTensor& tensor : checkpoint.tensors()) look(tensor.name);
  for (const SkippedTensor& tensor : checkpoint.skipped()) look(tensor.name);
  std::sort(prefixes.begin(), prefixes.end(),
            [](std::string_view a, std::string_view b) { return a.size() < b.size(); });
  return prefixes;
}

}  // namespace

PublishedTensors::PublishedTensors(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {
  std::vector<std::string_view> prefixes = prefixes_of(checkpoint, kOriginalMark);
  if (prefixes.empty()) {
    prefixes = prefixes_of(checkpoint, kHuggingFaceMark);
    hugging_face_ = !prefixes.empty();
  }
  if (prefixes.empty()) return;
  // A model under its own names may have a copy beside it, such as averages of training.
  std::string_view prefix = prefixes[0];
  const bool own = prefix.empty() || (hugging_face_ && prefix == kInner);
  if (!own && prefixes.size() > 1) {
    throw Error(
        ErrorKind::kData,
        fmt::format("{}: the weights hold two models, one under {} and one under {}; keep "
                    "one",
                    quote(checkpoint.directory()), quote(prefix, 80), quote(prefixes[1], 80)));
  }
  if (hugging_face_) {
    bare_inner_ = !prefix.ends_with(kInner);
    if (!bare_inner_) prefix.remove_suffix(kInner.size());
  }
  prefix_ = prefix;
}

std::string PublishedTensors::published_name(const std::string& original) const {
  if (!hugging_face_) return prefix_ + original;
  std::string name = hugging_face_name(original);
  if (bare_inner_ && name.starts_with(kInner)) name.erase(0, kInner.size());
  return prefix_ + name;
}

std::optional<std::string> PublishedTensors::own_name(std::string_view published) const {
  if (!published.starts_with(prefix_)) return std::nullopt;
  const std::string_view own = published.substr(prefix_.size());
  return bare_inner_ ? std::string(kInner) + std::string(own) : std::string(own);
}

const StoredTensor* PublishedTensors::find(const std::string& original) const {
  return checkpoint_.find(published_name(original));
}

std::vector<NeededTensor> PublishedTensors::pieces_of(const NeededTensor& tensor) const {
  if (!hugging_face_) return {tensor};
  if (tensor.name.ends_with(".pos_embed")) {
    return {{tensor.name, {tensor.shape.begin() + 1, tensor.shape.end()}}};
  }
  constexpr std::string_view kMerged = ".attn.qkv.";
  const size_t at = tensor.name.find(kMerged);
  if (at == std::string::npos) return {tensor};
  std::vector<NeededTensor> pieces;
  for (const char* part : {".attn.q_proj.", ".attn.k_proj.", ".attn.v_proj."}) {
    pieces.push_back(tensor);
    pieces.back().name.replace(at, kMerged.size(), part);
    pieces.back().shape[0] /= 3;
  }
  return pieces;
}

namespace {

// Names that libraries of quantisation give to what they keep beside a matrix.
bool is_of_quantisation(std::string_view name) {
  for (const std::string_view ending : {".absmax", ".quant_map", ".qweight", ".qzeros", ".g_idx",
                                        ".SCB", ".scales", ".weight_scale", ".weight_scale_inv"}) {
    if (name.ends_with(ending)) return true;
  }
  return name.find(".quant_state.") != std::string_view::npos;
}

bool is_of_adapter(std::string_view name) {
  return name.find(".lora_A.") != std::string_view::npos ||
         name.find(".lora_B.") != std::string_view::npos ||
         name.find(".base_layer.") != std::string_view::npos;
}

// Whether a tensor, read or skipped, has a name like that.
template <typename Like>
bool holds(const Checkpoint& checkpoint, const Like& like) {
  const auto named = [&](const auto& tensor) { return like(tensor.name); };
  return std::any_of(checkpoint.tensors().begin(), checkpoint.tensors().end(), named) ||
         std::any_of(checkpoint.skipped().begin(), checkpoint.skipped().end(), named);
}

}  // namespace

void refuse_other_weights(const PublishedTensors& published, std::span<const std::string> missing,
                          const std::string& directory) {
  if (missing.empty()) return;
  const Checkpoint& checkpoint = published.checkpoint();
  if (holds(checkpoint, is_of_adapter)) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: holds a LoRA adapter that is not merged; merge it into its base "
                            "model (peft's merge_and_unload()) and save that",
                            quote(directory)));
  }
  const bool quantised = holds(checkpoint, is_of_quantisation);
  const std::string_view advice = quantised
                                      ? "the weights are quantised: take the model's full ones"
                                      : "convert the weights to one of these";
  const std::span<const SkippedTensor> skipped = checkpoint.skipped();
  for (const std::string& name : missing) {
    const auto at = std::lower_bound(skipped.begin(), skipped.end(), name,
                                     [](const SkippedTensor& tensor, const std::string& wanted) {
                                       return tensor.name < wanted;
                                     });
    if (at == skipped.end() || at->name != name) continue;
    if (at->stored_type == "U32" && quantised) {
      throw Error(
          ErrorKind::kData,
          fmt::format("{}: tensor {} is U32 with scales beside it, as MLX packs weights, but "
                      "config.json has no \"quantization\" with bits and group_size; take "
                      "the config.json of these weights",
                      quote(directory), quote(name)));
    }
    throw Error(ErrorKind::kData,
                fmt::format("{}: tensor {}: {} is not supported; bf16, f16 and f32 are; {}",
                            quote(directory), quote(name), at->stored_type, advice));
  }
  if (!quantised) return;
  throw Error(ErrorKind::kData,
              fmt::format("{}: tensor {} is missing: the weights are quantised, which is not "
                          "supported; bf16, f16 and f32 are: take the model's full weights",
                          quote(directory), quote(missing[0])));
}

namespace {

// What is wrong with a tensor that is stored in full; empty if nothing is.
std::string fault_of_stored(const PublishedTensors& published, const NeededTensor& need) {
  const std::string name = published.published_name(need.name);
  const StoredTensor* stored = published.find(need.name);
  if (stored == nullptr) {
    const SkippedTensor* other = published.checkpoint().find_skipped(name);
    return other == nullptr ? fmt::format("{} is missing", name)
                            : fmt::format("{} is {}, which is not read", name, other->stored_type);
  }
  if (stored->shape == need.shape) return {};
  return fmt::format("{} is [{}] where config.json asks for [{}]", name,
                     fmt::join(stored->shape, ", "), fmt::join(need.shape, ", "));
}

// The same for the integers and the scales of a matrix that config.json says is quantised.
std::string fault_of_quantised(const PublishedTensors& published, const NeededTensor& need,
                               LinearFormat format) {
  const int64_t rows = need.shape[0], cols = need.shape[1];
  const std::string name = published.published_name(need.name);
  const std::string_view type = format == LinearFormat::kInt4 ? "U8" : "I8";
  const std::vector<int64_t> shape{rows, value_bytes(format, cols)};
  const std::vector<int64_t> of_scales{rows, cols / group_of(format)};
  if (const StoredTensor* full = published.find(need.name)) {
    return fmt::format("{} is {}, but config.json says that it is {}", name, name_of(full->dtype),
                       name_of(format));
  }
  const SkippedTensor* values = published.checkpoint().find_skipped(name);
  if (values == nullptr) return fmt::format("{} is missing", name);
  if (values->stored_type != type || values->shape != shape ||
      values->bytes != rows * value_bytes(format, cols)) {
    return fmt::format("{} is {} [{}] where config.json asks for {}, {} [{}]", name,
                       values->stored_type, fmt::join(values->shape, ", "), name_of(format), type,
                       fmt::join(shape, ", "));
  }
  const StoredTensor* scales = published.find(scale_name(need.name));
  if (scales == nullptr) return fmt::format("{} is missing", scale_name(name));
  if (scales->dtype == DType::kBf16 && scales->shape == of_scales) return {};
  return fmt::format("{} is {} [{}] where config.json asks for bf16 [{}]", scale_name(name),
                     name_of(scales->dtype), fmt::join(scales->shape, ", "),
                     fmt::join(of_scales, ", "));
}

std::string fault_of(const PublishedTensors& published, const NeededTensor& need,
                     const LoadFormats& formats) {
  const LinearFormat format = format_for(formats.loaded, need.fewest);
  if (format != LinearFormat::kStored && need.shape[1] % group_of(format) != 0) {
    return fmt::format("{} has {} columns, which do not divide into groups of {}: it cannot be {}",
                       published.published_name(need.name), need.shape[1], group_of(format),
                       name_of(format));
  }
  return format_for(formats.in_files, need.fewest) == LinearFormat::kStored
             ? fault_of_stored(published, need)
             : fault_of_quantised(published, need, format);
}

}  // namespace

void check_tensors(const PublishedTensors& published, const std::vector<NeededTensor>& needed,
                   const std::string& directory, const LoadFormats& formats) {
  std::vector<std::string> faults, missing;
  std::vector<NeededTensor> pieces;
  for (const NeededTensor& need : needed) {
    for (NeededTensor& piece : published.pieces_of(need)) pieces.push_back(std::move(piece));
  }
  size_t count = 0;
  for (const NeededTensor& need : pieces) {
    if (formats.in_files == LinearFormat::kStored && published.find(need.name) == nullptr) {
      missing.push_back(published.published_name(need.name));
    }
    const std::string fault = fault_of(published, need, formats);
    if (fault.empty()) continue;
    if (++count <= kNamedInOneMessage) faults.push_back(fault);
  }
  if (count == 0) return;
  refuse_other_weights(published, missing, directory);
  std::string sentence = fmt::format("{}: {} of {} tensors do not fit: {}", quote(directory), count,
                                     pieces.size(), fmt::join(faults, "; "));
  if (count > faults.size()) sentence += fmt::format("; and {} more", count - faults.size());
  throw Error(ErrorKind::kData, sentence);
}

}  // namespace bifrons
