// Engine: opens a model directory on a backend; requests in, pictures out.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <thread>
#include <utility>

#include "src/bifrons.h"
#include "src/engine/memory_plan.h"
#include "src/engine/open_device.h"
#include "src/engine/parts.h"
#include "src/engine/picture_decoder.h"
#include "src/engine/scheduler.h"
#include "src/engine/spans.h"
#include "src/engine/thinking.h"
#include "src/engine/weight_format.h"
#include "src/engine/weights_hash.h"
#include "src/io/quote.h"
#include "src/model/model.h"
#include "src/tokenizer/tokenizer.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

static_assert(kMostSpeculated == kMostWindow);

int threads_for(int wanted) {
  return wanted > 0 ? wanted : static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

struct Engine::State {
  EngineOptions options;
  ModelInfo info;
  Config config;
  std::string fallback;
  // Declared first, so that the backends outlive all members that hold their buffers.
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Backend> decode_backend;  // null: pictures are decoded by `backend`
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Model> model;
  std::unique_ptr<TextHead> text_head;  // null until something thinks
  std::unique_ptr<Lanes> lanes;
  PlanFormats formats = DType::kF32;
  int automatic_lanes = 0;  // 0: not counted yet
  int most_lanes = std::numeric_limits<int>::max();
  int64_t embedded_rows = 0;           // see Engine::Parts
  std::unique_ptr<VqEncoder> encoder;  // null until encode() is called
  std::unique_ptr<PictureDecoder> pictures;

  Backend& decoding() { return decode_backend ? *decode_backend : *backend; }
  // Pictures that one pass of the decoder takes with so many lanes, as far as memory goes.
  int64_t decoded_together(int64_t count) const;
  BatchStats draw_batch(int64_t lanes, const JobSource& source, const ResultSink& sink,
                        const BatchOptions& options);
  void load_head();
  void check_request(const DrawRequest& request) const;
  // Most lanes with such pictures that max_memory allows. Throws Error (unavailable): not one.
  int lanes_of(const PlannedPictures& planned) const;
};

std::string name_of_model(const std::string& directory) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::weakly_canonical(directory, ignored);
  const std::filesystem::path above = path.parent_path();
  const std::string repository = above.parent_path().filename().string();
  if (above.filename() == "snapshots" && repository.starts_with("models--")) {
    return repository.substr(repository.rfind("--") + 2);
  }
  return path.filename().empty() ? directory : path.filename().string();
}

int64_t verify_weights(const std::string& directory) {
  return Checkpoint::open(directory).verify_checksums(threads_for(0));
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const EngineOptions& options) {
  if (options.speculate < 0 || options.speculate > kMostSpeculated) {
    throw Error(ErrorKind::kUsage, fmt::format("speculate must be from 0 to {}", kMostSpeculated));
  }
  auto s = std::make_unique<State>();
  s->options = options;
  s->config = read_config(options.model);
  s->config.loaded = format_to_load(s->config, options.weights, options.model);
  s->tokenizer = std::make_unique<Tokenizer>(Tokenizer::open(options.model));
  if (s->tokenizer->size() > s->config.transformer.vocabulary) {
    throw Error(
        ErrorKind::kData,
        fmt::format("{}: tokenizer.json has {} tokens, but config.json's vocab_size is {}",
                    quote(options.model), s->tokenizer->size(), s->config.transformer.vocabulary));
  }
  const Checkpoint checkpoint = Checkpoint::open(options.model);
  check_model(s->config, checkpoint, options.model);  // files may be large: whose, comes first
  // Verified before any drawing, because torch does not verify the checksums that it writes.
  checkpoint.verify_checksums(threads_for(options.threads));
  OpenDevice opened = open_device(options.device, options.threads, false, options.pdl);
  s->backend = std::move(opened.backend);
  s->fallback = std::move(opened.fallback);
  const PublishedTensors published(checkpoint);
  s->formats = {weights_dtype(published, options.model), options.kv};
  if (options.max_memory > 0) {
    const WithinLimit within =
        lanes_within({options.max_memory, options.int8_kv_if_needed}, s->config, s->formats,
                     s->backend->memory_space(), options.speculate, options.planned);
    s->formats.kv = within.kv;
    s->most_lanes = within.most_lanes;
  }
  const MemorySpace space = s->backend->memory_space();
  check_fits(space == MemorySpace::kHost ? obtainable_memory() : s->backend->free_bytes(),
             s->config, s->formats, std::clamp(options.pictures_at_once, 1, s->most_lanes),
             options.speculate, options.planned, space);
  if (options.decode_beside.value_or(s->backend->memory_space() == MemorySpace::kDevice)) {
    // Decoding gets low priority: it fills the gaps that drawing leaves. The duration of a run
    // depends on drawing.
    s->decode_backend = open_device(opened.name, options.threads, true, options.pdl).backend;
  }
  s->model = load_model(*s->backend, s->decoding(), s->config, checkpoint, options.model);
  s->model->transformer.set_int8_kv(s->formats.kv == KvFormat::kInt8);
  s->lanes = std::make_unique<Lanes>(*s->backend, s->config, s->model->transformer,
                                     s->model->image_head, options.rope);
  s->pictures = std::make_unique<PictureDecoder>(s->model->decoder, s->decoding());

  s->info = {.name = name_of_model(options.model),
             .directory = options.model,
             .weights_hash = weights_hash(checkpoint, s->config),
             .form = published.hugging_face() ? "hugging face" : "original",
             .weights_dtype = checkpoint.quantisation().empty()
                                  ? std::string(weights_name(s->config.loaded, s->formats.stored))
                                  : checkpoint.quantisation(),
             .image_size = s->model->decoder.image_size(),
             .image_tokens = s->config.image_tokens(),
             .codebook = s->config.vq.codebook,
             .kv = s->formats.kv};
  return Engine(std::move(s));
}

