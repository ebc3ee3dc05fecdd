// Text decoder: prefill with pictures, then one row per decode step, in sequence 0 of its own KV
// cache.
#include "src/engine/text_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "src/model/rope.h"

namespace bifrons {
namespace {

constexpr int64_t kCapacityStep = 1024;  // the cache grows by this many positions

// Settings of one sampling, uploaded at once.
struct ControlWords {
  float temperature, top_p;
  int32_t top_k, step;
  uint32_t seed[2];  // low and high
};

}  // namespace

void refuse_damaged_reply() {
  throw Error(ErrorKind::kData,
              "the model's numbers stop being finite while it reads: its weights are damaged");
}

TextDecoder::TextDecoder(const Engine::Parts& parts, UnderstandingModel& understanding)
    : b_(parts.backend),
      config_(parts.config.transformer),
      transformer_(parts.transformer),
      understanding_(understanding),
      inverse_frequency_(
          inverse_frequencies(config_.rope_theta, config_.head_dim, parts.rope == RopeMode::kBf16)),
      prefill_(b_, transformer_) {
  const int64_t row = config_.hidden * size_of(transformer_.activation());
  prefill_.reserve(kPrefillRows);
  controls_ = b_.allocate(sizeof(ControlWords));
  token_ = b_.allocate(3 * size_of(DType::kI32));
  input_ = b_.allocate(row);
  hidden_ = b_.allocate(row);
  logits_ = b_.allocate(config_.vocabulary * size_of(DType::kF32));
  ids_ = b_.allocate(2 * size_of(DType::kI32));
}

std::vector<int64_t> TextDecoder::keys_of(const ChatPrompt& prompt,
                                          std::span<const SeenPicture> pictures) const {
  const int64_t tokens = understanding_.tower().config().tokens();
  std::vector<int64_t> keys(prompt.ids.begin(), prompt.ids.end());
  for (size_t i = 0; i < prompt.pictures.size(); ++i) {
    for (int64_t t = 0; t < tokens; ++t) {
      keys[prompt.pictures[i] + t] = -(pictures[i].serial * tokens + t);
    }
  }
  return keys;
}

void TextDecoder::reserve(int64_t capacity) {
  if (capacity <= memory_.capacity) return;
  keys_.clear();
  step_.reset();
  memory_ = {};  // the old memory is freed first, so that the peak is only the new size
  const int64_t whole = (capacity + kCapacityStep - 1) / kCapacityStep * kCapacityStep;
  memory_ =
      transformer_.make_memory(b_, 1, std::min(whole, config_.max_positions), inverse_frequency_);
}

void TextDecoder::check_length(const ChatPrompt& prompt) const {
  const int64_t length = static_cast<int64_t>(prompt.ids.size());
  if (length <= config_.max_positions) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("the conversation has {} tokens, but this model takes at most {}", length,
                          config_.max_positions));
}

int64_t TextDecoder::prefill(const ChatPrompt& prompt, std::span<const SeenPicture> pictures,
                             int64_t more) {
  check(prompt.pictures.size() == pictures.size(), "prefill: one picture for each placeholder");
  check_length(prompt);
  const int64_t length = static_cast<int64_t>(prompt.ids.size());
  reserve(std::min(length + more, config_.max_positions));
  std::vector<int64_t> keys = keys_of(prompt, pictures);
  const auto [mine, theirs] = std::mismatch(keys_.begin(), keys_.end(), keys.begin(), keys.end());
  // The last row is always run, because its logits are needed.
  const int64_t shared = std::min<int64_t>(mine - keys_.begin(), length - 1);

  keys_.resize(shared);  // the rest is overwritten; if that throws, no wrong keys remain
  const int64_t rows = length - shared;
  // The buffer is kept from call to call: a device frees memory only when all of its work is done.
  const int64_t bytes = rows * config_.hidden * size_of(transformer_.activation());
  if (prompt_.bytes() < bytes) {
    prompt_ = {};
    prompt_ = b_.allocate(bytes);
  }
  const Tensor x = prompt_.view(transformer_.activation(), {rows, config_.hidden});
  std::vector<PrefillRow> tokens;
  for (int64_t t = shared; t < length; ++t) {
    tokens.push_back({prompt.ids[t], 0, static_cast<int32_t>(t)});
  }
  embed(x, tokens, prompt, pictures, shared);
  prefill_.forward(x, tokens, memory_);
  compute_logits(x.slice_rows(rows - 1, 1));
  keys_ = std::move(keys);
  return shared;
}

