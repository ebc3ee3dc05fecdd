// Memory plan: adds up sizes with the same lists and functions that allocate.
#include "src/engine/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "kernels/device_memory.h"
#include "kernels/devices.h"
#include "src/edit.h"
#include "src/engine/lanes.h"
#include "src/model/model.h"
#include "src/model/text_head.h"
#include "src/model/understanding_model.h"

namespace bifrons {
namespace {

// Tokens of the question and of the call to draw again between the spans (reflect.cpp), rounded up.
constexpr int64_t kReflectionWords = 64;

// Bytes of tensors whose elements have `element` bytes where linear layers are not quantised.
int64_t bytes_of(const std::vector<NeededTensor>& tensors, int64_t element, LinearFormat loaded) {
  int64_t sum = 0;
  for (const NeededTensor& tensor : tensors) {
    const LinearFormat format = format_for(loaded, tensor.fewest);
    if (format != LinearFormat::kStored) {
      sum += tensor.shape[0] *
             (value_bytes(format, tensor.shape[1]) + scale_bytes(format, tensor.shape[1]));
      continue;
    }
    int64_t n = 1;
    for (int64_t size : tensor.shape) n *= size;
    sum += n * element;
  }
  return sum;
}

// Bytes of a line of /proc/meminfo, such as "MemAvailable:".
std::optional<int64_t> memory_info(std::string_view wanted) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (int64_t kib = 0; file >> name >> kib && std::getline(file, unit);) {
    if (name == wanted) return kib * 1024;
  }
  return std::nullopt;
}

// Memory that the system could give without swapping (its caches included).
int64_t free_memory() {
  return memory_info("MemAvailable:").value_or(std::numeric_limits<int64_t>::max());
}

// Workspaces of the backends that draw and decode, without those of libraries. An area grows to
// twice its size or to the requested size, and captured steps keep the old areas: together less
// than four times the largest one.
int64_t scratch_on_card(const Config& config, int64_t columns, int64_t rows, int64_t prompt_tokens,
                        int64_t together) {
  const TransformerConfig& t = config.transformer;
  const int64_t capacity = pages_for(prompt_tokens + config.image_tokens() - 1) * kPageTokens;
  const int64_t channels = config.vq.base_channels * config.vq.decoder_multipliers.back();
  const int64_t outputs = std::max(2 * t.intermediate, (t.heads + 2 * t.kv_heads) * t.head_dim);
  return 4 * (std::max({attention_scratch(rows, t.heads, t.head_dim, capacity),
                        sample_scratch(columns, config.vq.codebook), gemm_workspace(rows, outputs),
                        gemm_workspace(2 * columns, config.vq.codebook)}) +
              together * full_attention_scratch(config.image_tokens(), channels, 1));
}

}  // namespace

namespace {

// The text head, which a picture alone does not need, and the rows of the thoughts.
void add_thinking(std::vector<MemoryItem>& plan, const Config& config, DType activation,
                  int64_t element, int64_t pictures) {
  TensorList head;
  TextHead(config).visit_weights(head);
  const int64_t hidden = config.transformer.hidden * size_of(activation);
  const int64_t logits = config.transformer.vocabulary * size_of(DType::kF32);
  plan.push_back({"text head", bytes_of(head.tensors(), element, config.loaded)});
  plan.push_back({"thoughts", pictures * (2 * hidden + logits)});
}

MemoryItem encoder_item(const Config& config, DType activation, int64_t element) {
  VqEncoder encoder(config.vq, config.grid, activation);
  TensorList weights;
  visit(encoder.weights(), config.vq, weights);
  return {"visual tokenizer, encoder",
          bytes_of(weights.tensors(), element, config.loaded) + encoder.scratch_bytes()};
}

// The networks that look at the picture to change, and the picture as rows of prompts.
void add_editing(std::vector<MemoryItem>& plan, const Config& config, DType activation,
                 int64_t element, const EditStyle& style, int64_t pictures) {
  int64_t rows = 0;
  if (style.takes("{codes}")) {
    plan.push_back(encoder_item(config, activation, element));
    rows += config.image_tokens();
  }
  if (style.takes("{features}")) {
    UnderstandingModel seeing(config, activation);
    TensorList weights;
    seeing.visit_weights(weights);
    plan.push_back({"vision tower, aligner, text head",
                    bytes_of(weights.tensors(), element, config.loaded) + seeing.scratch_bytes()});
    rows += config.tower->tokens();
  }
  plan.push_back({"pictures in prompts", std::max<int64_t>(1, pictures) * rows *
                                             config.transformer.hidden * size_of(activation)});
}

// The networks and the conversation that judge a picture, and the picture in the next prompt.
void add_reflecting(std::vector<MemoryItem>& plan, const Config& config, PlanFormats formats,
                    int64_t prompt_tokens) {
  const DType activation = activation_for(formats.stored);
  plan.push_back(encoder_item(config, activation, size_of(formats.stored)));
  const int64_t conversation =
      prompt_tokens + std::max<int64_t>(0, config.tower->tokens() - config.image_tokens());
  plan.push_back(
      {"judge of pictures", total_bytes(understanding_plan(config, formats, conversation))});
  plan.push_back({"pictures in prompts",
                  config.image_tokens() * config.transformer.hidden * size_of(activation)});
}

}  // namespace

