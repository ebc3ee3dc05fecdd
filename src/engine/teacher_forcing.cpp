// Teacher forcing: a picture's prompt and codes run through the model in a few causal passes, and
// each column gives the distribution of the code after it. The ops are those of drawing with
// windows (src/engine/lane_steps.cpp), so the numbers are, too.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/engine/parts.h"
#include "src/engine/prefill.h"
#include "src/engine/quality.h"
#include "src/engine/requests.h"
#include "src/model/rope.h"

namespace bifrons {
namespace {

// Columns of a pass, two rows each.
constexpr int64_t kColumns = kPrefillRows / 2;

// The controls of one pass in memory of the backend: one column for each code that it samples.
struct Columns {
  TokenRows rows;         // [2 C]
  SampleControls sample;  // [C]
  Tensor guidance;        // f32 [C]

  static Columns lay_out(Arena& arena, int64_t columns) {
    Columns c;
    c.rows.sequence = arena.take(DType::kI32, {2 * columns});
    c.rows.position = arena.take(DType::kI32, {2 * columns});
    c.sample.seed = arena.take(DType::kI32, {columns, 2});
    c.sample.step = arena.take(DType::kI32, {columns});
    c.sample.top_k = arena.take(DType::kI32, {columns});
    c.sample.temperature = arena.take(DType::kF32, {columns});
    c.sample.top_p = arena.take(DType::kF32, {columns});
    c.guidance = arena.take(DType::kF32, {columns});
    return c;
  }
};

}  // namespace

struct TeacherForcing::State {
  Engine::Parts parts;
  std::vector<float> inverse_frequency;
  Prefill prefill;
  ImageHeadActivations head;
  Buffer inputs;    // x [kPrefillRows, D]
  Buffer controls;  // see Columns
  PagedKvCache cache;

  explicit State(Engine& engine);
  void make_room(int64_t positions);
  void run_prompts(const GuidedPrompt& prompt);
  Columns upload(const GuidedPrompt& prompt, int64_t token, int64_t columns);
  void run_codes(const GuidedPrompt& prompt, std::span<const int32_t> codes, int64_t first,
                 int64_t columns);
  void fetch(ForcedPicture& picture, int64_t token, int64_t columns);
  Tensor rows_of_inputs(int64_t rows) const {
    return inputs.view(parts.transformer.activation(), {rows, parts.config.transformer.hidden});
  }
};

TeacherForcing::State::State(Engine& engine)
    : parts(engine.parts()),
      inverse_frequency(inverse_frequencies(parts.config.transformer.rope_theta,
                                            parts.config.transformer.head_dim,
                                            parts.rope == RopeMode::kBf16)),
      prefill(parts.backend, parts.transformer) {
  prefill.reserve(kPrefillRows);
  head = parts.image_head.make_activations(parts.backend, kColumns);
  inputs = parts.backend.allocate(kPrefillRows * parts.config.transformer.hidden *
                                  size_of(parts.transformer.activation()));
  controls =
      parts.backend.allocate(arena_bytes([](Arena& arena) { Columns::lay_out(arena, kColumns); }));
}

void TeacherForcing::State::make_room(int64_t positions) {
  if (positions <= cache.capacity) return;
  cache = {};
  const int64_t capacity = pages_for(positions) * kPageTokens;
  cache = parts.transformer.make_memory(parts.backend, 2, capacity, inverse_frequency);
}

// Runs both prompts; their last hidden states go to the head's rows 0 and 1.
void TeacherForcing::State::run_prompts(const GuidedPrompt& prompt) {
  const auto length = static_cast<int64_t>(prompt.prompted.size());
  std::vector<PrefillRow> rows;
  for (int32_t sequence = 0; sequence < 2; ++sequence) {
    const std::vector<int32_t>& ids = sequence == 0 ? prompt.prompted : prompt.unprompted;
    for (int64_t t = 0; t < length; ++t) {
      rows.push_back({ids[static_cast<size_t>(t)], sequence, static_cast<int32_t>(t)});
    }
  }
  const auto count = static_cast<int64_t>(rows.size());
  for (int64_t begin = 0; begin < count; begin += kPrefillRows) {
    const int64_t n = std::min(kPrefillRows, count - begin);
    const auto chunk = std::span(rows).subspan(static_cast<size_t>(begin), static_cast<size_t>(n));
    const Tensor x = rows_of_inputs(n);
    prefill.embed(x, chunk);
    prefill.forward(x, chunk, cache);
    for (const int64_t sequence : {0, 1}) {
      const int64_t last = (sequence + 1) * length - 1 - begin;
      if (last < 0 || last >= n) continue;
      parts.backend.rms_norm(head.hidden.slice_rows(sequence, 1), x.slice_rows(last, 1),
                             parts.transformer.weights().final_norm,
                             parts.config.transformer.norm_eps);
    }
  }
}

// The controls of columns that sample the codes `token`, `token` + 1, ...
Columns TeacherForcing::State::upload(const GuidedPrompt& prompt, int64_t token, int64_t columns) {
  Arena arena(controls);
  Columns c = Columns::lay_out(arena, columns);
  c.rows.shared = columns;
  c.rows.stride = 2;
  const auto before = static_cast<int64_t>(prompt.prompted.size()) - 1 + token;
  std::vector<int32_t> sequence, position, seed, step;
  for (int64_t w = 0; w < columns; ++w) {
    sequence.insert(sequence.end(), {0, 1});
    position.insert(position.end(), 2, static_cast<int32_t>(before + w));
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(prompt.seed)));
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(prompt.seed >> 32)));
    step.push_back(static_cast<int32_t>(token + w));
  }
  const auto repeated = [columns](auto value) {
    return std::vector<decltype(value)>(static_cast<size_t>(columns), value);
  };
  Backend& b = parts.backend;
  b.upload(c.rows.sequence, sequence.data());
  b.upload(c.rows.position, position.data());
  b.upload(c.sample.seed, seed.data());
  b.upload(c.sample.step, step.data());
  b.upload(c.sample.top_k, repeated(static_cast<int32_t>(prompt.top_k)).data());
  b.upload(c.sample.temperature, repeated(static_cast<float>(prompt.temperature)).data());
  b.upload(c.sample.top_p, repeated(static_cast<float>(prompt.top_p)).data());
  b.upload(c.guidance, repeated(static_cast<float>(prompt.guidance)).data());
  return c;
}