const ModelInfo& Engine::model() const { return state_->info; }

std::string Engine::device() const {
  return fmt::format("{} {}", state_->backend->name(), state_->backend->description());
}

const std::string& Engine::fallback() const { return state_->fallback; }

int64_t Engine::State::decoded_together(int64_t count) const {
  if (!decode_backend) return 1;
  const int64_t known = pictures->stats().asked;  // what is allocated already is not free any more
  if (options.decode_together > 0) {
    return std::max(known, std::min<int64_t>(options.decode_together, count));
  }
  if (backend->memory_space() == MemorySpace::kHost) return known;
  return std::max(
      known, bifrons::decoded_together(*backend->free_bytes(), options.max_memory, config, formats,
                                       count, options.speculate, options.planned));
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
  std::vector<DecodedPicture> decoded = state_->pictures->decode({&tokens, 1});
  if (decoded[0].error) throw *decoded[0].error;
  return std::move(decoded[0].picture);
}

BatchStats Engine::State::draw_batch(int64_t count, const JobSource& source, const ResultSink& sink,
                                     const BatchOptions& asked) {
  check(asked.rows >= 2, "draw_batch: a picture has two rows or more");
  const int64_t together = decoded_together(count);  // counted beside lanes that are still to come
  lanes->reserve(count,
                 window_columns(count, options.speculate, backend->memory_space(), asked.rows),
                 asked.rows);
  lanes->set_width(options.speculate);
  // A library that a GPU's decoder needs may be missing, or slow to start. So one decode runs
  // before anything is drawn, rather than beside the first pictures or after them. Then the device
  // is asked how many pictures it decodes together.
  const bool on_device = backend->memory_space() == MemorySpace::kDevice;
  bool first = true;
  const JobSource once_decoded = [&] {
    std::optional<BatchJob> job = source();
    if (!job || !std::exchange(first, false)) return job;
    if (on_device) pictures->warm_up();
    if (!asked.thoughts_only) pictures->reserve(together);
    return job;
  };
  const SchedulerParts parts{.lanes = *lanes,
                             .decode = [this](auto codes) { return pictures->decode(codes); },
                             .decode_beside = decode_backend != nullptr && !asked.thoughts_only,
                             .decode_together = [this] { return pictures->stats().together; },
                             .source_ready = asked.source_ready,
                             .on_thought = asked.on_thought,
                             .thoughts_only = asked.thoughts_only,
                             .config = &config,
                             .before_thoughts = [this] { load_head(); }};
  const Prepare prepare = [this, rows = asked.rows](const DrawRequest& request) {
    GuidedPrompt prompt = guided_prompt(*tokenizer, config, request);
    check(prompt.row_count() <= rows, "draw_batch: a picture has more rows than BatchOptions say");
    return prompt;
  };
  return schedule_batch(parts, prepare, once_decoded, sink, asked.progress);
}

void Engine::State::load_head() {
  if (text_head == nullptr) {
    const Checkpoint checkpoint = Checkpoint::open(options.model);
    text_head = load_text_head(*backend, config, checkpoint, options.model);
  }
  lanes->set_text_head(text_head.get());
}

std::shared_ptr<const Thinking> Engine::thinking(const ThinkOptions& options) {
  auto thinking = prepare_thinking(*state_->tokenizer, state_->config, options);
  if (!options.thought) state_->load_head();
  return thinking;
}

// Throws the error with which a request is refused before anything is drawn. What a thought will
// be is not known yet.
void Engine::State::check_request(const DrawRequest& request) const {
  if (request.thinking == nullptr) {
    guided_prompt(*tokenizer, config, request);
    return;
  }
  const Thinking& thinking = *request.thinking;
  Thought thought;
  if (thinking.options.thought) {
    thought = given_thought(thinking, request.allow_special);
  } else {
    thought_prompt(thinking, config, request);
  }
  prompt_after(thinking, config, request, thought);
}