PlannedRows planned_rows(const Config& config, const PlannedPictures& planned) {
  PlannedRows shape{2, planned.prompt_tokens};
  if (const EditStyle* style = planned.edit) {
    shape.rows = style->part_row ? 3 : 2;
    if (style->takes("{codes}")) shape.prompt_tokens += config.image_tokens();
    if (style->takes("{features}") && config.tower) shape.prompt_tokens += config.tower->tokens();
  }
  if (planned.reflects > 0) {
    shape.prompt_tokens += config.image_tokens() + planned.reflects + kReflectionWords;
  }
  const int64_t most = config.transformer.max_positions - config.image_tokens() + 1;
  shape.prompt_tokens = std::clamp<int64_t>(shape.prompt_tokens, 1, std::max<int64_t>(1, most));
  return shape;
}

std::vector<MemoryItem> memory_plan(const Config& config, PlanFormats formats, int64_t pictures,
                                    const PlannedPictures& planned, MemorySpace space,
                                    int speculate, int64_t together) {
  const PlannedRows shape = planned_rows(config, planned);
  const int64_t prompt_tokens = shape.prompt_tokens;
  Model model(config, activation_for(formats.stored));
  model.transformer.set_int8_kv(formats.kv == KvFormat::kInt8);
  const int64_t element = size_of(formats.stored);
  TensorList transformer, image_head, decoder;
  visit(model.transformer.weights(), config.transformer, transformer);
  visit(model.image_head.weights(), config, image_head);
  visit(model.decoder.weights(), config.vq, decoder);

  int64_t pages = pages_of_lanes(pictures, prompt_tokens, config.image_tokens(), shape.rows) +
                  spare_lanes(pictures, space == MemorySpace::kDevice);
  if (planned.edit != nullptr && planned.edit->keeps_picture && pictures > 1) {
    pages += (pictures - 1) * ((prompt_tokens - 1) / kPageTokens);  // no row is like another
  }
  const int64_t columns = window_columns(pictures, speculate, space, shape.rows);
  const int64_t rows = std::max(kPrefillRows, shape.rows * columns);
  const int64_t activations = model.transformer.activation_bytes(rows) +
                              model.image_head.activation_bytes(columns, shape.rows) +
                              rows * config.transformer.hidden * size_of(model.activation);
  const bool on_card = space == MemorySpace::kDevice;
  const int64_t embedding = config.transformer.vocabulary * config.transformer.hidden * element;
  const int64_t decoder_weights = bytes_of(decoder.tensors(), element, config.loaded);
  std::vector<MemoryItem> plan = {
      {"text embedding", on_card && embedding > kLargestTableOnCard ? 0 : embedding},
      {"transformer", bytes_of(transformer.tensors(), element, config.loaded) - embedding},
      {"image head and aligner", bytes_of(image_head.tensors(), element, config.loaded)},
      {"visual tokenizer, decoder", decoder_weights},
      {"keys and values", model.transformer.sequence_bytes(pages)},
      {"activations", activations},
      {"decoder's maps", model.decoder.scratch_bytes(together)}};
  if (ImageHead::precomputes_inputs(config, space)) {
    // The aligner stays in the sum, because it is freed only after the table is made.
    plan.push_back(
        {"inputs of every code", ImageHead::precomputed_bytes(config, model.activation)});
  }
  if (on_card) {
    if (formats.stored == DType::kBf16 && !cuda_library().empty()) {
      plan.push_back({"decoder's copy for cuDNN", decoder_weights});
    }
    plan.push_back(
        {"kernels' scratch", scratch_on_card(config, columns, rows, prompt_tokens, together)});
  }
  if (planned.thinks) add_thinking(plan, config, model.activation, element, pictures);
  if (planned.edit != nullptr && config.tower) {
    add_editing(plan, config, model.activation, element, *planned.edit, pictures);
  }
  if (planned.reflects > 0 && config.tower) {
    add_reflecting(plan, config, formats, prompt_tokens);
  }
  return plan;
}