// Runs codes [first, first + columns), which sample the codes after them.
void TeacherForcing::State::run_codes(const GuidedPrompt& prompt, std::span<const int32_t> codes,
                                      int64_t first, int64_t columns) {
  const Columns c = upload(prompt, first + 1, columns);
  const ImageHeadActivations a = head.first(columns);
  std::vector<int32_t> ids;
  for (int64_t w = 0; w < columns; ++w) {
    ids.insert(ids.end(), 2, codes[static_cast<size_t>(first + w)]);
  }
  Backend& b = parts.backend;
  b.upload(a.ids, ids.data());
  const Tensor x = rows_of_inputs(2 * columns);
  parts.image_head.embed_codes(b, x, a);
  parts.transformer.forward(b, x, c.rows, cache, prefill.activations());
  parts.image_head.norm_and_sample(b, x, parts.transformer.weights().final_norm, a, c.guidance,
                                   c.sample);
}

// Reads what the last pass gave for the codes `token`, `token` + 1, ...
void TeacherForcing::State::fetch(ForcedPicture& picture, int64_t token, int64_t columns) {
  const ImageHeadActivations a = head.first(columns);
  std::vector<int32_t> ids(static_cast<size_t>(2 * columns));
  parts.backend.download(ids.data(), a.ids);
  parts.backend.download(picture.guided.data() + token * parts.config.vq.codebook, a.guided);
  for (int64_t w = 0; w < columns; ++w) {
    const int32_t code = ids[static_cast<size_t>(2 * w)];
    if (code < 0) {
      throw Error(ErrorKind::kData,
                  fmt::format("the model's numbers stop being finite at image token {}: its "
                              "weights are damaged",
                              token + w));
    }
    picture.sampled[static_cast<size_t>(token + w)] = code;
  }
}

TeacherForcing::TeacherForcing(Engine& engine) : state_(std::make_unique<State>(engine)) {}
TeacherForcing::TeacherForcing(TeacherForcing&&) noexcept = default;
TeacherForcing& TeacherForcing::operator=(TeacherForcing&&) noexcept = default;
TeacherForcing::~TeacherForcing() = default;

ForcedPicture TeacherForcing::run(const DrawRequest& request, std::span<const int32_t> codes) {
  State& s = *state_;
  const Config& config = s.parts.config;
  const int64_t tokens = config.image_tokens(), codebook = config.vq.codebook;
  // The codes are checked as those of a picture to keep.
  DrawRequest kept = request;
  kept.fixed.assign(codes.begin(), codes.end());
  const GuidedPrompt prompt = guided_prompt(s.parts.tokenizer, config, kept);
  if (codes.empty() || std::find(codes.begin(), codes.end(), -1) != codes.end()) {
    throw Error(ErrorKind::kUsage, "teacher forcing needs every code of the picture");
  }
  s.make_room(static_cast<int64_t>(prompt.prompted.size()) + tokens - 1);
  ForcedPicture picture{std::vector<float>(static_cast<size_t>(tokens * codebook)),
                        std::vector<int32_t>(static_cast<size_t>(tokens))};
  s.run_prompts(prompt);
  const Columns first = s.upload(prompt, 0, 1);
  s.parts.image_head.sample_codes(s.parts.backend, s.head.first(1), first.guidance, first.sample);
  s.fetch(picture, 0, 1);
  for (int64_t done = 0; done + 1 < tokens; done += kColumns) {
    const int64_t columns = std::min(kColumns, tokens - 1 - done);
    s.run_codes(prompt, codes, done, columns);
    s.fetch(picture, done + 1, columns);
  }
  return picture;
}

}  // namespace bifrons