std::vector<int32_t> Engine::encode(const Picture& picture) {
  State& s = *state_;
  if (s.encoder == nullptr) {
    const Checkpoint checkpoint = Checkpoint::open(s.options.model);
    s.encoder =
        load_encoder(*s.backend, s.config, s.model->activation, checkpoint, s.options.model);
  }
  return s.encoder->encode(*s.backend, picture);
}

std::vector<Drawing> Engine::draw(std::span<const DrawRequest> requests, const Progress& progress,
                                  const ThoughtListener& on_thought) {
  State& s = *state_;
  const int64_t count = static_cast<int64_t>(requests.size());
  if (count == 0) return {};
  BatchOptions options;
  for (const DrawRequest& r : requests) {
    s.check_request(r);
    if (r.spans) options.rows = std::max(options.rows, static_cast<int>(r.spans->rows.size()));
  }
  std::vector<std::optional<BatchResult>> results(requests.size());
  size_t next = 0;
  const JobSource source = [&]() -> std::optional<BatchJob> {
    if (next == requests.size()) return {};
    const size_t i = next++;
    return BatchJob{i, requests[i]};
  };
  const ResultSink sink = [&](BatchResult result) {
    const size_t i = result.id;
    results[i] = std::move(result);
  };
  const int64_t total = count * s.config.image_tokens();
  options.on_thought = on_thought;
  options.progress = [&](const BatchProgress& now) {
    return !progress || progress(std::min(now.tokens, total), total);
  };
  const int64_t lanes =
      std::clamp<int64_t>(std::min(s.options.pictures_at_once, s.most_lanes), 1, count);
  const BatchStats stats = s.draw_batch(lanes, source, sink, options);
  if (stats.stopped) throw Error(ErrorKind::kInterrupted, "interrupted");
  std::vector<Drawing> drawings;
  for (std::optional<BatchResult>& result : results) {
    if (result->error) throw *result->error;
    drawings.push_back(std::move(*result->drawing));
  }
  return drawings;
}

BatchStats Engine::draw_batch(const JobSource& source, const ResultSink& sink,
                              const BatchOptions& options) {
  const int lanes =
      options.lanes > 0 ? std::min(options.lanes, state_->most_lanes) : automatic_lanes();
  return state_->draw_batch(lanes, source, sink, options);
}

int Engine::automatic_lanes() const {
  State& s = *state_;
  if (s.automatic_lanes == 0) {
    const int fit = lanes_that_fit(s.backend->free_bytes(), s.config, s.formats,
                                   s.options.speculate, s.options.planned);
    s.automatic_lanes = std::min(fit, s.most_lanes);
  }
  return s.automatic_lanes;
}

int Engine::most_lanes() const { return state_->most_lanes; }

DecodeStats Engine::decoding() const { return state_->pictures->stats(); }

SpeculationStats Engine::speculation() const {
  const Lanes& lanes = *state_->lanes;
  const LaneWork& work = lanes.work();
  return {.passes = work.steps,
          .lane_passes = work.busy_lane_steps,
          .codes = work.step_codes,
          .columns = work.columns,
          .width = lanes.width_of_one()};
}

std::vector<MemoryItem> Engine::memory_plan(int lanes) const {
  const State& s = *state_;
  return bifrons::memory_plan(s.config, s.formats, lanes, s.options.planned,
                              s.backend->memory_space(), s.options.speculate,
                              s.decoded_together(lanes));
}

int Engine::State::lanes_of(const PlannedPictures& planned) const {
  return lanes_within({options.max_memory}, config, formats, backend->memory_space(),
                      options.speculate, planned)
      .most_lanes;
}

void Engine::check_plan(const PlannedPictures& planned) const {
  if (state_->options.max_memory > 0) state_->lanes_of(planned);
}

void Engine::plan_for(const PlannedPictures& planned) {
  State& s = *state_;
  if (planned == s.options.planned) return;
  if (s.options.max_memory > 0) s.most_lanes = s.lanes_of(planned);
  s.options.planned = planned;
  s.automatic_lanes = 0;
}

const PlannedPictures& Engine::planned() const { return state_->options.planned; }

std::optional<Error> Engine::fault_of(const DrawRequest& request) const {
  try {
    state_->check_request(request);
    return {};
  } catch (const Error& e) {
    return e;
  }
}

Engine::Parts Engine::parts() {
  State& s = *state_;
  return {s.options.model, s.options.rope,       *s.backend,          s.config,
          *s.tokenizer,    s.model->transformer, s.model->image_head, s.embedded_rows};
}

std::vector<int32_t> tokenize(const std::string& directory, std::string_view text) {
  return Tokenizer::open(directory).encode_with_bos(text, SpecialTokens::kMatch);
}

}  // namespace bifrons
