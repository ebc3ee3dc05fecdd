// The drawing loop (spec 4.4) over lanes: rows 2 i and 2 i + 1 are picture i.
#include "src/engine/generator.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/model/rope.h"

namespace bifrons {

struct Generator::Step {
  Buffer storage;
  TokenRows rows;           // slot and position of the 2 P rows of a step
  SampleControls controls;  // per picture
  Tensor guidance;          // f32 [P]
  Tensor fixed;             // i32 [P, image_tokens]; -1 is drawn
};

Generator::Generator(Backend& backend, const Config& config, const Transformer& transformer,
                     const ImageFace& face, RopeMode rope)
    : b_(backend),
      config_(config),
      transformer_(transformer),
      face_(face),
      inverse_frequency_(inverse_frequencies(config.transformer.rope_theta,
                                             config.transformer.head_dim,
                                             rope == RopeMode::kBf16)) {}

void Generator::reserve(int64_t pictures, int64_t capacity) {
  if (pictures > pictures_ || capacity > memory_.capacity) {
    pictures_ = std::max(pictures, pictures_);
    capacity = std::max(capacity, memory_.capacity);
    memory_ = {};  // the old one goes first, so that the peak is the new size alone
    memory_ = transformer_.make_memory(b_, 2 * pictures_, capacity, inverse_frequency_);
  } else if (activations_.storage.data() != nullptr) {
    return;
  }
  const int64_t rows = std::max(kPrefillRows, 2 * pictures_);
  activations_ = transformer_.make_activations(b_, rows);
  inputs_ = b_.allocate(rows * config_.transformer.hidden * size_of(transformer_.activation()));
  rows_ = b_.allocate(3 * rows * size_of(DType::kI32));
}

Generator::Step Generator::make_step(std::span<const GuidedPrompt> pictures) {
  const int64_t n = static_cast<int64_t>(pictures.size());
  Step step;
  const int64_t tokens = config_.image_tokens();
  step.storage = b_.allocate((11 + tokens) * n * 4);
  int64_t offset = 0;
  const auto put = [&](DType dtype, std::initializer_list<int64_t> shape, const auto& values) {
    const Tensor t = step.storage.view(dtype, shape, offset);
    offset += t.bytes();
    b_.upload(t, values.data());
    return t;
  };

  std::vector<int32_t> slot, position, top_k, seed, fixed;
  std::vector<float> temperature, top_p, guidance;
  for (const GuidedPrompt& p : pictures) {
    for (int row = 0; row < 2; ++row) {
      slot.push_back(static_cast<int32_t>(slot.size()));
      position.push_back(static_cast<int32_t>(p.prompted.size()));
    }
    top_k.push_back(p.top_k);
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(p.seed)));
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(p.seed >> 32)));
    temperature.push_back(p.temperature);
    top_p.push_back(p.top_p);
    guidance.push_back(p.guidance);
    fixed.insert(fixed.end(), p.fixed.begin(), p.fixed.end());
    if (p.fixed.empty()) fixed.insert(fixed.end(), tokens, -1);
  }
  step.rows.slot = put(DType::kI32, {2 * n}, slot);
  step.rows.position = put(DType::kI32, {2 * n}, position);
  step.controls.top_k = put(DType::kI32, {n}, top_k);
  step.controls.seed = put(DType::kI32, {n, 2}, seed);
  step.controls.temperature = put(DType::kF32, {n}, temperature);
  step.controls.top_p = put(DType::kF32, {n}, top_p);
  step.guidance = put(DType::kF32, {n}, guidance);
  step.fixed = put(DType::kI32, {n, tokens}, fixed);
  step.controls.step = put(DType::kI32, {n}, std::vector<int32_t>(n, 0));
  return step;
}