std::vector<MemoryItem> understanding_plan(const Config& config, PlanFormats formats,
                                           int64_t tokens) {
  const DType activation = activation_for(formats.stored);
  Transformer transformer(config.transformer, activation);
  transformer.set_int8_kv(formats.kv == KvFormat::kInt8);
  UnderstandingModel understanding(config, activation);
  TensorList tower, text;
  visit(understanding.tower().weights(), understanding.tower().config(), tower);
  visit(understanding.weights(), config, text);
  const int64_t element = size_of(formats.stored);
  return {{"vision tower", bytes_of(tower.tensors(), element, config.loaded)},
          {"aligner and text head", bytes_of(text.tensors(), element, config.loaded)},
          {"tower's maps", understanding.scratch_bytes()},
          {"rows of a prompt", tokens * config.transformer.hidden * size_of(activation)},
          {"keys and values", transformer.sequence_bytes(pages_for(tokens))}};
}

int lanes_that_fit(std::optional<int64_t> free_bytes, const Config& config, PlanFormats formats,
                   int speculate, const PlannedPictures& planned) {
  constexpr int kHostLanes = 16, kDeviceLanes = 64;
  // Half of a host's free memory is left to other programs; an eighth of a device's is left to
  // libraries.
  const MemorySpace space = free_bytes ? MemorySpace::kDevice : MemorySpace::kHost;
  const int64_t room = free_bytes ? *free_bytes - *free_bytes / 8 : free_memory() / 2;
  const auto needed = [&](int n) {
    // The weights are loaded already, so they are subtracted.
    return total_bytes(memory_plan(config, formats, n, planned, space, speculate)) -
           total_bytes(memory_plan(config, formats, 0, planned, space, speculate));
  };
  int lanes = free_bytes ? kDeviceLanes : kHostLanes;
  while (lanes > 1 && needed(lanes) > room) lanes /= 2;
  return lanes;
}

int64_t decoded_together(int64_t free_bytes, int64_t limit, const Config& config,
                         PlanFormats formats, int64_t lanes, int speculate,
                         const PlannedPictures& planned) {
  const auto plan = [&](int64_t pictures, int64_t together) {
    return total_bytes(
        memory_plan(config, formats, pictures, planned, MemorySpace::kDevice, speculate, together));
  };
  const int64_t one = plan(lanes, 1);
  int64_t spare = (free_bytes - (one - plan(0, 1))) / kShareOfDecoder;
  if (limit > 0) spare = std::min(spare, limit - one);
  int64_t most = std::min(kMostDecodedTogether, lanes);
  while (most > 1 && plan(lanes, most) - one > spare) --most;
  return most;
}

WithinLimit lanes_within(const MemoryLimit& limit, const Config& config, PlanFormats formats,
                         MemorySpace space, int speculate, const PlannedPictures& planned) {
  constexpr int kMost = 4096;
  const auto needed = [&](int64_t n, KvFormat kv) {
    return total_bytes(memory_plan(config, {formats.stored, kv}, n, planned, space, speculate));
  };
  const auto most = [&](KvFormat kv) {
    int fit = 0, over = kMost + 1;
    while (over - fit > 1) {
      const int middle = fit + (over - fit) / 2;
      (needed(middle, kv) <= limit.bytes ? fit : over) = middle;
    }
    return fit;
  };
  if (const int lanes = most(formats.kv); lanes > 0) return {lanes, formats.kv};
  const bool spared = formats.kv == KvFormat::kStored;
  const int64_t int8_bytes = needed(1, KvFormat::kInt8);
  if (spared && limit.int8_kv_if_needed && int8_bytes <= limit.bytes) {
    return {most(KvFormat::kInt8), KvFormat::kInt8};
  }
  std::string advice = "allow more, or take a smaller model";
  if (spared && int8_bytes <= limit.bytes) advice = "--kv int8 would fit";
  throw Error(
      ErrorKind::kUnavailable,
      fmt::format("--max-memory allows {} bytes, but drawing one picture needs {} bytes{}; "
                  "{}",
                  limit.bytes, needed(1, formats.kv),
                  spared ? fmt::format(", and {} with --kv int8", int8_bytes) : "", advice));
}

