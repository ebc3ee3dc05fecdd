// A toy model with quantised weights, and drawing with it in lanes and windows.
#pragma once

#include <map>

#include "tests/engine/lane_toy.h"

namespace bifrons::testing {

// The visual tokenizer of a toy, and layers whose columns divide into groups of both formats.
inline Config quantised_config(LinearFormat format, int64_t layers = 2) {
  Config config = read_config(golden::directory() + "toy-f32");
  TransformerConfig& t = config.transformer;
  t.hidden = config.image_token_embed = config.gen_aligner_width = 128;
  t.intermediate = 256;
  t.heads = 2;
  t.kv_heads = 1;
  t.head_dim = 64;
  t.layers = layers;
  config.tower.reset();
  config.loaded = format;
  return config;
}

inline LaneToy quantised_toy(Backend& b, LinearFormat format, int64_t layers = 2) {
  const Config config = quantised_config(format, layers);
  return {b, config, random_model(b, config, DType::kBf16, 7)};
}

// Draws pictures that enter one by one, in windows of `width` columns. as_device: as Lanes.
inline std::map<uint64_t, std::vector<int32_t>> draw_in_lanes(LaneToy& toy, uint64_t pictures,
                                                              int64_t count, int64_t width,
                                                              bool as_device) {
  Lanes lanes = toy.lanes(as_device);
  lanes.reserve(count, count * width);
  lanes.set_width(width);
  std::map<uint64_t, std::vector<int32_t>> codes;
  uint64_t next = 0;
  for (int64_t step = 0; codes.size() < pictures; ++step) {
    if (next < pictures && lanes.busy() < count && (step % 3 != 1 || lanes.busy() == 0)) {
      std::vector<LanePicture> entering;
      entering.push_back(toy.picture(next++));
      lanes.admit(std::move(entering));
    }
    for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
    if (lanes.busy() == 0) continue;
    lanes.step();
    for (LanePicture& p : lanes.take_finished()) codes[p.id] = std::move(p.codes);
  }
  return codes;
}

}  // namespace bifrons::testing