// Embeds the rows of the prompt from `first` on: the tokens' embeddings, then the pictures' over
// their placeholders.
void TextDecoder::embed(const Tensor& x, std::span<const PrefillRow> rows, const ChatPrompt& prompt,
                        std::span<const SeenPicture> pictures, int64_t first) {
  prefill_.embed(x, rows);
  const int64_t tokens = understanding_.tower().config().tokens();
  for (size_t i = 0; i < pictures.size(); ++i) {
    const int64_t at = prompt.pictures[i] - first;
    if (at < 0) continue;  // its keys match all or none, so it is in the cache as a whole
    embed_picture(x.slice_rows(at, tokens), pictures[i]);
  }
}

void TextDecoder::embed_picture(const Tensor& rows, const SeenPicture& picture) {
  const Tensor patches = understanding_.tower().patches();
  if (patches.dtype == DType::kBf16) {
    std::vector<Bf16> rounded(picture.patches.size());
    std::transform(picture.patches.begin(), picture.patches.end(), rounded.begin(),
                   [](float v) { return to_bf16(v); });
    b_.upload(patches, rounded.data());
  } else {
    b_.upload(patches, picture.patches.data());
  }
  understanding_.encode_image(b_, rows);
}

void TextDecoder::compute_logits(const Tensor& last_row) {
  const Tensor hidden = hidden_.view(transformer_.activation(), {1, config_.hidden});
  b_.rms_norm(hidden, last_row, transformer_.weights().final_norm, config_.norm_eps);
  understanding_.lm_head(b_, logits_.view(DType::kF32, {1, config_.vocabulary}), hidden);
}

void TextDecoder::append(int32_t token) {
  const auto position = static_cast<int64_t>(keys_.size());
  check(position < memory_.capacity, "append: prefill() made room for fewer tokens");
  // Every upload waits for the device, so there is only one.
  const int32_t words[3] = {token, 0, static_cast<int32_t>(position)};
  b_.upload(token_.view(DType::kI32, {3}), words);
  const auto word = [&](int64_t i) {
    return token_.view(DType::kI32, {1}, i * size_of(DType::kI32));
  };
  const Tensor x = input_.view(transformer_.activation(), {1, config_.hidden});
  // Not part of the captured step: the table may lie in host memory.
  b_.gather(x, transformer_.weights().token_embedding, word(0));
  if (!step_) {
    step_ = b_.capture([this, x, row = TokenRows{word(1), word(2)}] {
      transformer_.forward(b_, x, row, memory_, prefill_.activations());
      compute_logits(x);
    });
  }
  step_->run();
  keys_.push_back(token);
}

int32_t TextDecoder::sample(const ReplyOptions& options, int32_t step) {
  const ControlWords words{
      static_cast<float>(options.temperature),
      static_cast<float>(options.top_p),
      static_cast<int32_t>(std::min(options.top_k, config_.vocabulary)),
      step,
      {static_cast<uint32_t>(options.seed), static_cast<uint32_t>(options.seed >> 32)}};
  b_.upload(controls_.view(DType::kU8, {sizeof(words)}), &words);
  const auto word = [&](DType dtype, std::initializer_list<int64_t> shape, size_t offset) {
    return controls_.view(dtype, shape, static_cast<int64_t>(offset));
  };
  SampleControls controls;
  controls.temperature = word(DType::kF32, {1}, offsetof(ControlWords, temperature));
  controls.top_p = word(DType::kF32, {1}, offsetof(ControlWords, top_p));
  controls.top_k = word(DType::kI32, {1}, offsetof(ControlWords, top_k));
  controls.step = word(DType::kI32, {1}, offsetof(ControlWords, step));
  controls.seed = word(DType::kI32, {1, 2}, offsetof(ControlWords, seed));
  const Tensor ids = ids_.view(DType::kI32, {2});
  b_.sample(ids, logits_.view(DType::kF32, {1, config_.vocabulary}), controls);
  int32_t drawn[2] = {};
  b_.download(drawn, ids);
  if (drawn[0] < 0) refuse_damaged_reply();
  return drawn[0];
}

std::vector<float> TextDecoder::logits() const {
  std::vector<float> values(config_.vocabulary);
  b_.download(values.data(), logits_.view(DType::kF32, {1, config_.vocabulary}));
  return values;
}

}  // namespace bifrons
