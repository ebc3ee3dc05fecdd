// Admission of pictures to the lanes: memory, prefill, first codes. lane_steps.cpp runs the steps.
#include <algorithm>
#include <iterator>
#include <utility>

#include "src/engine/lane_thoughts.h"
#include "src/engine/spans.h"
#include "src/model/rope.h"

namespace bifrons {
Lanes::Lanes(Backend& backend, const Config& config, const Transformer& transformer,
             const ImageHead& image_head, RopeMode rope)
    : Lanes(backend, config, transformer, image_head, rope,
            backend.memory_space() == MemorySpace::kDevice) {}

Lanes::Lanes(Backend& backend, const Config& config, const Transformer& transformer,
             const ImageHead& image_head, RopeMode rope, bool as_device)
    : b_(backend),
      config_(config),
      transformer_(transformer),
      head_(image_head),
      as_device_(as_device),
      memory_(backend, config, transformer,
              inverse_frequencies(config.transformer.rope_theta, config.transformer.head_dim,
                                  rope == RopeMode::kBf16)),
      prefill_(backend, transformer),
      thoughts_(std::make_unique<Thoughts>()) {}

Lanes::~Lanes() = default;

void Lanes::reserve(int64_t count, int64_t columns, int64_t rows) {
  check(count > 0 && rows >= 2 && lanes_.empty() && thinking() == 0,
        "reserve: only while no lane is busy");
  columns = std::max(count, columns);
  const bool other_rows = rows != rows_;
  if (count == count_ && columns <= columns_ && !other_rows) return;
  forget_captured();
  const int64_t spare = spare_lanes(count, as_device_);
  const bool grows = other_rows || count + spare > memory_.lanes() || columns > columns_;
  count_ = count;
  free_.clear();
  for (int64_t lane = count; lane-- > 0;) free_.push_back(static_cast<int32_t>(lane));
  if (!grows) return memory_.forget_all();

  count_ = columns_ = 0;  // stay 0 if an allocation below fails
  if (other_rows) widths_ = {};
  rows_ = static_cast<int32_t>(rows);
  const int64_t pass = std::max(kPrefillRows, rows * columns);
  memory_.reserve(count, spare > 0, rows);
  prefill_.reserve(pass);
  head_activations_ = head_.make_activations(b_, columns, rows);
  inputs_ = b_.allocate(pass * config_.transformer.hidden * size_of(transformer_.activation()));
  controls_ = b_.allocate(control_bytes(count, columns));
  id_ring_ = b_.allocate_shared(count * kRunAhead * size_of(DType::kI32));
  draft_ring_ = b_.allocate_shared((count + columns) * kRunAhead * size_of(DType::kI32));
  count_ = count;
  columns_ = columns;
}

void Lanes::make_room(int64_t prompt_tokens) {
  if (memory_.has_room(prompt_tokens)) return;
  read_ids(0);
  forget_captured();
  memory_.make_room(prompt_tokens);
}

std::vector<LanePicture> Lanes::admit(std::vector<LanePicture> pictures) {
  if (pictures.empty()) return {};
  check(pictures.size() <= free_.size(), "admit: more pictures than free lanes");
  for (const LanePicture& picture : pictures) {
    const GuidedPrompt& p = picture.prompt;
    check(p.row_count() <= rows_ && p.prompted.size() == p.unprompted.size() &&
              memory_.has_room(static_cast<int64_t>(p.prompted.size())),
          "admit: all rows have one length, which make_room() knows");
  }
  read_ids(0);
  KvCacheManager::Entry entry;
  size_t n = pictures.size();
  while (n > 0 && !find_memory(entry, {pictures.data(), n})) --n;
  check(n > 0 || busy() + thinking() > 0, "admit: make_room() has made room for one picture");
  std::vector<LanePicture> waiting(std::make_move_iterator(pictures.begin() + n),
                                   std::make_move_iterator(pictures.end()));
  pictures.resize(n);
  if (n == 0) return waiting;

  changed_ = true;
  memory_.enter(entry);
  run_prompts(entry, head_activations_.hidden);
  std::vector<Lane> entering;
  for (LanePicture& picture : pictures) {
    ++picture.attempts;
    entering.push_back({.picture = std::move(picture), .index = free_.back()});
    free_.pop_back();
  }
  sample_first_codes(entering);
  std::vector<int32_t> ids(rows_ * n);
  b_.download(ids.data(), head_activations_.first(n).ids);
  for (size_t i = 0; i < n; ++i) {
    add_code(entering[i], ids[rows_ * i]);
    work_.first_codes += entering[i].drawn();
    lanes_.push_back(std::move(entering[i]));
  }
  return waiting;
}

// Plans memory for `pictures`, which take the free lanes from the end of free_, the last one first.
// If pages are short, the prefixes cached in idle lanes are evicted.
bool Lanes::find_memory(KvCacheManager::Entry& entry, std::span<const LanePicture> pictures) {
  std::vector<WantedPrompt> wanted;
  auto lane = free_.rbegin();
  for (const LanePicture& picture : pictures) {
    const bool shares = picture.attempts == 0;
    for (int32_t row = 0; row < rows_; ++row) {
      wanted.push_back({.sequence = rows_ * *lane + row,
                        .ids = &picture.prompt.row(row),
                        .shares = shares,
                        .spans = picture.prompt.spans.get()});
    }
    ++lane;
  }
  return find_memory(entry, wanted);
}

bool Lanes::find_memory(KvCacheManager::Entry& entry, std::span<const WantedPrompt> wanted) {
  entry = memory_.plan(wanted, {});
  if (memory_.has_pages(entry)) return true;
  std::vector<int32_t> idle;
  for (const int32_t free : free_) {
    for (int32_t row = 0; row < rows_; ++row) idle.push_back(rows_ * free + row);
  }
  entry = memory_.plan(wanted, idle);
  if (memory_.has_pages(entry)) return true;
  forget_captured();
  return memory_.grow_pool(entry);
}

// Runs the prompts of a plan that memory_ has entered. hidden [wanted prompts, D]: the state after
// the last token of each.
void Lanes::run_prompts(const KvCacheManager::Entry& entry, const Tensor& hidden) {
  for (size_t wave = 0; wave < entry.waves.size(); ++wave) {
    memory_.copy_shared_tails(entry, wave);
    run_wave(entry.waves[wave], entry.wanted, hidden);
  }
}

void Lanes::run_wave(const PrefillPass& wave, std::span<const WantedPrompt> wanted,
                     const Tensor& hidden) {
  std::vector<PrefillRow> rows;
  std::vector<int64_t> last_of;  // for each row, the prompt that it is the last row of, or -1
  for (const PromptRun& run : wave) {
    const WantedPrompt& prompt = wanted[run.index];
    for (int64_t t = run.begin; t < run.end; ++t) {
      const int32_t id = (*prompt.ids)[t];
      const EmbeddedPicture* picture = id < 0 ? &prompt.spans->picture_of(id) : nullptr;
      rows.push_back({id, prompt.sequence, static_cast<int32_t>(t), picture});
      last_of.push_back(t + 1 == run.end ? run.index : -1);
    }
    work_.shared_rows += run.begin;
  }
  const auto count = static_cast<int64_t>(rows.size());
  work_.prefill_rows += count;

  for (int64_t begin = 0; begin < count; begin += prefill_.limit()) {
    const int64_t n = std::min(prefill_.limit(), count - begin);
    const auto chunk = std::span(rows).subspan(begin, n);
    const Tensor x = inputs_.view(transformer_.activation(), {n, config_.transformer.hidden});
    prefill_.embed(x, chunk);
    prefill_.forward(x, chunk, memory_.cache());
    for (int64_t i = 0; i < n; ++i) {
      const int64_t prompt = last_of[begin + i];
      if (prompt < 0) continue;
      b_.rms_norm(hidden.slice_rows(prompt, 1), x.slice_rows(i, 1),
                  transformer_.weights().final_norm, config_.transformer.norm_eps);
    }
  }
}

void Lanes::add_code(Lane& lane, int32_t code) {
  if (!lane.picture.finite) return;
  if (code >= 0) return lane.picture.codes.push_back(code);
  lane.picture.finite = false;
  for (int32_t row = 0; row < rows_; ++row) memory_.forget(rows_ * lane.index + row);
}

// Makes the lane idle again.
void Lanes::leave(const Lane& lane) {
  free_.push_back(lane.index);
  for (int32_t row = 0; row < rows_; ++row) memory_.leave(rows_ * lane.index + row);
}

std::vector<LanePicture> Lanes::take_finished() {
  const auto working = [this](const Lane& lane) {
    return lane.picture.finite && lane.drawn() < config_.image_tokens();
  };
  const auto end = std::stable_partition(lanes_.begin(), lanes_.end(), working);
  std::vector<LanePicture> finished;
  for (auto lane = end; lane != lanes_.end(); ++lane) {
    leave(*lane);
    finished.push_back(std::move(lane->picture));
  }
  if (!finished.empty()) changed_ = true;
  lanes_.erase(end, lanes_.end());
  return finished;
}

void Lanes::clear() {
  for (const Lane& lane : lanes_) leave(lane);
  changed_ = true;
  events_.clear();  // steps in flight still write id_ring_, which is not read again
  lanes_.clear();
  clear_thoughts();
}

}  // namespace bifrons