void Generator::prefill(std::span<const GuidedPrompt> pictures) {
  struct Row {
    int32_t id, slot, position;
    bool last;
  };
  std::vector<Row> all;
  for (size_t i = 0; i < 2 * pictures.size(); ++i) {
    const GuidedPrompt& p = pictures[i / 2];
    const std::vector<int32_t>& ids = i % 2 == 0 ? p.prompted : p.unprompted;
    for (size_t t = 0; t < ids.size(); ++t) {
      all.push_back({ids[t], static_cast<int32_t>(i), static_cast<int32_t>(t),
                     t + 1 == ids.size()});
    }
  }

  const int64_t limit = activations_.normed.rows();
  const int64_t hidden = config_.transformer.hidden;
  for (size_t begin = 0; begin < all.size(); begin += limit) {
    const int64_t n = std::min<int64_t>(limit, all.size() - begin);
    std::vector<int32_t> ids(n), slots(n), positions(n);
    for (int64_t i = 0; i < n; ++i) {
      const Row& row = all[begin + i];
      ids[i] = row.id;
      slots[i] = row.slot;
      positions[i] = row.position;
    }
    const auto put = [&](int64_t part, const std::vector<int32_t>& values) {
      const Tensor t = rows_.view(DType::kI32, {n}, part * limit * size_of(DType::kI32));
      b_.upload(t, values.data());
      return t;
    };
    const Tensor id = put(0, ids);
    const TokenRows rows{put(1, slots), put(2, positions)};
    const Tensor x = inputs_.view(transformer_.activation(), {n, hidden});
    b_.gather(x, transformer_.weights().token_embedding, id);
    transformer_.forward(b_, x, rows, memory_, activations_);
    for (int64_t i = 0; i < n; ++i) {
      const Row& row = all[begin + i];
      if (!row.last) continue;
      b_.rms_norm(face_activations_.hidden.slice_rows(row.slot, 1), x.slice_rows(i, 1),
                  transformer_.weights().final_norm, config_.transformer.norm_eps);
    }
  }
}

void Generator::collect(std::vector<std::vector<int32_t>>& codes, int64_t token) {
  std::vector<int32_t> ids(2 * codes.size());
  b_.download(ids.data(), face_activations_.ids);
  for (size_t i = 0; i < codes.size(); ++i) {
    if (ids[2 * i] < 0) {
      throw Error(ErrorKind::kData,
                  fmt::format("the model's numbers stop being finite at image token {}: its weights "
                              "are damaged",
                              token));
    }
    codes[i].push_back(ids[2 * i]);
  }
}

std::vector<std::vector<int32_t>> Generator::draw(std::span<const GuidedPrompt> pictures,
                                                  const Progress& progress) {
  const int64_t n = static_cast<int64_t>(pictures.size()), tokens = config_.image_tokens();
  std::vector<std::vector<int32_t>> codes(n);
  if (n == 0) return codes;
  int64_t longest = 0;
  for (const GuidedPrompt& p : pictures) {
    const int64_t length = static_cast<int64_t>(p.prompted.size());
    check(p.prompted.size() == p.unprompted.size(), "draw: both rows have one length");
    if (length + tokens - 1 > config_.transformer.max_positions) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("the prompt has {} tokens, but this model takes at most {}", length,
                              config_.transformer.max_positions - tokens + 1));
    }
    longest = std::max(longest, length);
  }

  reserve(n, longest + tokens - 1);
  face_activations_ = face_.make_activations(b_, n);
  const Step step = make_step(pictures);
  const Tensor x =
      inputs_.view(transformer_.activation(), {2 * n, config_.transformer.hidden});
  prefill(pictures);
  for (int64_t token = 0; token < tokens; ++token) {
    face_.draw_codes(b_, face_activations_, step.guidance, step.controls);
    b_.keep(face_activations_.ids, step.fixed, step.controls.step);
    collect(codes, token);
    if (progress && !progress(token + 1, tokens)) {
      throw Error(ErrorKind::kInterrupted, "interrupted");
    }
    if (token + 1 == tokens) break;
    face_.embed_codes(b_, x, face_activations_);
    transformer_.forward(b_, x, step.rows, memory_, activations_);
    b_.rms_norm(face_activations_.hidden, x, transformer_.weights().final_norm,
                config_.transformer.norm_eps);
    b_.advance(step.rows.position);
    b_.advance(step.controls.step);
  }
  return codes;
}

}  // namespace bifrons
