// Thoughts in the lanes: text decoding over the paged KV cache of the pictures, so that a picture
// finds the keys and values of its thought there.
#include "src/engine/lane_thoughts.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "kernels/sampling.h"
#include "src/engine/thinking.h"

namespace bifrons {

ThoughtControls::ThoughtControls(const Buffer& words, int64_t n) {
  const auto part = [&](DType dtype, std::initializer_list<int64_t> shape, int64_t at) {
    return words.view(dtype, shape, at * n * size_of(DType::kI32));
  };
  ids = part(DType::kI32, {n}, 0);
  sequence = part(DType::kI32, {n}, 1);
  position = part(DType::kI32, {n}, 2);
  sample.step = part(DType::kI32, {n}, 3);
  sample.top_k = part(DType::kI32, {n}, 4);
  sample.temperature = part(DType::kF32, {n}, 5);
  sample.top_p = part(DType::kF32, {n}, 6);
  sample.seed = part(DType::kI32, {n, 2}, 7);
  sample.stream = kThoughtTokenStream;
}

void Lanes::set_text_head(const TextHead* head) { thoughts_->head = head; }

int64_t Lanes::thinking() const { return static_cast<int64_t>(thoughts_->tasks.size()); }

std::span<const ThoughtTask> Lanes::thoughts() const { return thoughts_->tasks; }

void Lanes::forget_captured() {
  captured_.clear();
  thoughts_->captured.clear();
}

void Lanes::reserve_thoughts() {
  Thoughts& t = *thoughts_;
  if (t.room >= count_) return;
  const int64_t row = config_.transformer.hidden * size_of(transformer_.activation());
  t.captured.clear();
  t.room = 0;  // stays 0 if an allocation below fails
  t.words = b_.allocate(count_ * ThoughtControls::kWords * size_of(DType::kI32));
  t.inputs = b_.allocate(count_ * row);
  t.hidden = b_.allocate(count_ * row);
  t.logits = b_.allocate(count_ * config_.transformer.vocabulary * size_of(DType::kF32));
  t.sampled = b_.allocate(2 * count_ * size_of(DType::kI32));
  t.room = count_;
}

std::vector<ThoughtTask> Lanes::begin_thoughts(std::vector<ThoughtTask> tasks) {
  if (tasks.empty()) return {};
  Thoughts& t = *thoughts_;
  check(t.head != nullptr && tasks.size() <= free_.size(), "thoughts: a head and a lane for each");
  reserve_thoughts();
  read_ids(0);
  KvCacheManager::Entry entry;
  size_t n = tasks.size();
  const auto fits = [&] {
    std::vector<WantedPrompt> wanted;
    for (size_t i = 0; i < n; ++i) {
      wanted.push_back({.sequence = rows_ * free_[free_.size() - 1 - i],
                        .ids = &tasks[i].prompt,
                        .after = tasks[i].most});
    }
    return find_memory(entry, wanted);
  };
  while (n > 0 && !fits()) --n;
  check(n > 0 || busy() + thinking() > 0, "thoughts: make_room() has made room for one");
  std::vector<ThoughtTask> waiting(std::make_move_iterator(tasks.begin() + n),
                                   std::make_move_iterator(tasks.end()));
  tasks.resize(n);
  if (n == 0) return waiting;

  changed_ = true;
  memory_.enter(entry);
  const auto rows = static_cast<int64_t>(n);
  run_prompts(entry, t.hidden.view(transformer_.activation(), {rows, config_.transformer.hidden}));
  upload_thoughts(tasks, std::vector<int32_t>(n, 0));
  sample_thoughts(rows);
  std::vector<int32_t> lanes;
  for (size_t i = 0; i < n; ++i) {
    lanes.push_back(free_.back());
    free_.pop_back();
  }
  read_thoughts(tasks);
  std::move(tasks.begin(), tasks.end(), std::back_inserter(t.tasks));
  t.lanes.insert(t.lanes.end(), lanes.begin(), lanes.end());
  return waiting;
}

// Uploads a row for each task; its input is the last token.
void Lanes::upload_thoughts(std::span<const ThoughtTask> tasks, std::span<const int32_t> lanes) {
  const size_t n = tasks.size();
  std::vector<int32_t> words(n * ThoughtControls::kWords);
  for (size_t i = 0; i < n; ++i) {
    const ThoughtTask& task = tasks[i];
    const ThoughtStyle& style = task.request.thinking->options.style;
    const auto length = static_cast<int32_t>(task.prompt.size() + task.tokens.size());
    const auto step = static_cast<int32_t>(task.tokens.size());
    const int64_t top_k = std::min(style.top_k, config_.transformer.vocabulary);
    words[i] = task.tokens.empty() ? 0 : task.tokens.back();
    words[n + i] = rows_ * lanes[i];
    words[2 * n + i] = length - 1;
    words[3 * n + i] = step;
    words[4 * n + i] = static_cast<int32_t>(top_k);
    words[5 * n + i] = std::bit_cast<int32_t>(static_cast<float>(style.temperature));
    words[6 * n + i] = std::bit_cast<int32_t>(1.0f);
    words[7 * n + 2 * i] = static_cast<int32_t>(static_cast<uint32_t>(task.request.seed));
    words[7 * n + 2 * i + 1] = static_cast<int32_t>(static_cast<uint32_t>(task.request.seed >> 32));
  }
  b_.upload(thoughts_->words.view(DType::kI32, {static_cast<int64_t>(words.size())}), words.data());
}

// Samples a token for each of the first rows of `hidden`.
void Lanes::sample_thoughts(int64_t rows) {
  Thoughts& t = *thoughts_;
  const Tensor logits = t.logits.view(DType::kF32, {rows, config_.transformer.vocabulary});
  t.head->logits(b_, logits,
                 t.hidden.view(transformer_.activation(), {rows, config_.transformer.hidden}));
  b_.sample(t.sampled.view(DType::kI32, {2 * rows}), logits, ThoughtControls(t.words, rows).sample);
}

// Adds the sampled tokens to the tasks.
void Lanes::read_thoughts(std::span<ThoughtTask> tasks) {
  const auto rows = static_cast<int64_t>(tasks.size());
  std::vector<int32_t> sampled(2 * rows);
  b_.download(sampled.data(), thoughts_->sampled.view(DType::kI32, {2 * rows}));
  for (int64_t i = 0; i < rows; ++i) {
    ThoughtTask& task = tasks[i];
    const int32_t token = sampled[2 * i];
    ++work_.thought_tokens;
    const std::vector<int32_t>& stop = task.request.thinking->stop;
    task.finite = token >= 0;
    task.stopped = std::find(stop.begin(), stop.end(), token) != stop.end();
    if (task.finite && !task.stopped) task.tokens.push_back(token);
    task.done = !task.finite || task.stopped || std::ssize(task.tokens) >= task.most;
  }
}

void Lanes::think() {
  Thoughts& t = *thoughts_;
  if (t.tasks.empty()) return;
  const int64_t rows = thinking(), hidden = config_.transformer.hidden;
  upload_thoughts(t.tasks, t.lanes);
  const ThoughtControls c(t.words, rows);
  const Tensor x = t.inputs.view(transformer_.activation(), {rows, hidden});
  // Not part of the captured step: the table may lie in host memory.
  b_.gather(x, transformer_.weights().token_embedding, c.ids);
  std::unique_ptr<CapturedStep>& step = t.captured[rows];
  if (!step) {
    step = b_.capture([this, x, rows, hidden, places = TokenRows{c.sequence, c.position}] {
      transformer_.forward(b_, x, places, memory_.cache(), prefill_.activations());
      b_.rms_norm(thoughts_->hidden.view(transformer_.activation(), {rows, hidden}), x,
                  transformer_.weights().final_norm, config_.transformer.norm_eps);
      sample_thoughts(rows);
    });
  }
  step->run();
  read_thoughts(t.tasks);
  ++work_.thought_steps;
}

std::vector<ThoughtTask> Lanes::take_thoughts() {
  Thoughts& t = *thoughts_;
  std::vector<ThoughtTask> done;
  size_t kept = 0;
  for (size_t i = 0; i < t.tasks.size(); ++i) {
    if (t.tasks[i].done) {
      leave_thought(t.tasks[i], t.lanes[i]);
      done.push_back(std::move(t.tasks[i]));
      continue;
    }
    if (kept != i) t.tasks[kept] = std::move(t.tasks[i]);
    t.lanes[kept++] = t.lanes[i];
  }
  t.tasks.resize(kept);
  t.lanes.resize(kept);
  return done;
}

// Makes its lane idle again. What was written of the thought stays in the prefix cache: all of it,
// except the last token where nothing came after that.
void Lanes::leave_thought(const ThoughtTask& task, int32_t lane) {
  TokenIds ids = task.prompt;
  ids.insert(ids.end(), task.tokens.begin(), task.tokens.end());
  if (!task.stopped && !task.tokens.empty()) ids.pop_back();
  memory_.note(rows_ * lane, task.finite ? std::move(ids) : TokenIds{});
  memory_.leave(rows_ * lane);
  free_.push_back(lane);
}

void Lanes::clear_thoughts() {
  Thoughts& t = *thoughts_;
  for (size_t i = 0; i < t.tasks.size(); ++i) leave_thought(t.tasks[i], t.lanes[i]);
  t.tasks.clear();
  t.lanes.clear();
}

}  // namespace bifrons
