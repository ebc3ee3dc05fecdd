// Engine: a model directory opened on a backend, requests in, pictures out.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "src/bifrons.h"
#include "src/engine/generator.h"
#include "src/engine/memory_plan.h"
#include "src/engine/open_device.h"
#include "src/io/quote.h"
#include "src/model/model.h"
#include "src/tokenizer/prompt.h"
#include "src/tokenizer/tokenizer.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

// FNV-1a over every tensor's name, dtype and shape and the bytes of a few: tells checkpoints apart
// without reading gigabytes.
std::string hash_checkpoint(const Checkpoint& checkpoint) {
  uint64_t hash = 0xcbf29ce484222325ull;
  const auto mix = [&hash](const void* data, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3ull;
    }
  };
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    mix(tensor.name.data(), tensor.name.size());
    mix(&tensor.dtype, sizeof tensor.dtype);
    mix(tensor.shape.data(), tensor.shape.size() * sizeof(int64_t));
    mix(tensor.data, static_cast<size_t>(std::min<int64_t>(tensor.bytes, 64)));
  }
  return fmt::format("{:016x}", hash);
}

std::string last_part(const std::string& directory) {
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(directory, ignored);
  return path.filename().empty() ? directory : path.filename().string();
}

}  // namespace

struct Engine::State {
  EngineOptions options;
  ModelInfo info;
  Config config;
  std::string fallback;
  std::unique_ptr<Backend> backend;  // outlives everything that holds its buffers
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Model> model;
  std::unique_ptr<Generator> generator;
  Buffer codes;   // i32 [image_tokens]
  Buffer pixels;  // u8 [size, size, 3]

  Picture decode(std::span<const int32_t> tokens);
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const EngineOptions& options) {
  auto s = std::make_unique<State>();
  s->options = options;
  s->config = read_config(options.model);
  s->tokenizer = std::make_unique<Tokenizer>(Tokenizer::open(options.model));
  if (s->tokenizer->size() > s->config.transformer.vocabulary) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: tokenizer.json has {} tokens, but config.json's vocab_size is {}",
                            quote(options.model), s->tokenizer->size(),
                            s->config.transformer.vocabulary));
  }
  const Checkpoint checkpoint = Checkpoint::open(options.model);
  OpenDevice opened = open_device(options.device, options.threads);
  s->backend = std::move(opened.backend);
  s->fallback = std::move(opened.fallback);
  check_fits(s->backend->free_bytes(), s->config,
             weights_dtype(PublishedTensors(checkpoint), options.model),
             std::max(1, options.pictures_at_once));
  s->model = load_model(*s->backend, s->config, checkpoint, options.model);
  s->generator = std::make_unique<Generator>(*s->backend, s->config, s->model->transformer,
                                             s->model->face, options.rope);
  const int64_t tokens = s->config.image_tokens(), size = s->model->decoder.image_size();
  s->codes = s->backend->allocate(tokens * size_of(DType::kI32));
  s->pixels = s->backend->allocate(size * size * 3);

  const PublishedTensors published(checkpoint);
  s->info = {.name = last_part(options.model),
             .directory = options.model,
             .weights_hash = hash_checkpoint(checkpoint),
             .form = published.hugging_face() ? "hugging face" : "original",
             .weights_dtype = std::string(name_of(weights_dtype(published, options.model))),
             .image_size = size,
             .image_tokens = tokens,
             .codebook = s->config.vq.codebook};
  return Engine(std::move(s));
}

const ModelInfo& Engine::model() const { return state_->info; }

std::string Engine::device() const {
  return fmt::format("{} {}", state_->backend->name(), state_->backend->description());
}

const std::string& Engine::fallback() const { return state_->fallback; }

Picture Engine::State::decode(std::span<const int32_t> tokens) {
  const int64_t n = config.image_tokens(), size = model->decoder.image_size();
  const Tensor code = codes.view(DType::kI32, {n});
  const Tensor pixel = pixels.view(DType::kU8, {size, size, 3});
  backend->upload(code, tokens.data());
  model->decoder.decode(*backend, pixel, code);
  Picture picture{size, size, std::vector<uint8_t>(size * size * 3)};
  backend->download(picture.rgb.data(), pixel);
  return picture;
}

Picture Engine::decode(std::span<const int32_t> tokens) {
  const ModelInfo& info = state_->info;
  if (static_cast<int64_t>(tokens.size()) != info.image_tokens) {
    throw Error(ErrorKind::kData, fmt::format("{} tokens, but a picture of this model has {}",
                                              tokens.size(), info.image_tokens));
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= info.codebook) {
      throw Error(ErrorKind::kData, fmt::format("token {} is {}, but codes run from 0 to {}", i,
                                                tokens[i], info.codebook - 1));
    }
  }
  return state_->decode(tokens);
}

std::vector<Drawing> Engine::draw(std::span<const DrawRequest> requests, const Progress& progress) {
  State& s = *state_;
  std::vector<GuidedPrompt> prompts;
  for (const DrawRequest& r : requests) {
    GuidedPrompt p;
    p.prompted = drawing_prompt(*s.tokenizer, r.prompt, r.allow_special);
    p.unprompted = unguided_prompt(*s.tokenizer, p.prompted, r.negative_prompt.value_or(""));
    p.seed = r.seed;
    p.guidance = static_cast<float>(r.guidance);
    p.temperature = static_cast<float>(r.temperature);
    p.top_k = static_cast<int32_t>(std::min<int64_t>(r.top_k, s.config.vq.codebook));
    p.top_p = static_cast<float>(r.top_p);
    prompts.push_back(std::move(p));
  }

  const size_t at_once = std::max(1, s.options.pictures_at_once);
  const int64_t tokens = s.config.image_tokens();
  std::vector<Drawing> drawings;
  for (size_t begin = 0; begin < prompts.size(); begin += at_once) {
    const size_t n = std::min(at_once, prompts.size() - begin);
    const auto start = std::chrono::steady_clock::now();
    Progress scaled;
    if (progress) {
      scaled = [&](int64_t done, int64_t) {
        return progress(static_cast<int64_t>(begin) * tokens + done * static_cast<int64_t>(n),
                        static_cast<int64_t>(prompts.size()) * tokens);
      };
    }
    auto codes = s.generator->draw(std::span(prompts).subspan(begin, n), scaled);
    for (auto& c : codes) {
      Drawing drawing{s.decode(c), std::move(c), 0};
      drawings.push_back(std::move(drawing));
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (size_t i = begin; i < begin + n; ++i) drawings[i].seconds = took.count() / n;
  }
  return drawings;
}

std::vector<int32_t> tokenize(const std::string& directory, std::string_view text) {
  return Tokenizer::open(directory).encode_with_bos(text, SpecialTokens::kMatch);
}

}  // namespace bifrons