namespace {

// What a refusal says of the first format of weights with which drawing would fit; empty where
// there is none.
std::string lighter_weights(int64_t free_bytes, Config config, PlanFormats formats,
                            int64_t pictures, int speculate, const PlannedPictures& planned,
                            MemorySpace space) {
  if (config.loaded != LinearFormat::kStored) return {};
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    config.loaded = format;
    if (!divides_into_groups(config)) continue;
    const int64_t bytes =
        total_bytes(memory_plan(config, formats, pictures, planned, space, speculate));
    if (bytes > free_bytes) continue;
    return fmt::format("; with --weights {} it needs {} bytes, which would fit", name_of(format),
                       bytes);
  }
  return {};
}

}  // namespace

std::optional<int64_t> obtainable_memory() {
  const auto available = memory_info("MemAvailable:");
  if (!available) return std::nullopt;
  const int64_t all = *available + memory_info("SwapFree:").value_or(0);
  int64_t limit = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && limit > 0) {
    return std::min(all, limit);  // "max" is no number
  }
  return all;
}

void check_fits(std::optional<int64_t> free_bytes, const Config& config, PlanFormats formats,
                int64_t pictures, int speculate, const PlannedPictures& planned,
                MemorySpace space) {
  if (!free_bytes) return;
  const bool on_host = space == MemorySpace::kHost;
  const auto needed_with = [&](PlanFormats kept, int64_t n, int width) {
    return total_bytes(memory_plan(config, kept, n, planned, space, width));
  };
  const auto needed = [&](int64_t n, int width) { return needed_with(formats, n, width); };
  if (needed(pictures, speculate) <= *free_bytes) return;
  int64_t fit = pictures - 1;
  while (fit > 0 && needed(fit, speculate) > *free_bytes) --fit;
  int width = speculate;
  while (width > 1 && needed(pictures, width) > *free_bytes) --width;
  std::string advice = fmt::format(
      "this model takes {} bytes for one picture: close other programs on the GPU, take a smaller "
      "model, or another device (--device)",
      needed(1, 1));
  if (on_host) advice = "close other programs, or take a smaller model";
  if (fit > 0) advice = fmt::format("{} at once would fit", fit);
  if (width > 1) advice = fmt::format("--speculate {} would fit", width);
  if (width == 1 && speculate > 1 && needed(pictures, 1) <= *free_bytes) {
    advice = "--speculate off would fit";
  }
  if (formats.kv == KvFormat::kStored) {
    const int64_t int8_bytes = needed_with({formats.stored, KvFormat::kInt8}, pictures, speculate);
    if (int8_bytes <= *free_bytes) {
      advice += fmt::format("; with --kv int8 it needs {} bytes, which would fit", int8_bytes);
    }
  }
  if (fit == 0)
    advice += lighter_weights(*free_bytes, config, formats, pictures, speculate, planned, space);
  throw Error(
      ErrorKind::kUnavailable,
      fmt::format("{} {} bytes{}, but drawing {} needs {} bytes; {}",
                  on_host ? "this machine can give" : "the GPU has", *free_bytes,
                  on_host ? " of memory" : " free",
                  pictures == 1 ? "a picture" : fmt::format("{} pictures at once", pictures),
                  needed(pictures, speculate), advice));
}

bool divides_into_groups(const Config& config) {
  TensorList list;
  Model(config, DType::kF32).visit_weights(list);
  for (const NeededTensor& tensor : list.tensors()) {
    const LinearFormat format = format_for(config.loaded, tensor.fewest);
    if (format != LinearFormat::kStored && tensor.shape[1] % group_of(format) != 0) return false;
  }
  return true;
}

int64_t total_bytes(const std::vector<MemoryItem>& plan) {
  int64_t sum = 0;
  for (const MemoryItem& item : plan) sum += item.bytes;
  return sum;
}

}  // namespace bifrons
