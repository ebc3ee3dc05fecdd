// A toy model in lanes (the continuous batch), and pictures that differ in all settings.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/engine/lanes.h"
#include "src/engine/spans.h"
#include "src/model/model.h"
#include "src/weights/checkpoint.h"
#include "tests/support/golden.h"

namespace bifrons::testing {

struct LaneToy {
  static constexpr std::string_view kInt8 = "+int8";

  Backend& backend;
  Config config;
  std::unique_ptr<Model> model;

  // A name that ends in "+int8" is that model with its KV cache in 8 bits.
  LaneToy(Backend& b, std::string name) : backend(b) {
    const bool int8_kv = name.ends_with(kInt8);
    if (int8_kv) name.resize(name.size() - kInt8.size());
    const std::string directory = golden::directory() + name;
    config = read_config(directory);
    model = load_model(backend, config, Checkpoint::open(directory), directory);
    model->transformer.set_int8_kv(int8_kv);
  }
  LaneToy(Backend& b, const Config& c, std::unique_ptr<Model> m)
      : backend(b), config(c), model(std::move(m)) {}
  Lanes lanes(bool as_device) {
    return Lanes(backend, config, model->transformer, model->image_head, RopeMode::kF32, as_device);
  }
  // Picture `id`: lengths, ids and settings all differ; pictures 0, 3, 6 and 9 share a prefix.
  LanePicture picture(uint64_t id) const {
    const size_t length = 5 + 7 * (id % 5) % 31;
    LanePicture p;
    p.id = id;
    p.prompt.prompted.assign(length, 5);
    p.prompt.unprompted.assign(length, 7);
    if (id % 3 != 0) p.prompt.prompted[1] = static_cast<int32_t>(20 + id);
    p.prompt.prompted.back() = p.prompt.unprompted.back() = 11;
    p.prompt.seed = id << 33 | id;
    p.prompt.guidance = 1.0f + static_cast<float>(id);
    p.prompt.temperature = id % 4 == 3 ? 0.0f : 1.0f;
    p.prompt.top_k = static_cast<int32_t>(id % 3 * 5);
    p.prompt.top_p = id % 2 == 0 ? 1.0f : 0.8f;
    for (int64_t t = 0; id % 5 == 2 && t < config.image_tokens(); ++t) {
      p.prompt.fixed.push_back(t % 3 == 1 ? static_cast<int32_t>(id + t) : -1);
    }
    return p;
  }
  // The same with a third row between the two.
  LanePicture of_three_rows(uint64_t id) const {
    LanePicture p = picture(id);
    p.prompt.further.push_back(p.prompt.prompted);
    std::vector<int32_t>& part = p.prompt.further.front();
    std::fill(part.begin() + static_cast<int64_t>(part.size() / 2), part.end() - 1, 9);
    const double weight = static_cast<double>(id % 4);
    auto spans = std::make_shared<SpannedPrompt>();
    spans->shares = {1 / (1 + weight), weight / (1 + weight)};
    p.prompt.spans = spans;
    return p;
  }
  std::vector<int32_t> alone(const LanePicture& picture) {
    Lanes one = lanes(false);
    one.reserve(1, 0, picture.prompt.row_count());
    one.make_room(static_cast<int64_t>(picture.prompt.prompted.size()));
    std::vector<LanePicture> entering;
    entering.push_back(picture);
    one.admit(std::move(entering));
    for (int64_t i = 1; i < config.image_tokens(); ++i) one.step();
    return one.take_finished().at(0).codes;
  }
};

// The name of a test on such a model.
inline std::string test_name_of(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '+'; }, '_');
  return name;
}

}  // namespace bifrons::testing
