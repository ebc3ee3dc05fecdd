// Sums over the same lists and functions that allocate.
#include "src/engine/memory_plan.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "src/engine/lanes.h"
#include "src/model/model.h"

namespace bifrons {
namespace {

int64_t elements_of(const std::vector<NeededTensor>& tensors) {
  int64_t sum = 0;
  for (const NeededTensor& tensor : tensors) {
    int64_t n = 1;
    for (int64_t size : tensor.shape) n *= size;
    sum += n;
  }
  return sum;
}

// What the system could give without swapping, its caches included.
int64_t free_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (int64_t kib = 0; file >> name >> kib && std::getline(file, unit);) {
    if (name == "MemAvailable:") return kib * 1024;
  }
  return std::numeric_limits<int64_t>::max();
}

}  // namespace

std::vector<MemoryItem> memory_plan(const Config& config, DType weights, int64_t pictures,
                                    int64_t prompt_tokens) {
  Model model(config, activation_for(weights));
  const int64_t element = size_of(weights);
  TensorList transformer, face, decoder;
  visit(model.transformer.weights(), config.transformer, transformer);
  visit(model.face.weights(), config, face);
  visit(model.decoder.weights(), config.vq, decoder);

  const int64_t capacity = prompt_tokens + config.image_tokens() - 1;
  const int64_t rows = std::max(kPrefillRows, 2 * pictures);
  const int64_t activations = model.transformer.activation_bytes(rows) +
                              model.face.activation_bytes(pictures) +
                              rows * config.transformer.hidden * size_of(model.activation);
  return {{"transformer", elements_of(transformer.tensors()) * element},
          {"image head and aligner", elements_of(face.tensors()) * element},
          {"visual tokenizer, decoder", elements_of(decoder.tensors()) * element},
          {"keys and values", model.transformer.sequence_bytes(2 * pictures, capacity)},
          {"activations", activations},
          {"decoder's maps", model.decoder.scratch_bytes()}};
}

int lanes_that_fit(const Config& config, DType weights, Place place) {
  constexpr int kHostLanes = 16, kDeviceLanes = 64;
  constexpr int64_t kPromptTokens = 64;
  if (place == Place::kDevice) return kDeviceLanes;
  const int64_t room = free_memory() / 2;
  int lanes = kHostLanes;
  const auto needed = [&](int n) {
    // The weights are there already.
    return total_bytes(memory_plan(config, weights, n, kPromptTokens)) -
           total_bytes(memory_plan(config, weights, 0, kPromptTokens));
  };
  while (lanes > 1 && needed(lanes) > room) lanes /= 2;
  return lanes;
}

int64_t total_bytes(const std::vector<MemoryItem>& plan) {
  int64_t sum = 0;
  for (const MemoryItem& item : plan) sum += item.bytes;
  return sum;
}

}  // namespace bifrons
