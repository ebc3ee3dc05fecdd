// Decode steps of the continuous batch over compacted lanes (docs/janus-pro.md 4.4): the busy lanes
// come first, whatever their indices.
#include "src/engine/lanes.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "src/model/rope.h"

namespace bifrons {
namespace {

// Batch sizes (lanes) for which a device captures steps; a step of another size is padded to the
// next one.
constexpr std::array<int64_t, 14> kCapturedLanes = {1,  2,  4,  8,  12,  16,  24,
                                                    32, 48, 64, 96, 128, 192, 256};

}  // namespace

// Settings of the lanes in device memory. Each tensor is sized for all lanes and a step uses its
// first rows. So addresses do not depend on the number of busy lanes, and captured steps stay
// valid.
struct Lanes::Controls {
  TokenRows rows;         // [2 P]
  SampleControls sample;  // [P]
  Tensor guidance;        // f32 [P]
  Tensor forced;          // i32 [P, image_tokens]; -1: sampled

  static Controls lay_out(Arena& arena, int64_t lanes, int64_t image_tokens) {
    Controls c;
    c.rows.sequence = arena.take(DType::kI32, {2 * lanes});
    c.rows.position = arena.take(DType::kI32, {2 * lanes});
    c.sample.seed = arena.take(DType::kI32, {lanes, 2});
    c.sample.step = arena.take(DType::kI32, {lanes});
    c.sample.top_k = arena.take(DType::kI32, {lanes});
    c.sample.temperature = arena.take(DType::kF32, {lanes});
    c.sample.top_p = arena.take(DType::kF32, {lanes});
    c.guidance = arena.take(DType::kF32, {lanes});
    c.forced = arena.take(DType::kI32, {lanes, image_tokens});
    return c;
  }
};

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
                                  rope == RopeMode::kBf16)) {}

Lanes::~Lanes() = default;

void Lanes::reserve(int64_t count) {
  check(count > 0 && lanes_.empty(), "reserve: only while no lane is busy");
  if (count == count_) return;
  captured_.clear();
  const int64_t spare = spare_lanes(count, as_device_);
  const bool grows = count + spare > memory_.lanes();
  count_ = count;
  free_.clear();
  for (int64_t lane = count; lane-- > 0;) free_.push_back(static_cast<int32_t>(lane));
  if (!grows) return memory_.forget_all();

  count_ = 0;  // stays 0 if an allocation below fails
  const int64_t rows = std::max(kPrefillRows, 2 * count);
  memory_.reserve(count, spare > 0);
  activations_ = transformer_.make_activations(b_, rows);
  head_activations_ = head_.make_activations(b_, count);
  inputs_ = b_.allocate(rows * config_.transformer.hidden * size_of(transformer_.activation()));
  rows_ = b_.allocate(3 * rows * size_of(DType::kI32));
  controls_ = b_.allocate(
      arena_bytes([&](Arena& arena) { Controls::lay_out(arena, count, config_.image_tokens()); }));
  id_ring_ = b_.allocate_shared(count * kRunAhead * size_of(DType::kI32));
  count_ = count;
}

void Lanes::make_room(int64_t prompt_tokens) {
  if (memory_.has_room(prompt_tokens)) return;
  read_ids(0);
  captured_.clear();
  memory_.make_room(prompt_tokens);
}

std::vector<LanePicture> Lanes::admit(std::vector<LanePicture> pictures) {
  if (pictures.empty()) return {};
  check(pictures.size() <= free_.size(), "admit: more pictures than free lanes");
  for (const LanePicture& picture : pictures) {
    const GuidedPrompt& p = picture.prompt;
    check(p.prompted.size() == p.unprompted.size() &&
              memory_.has_room(static_cast<int64_t>(p.prompted.size())),
          "admit: both rows have one length, which make_room() knows");
  }
  read_ids(0);
  KvCacheManager::Entry entry;
  size_t n = pictures.size();
  while (n > 0 && !find_memory(entry, {pictures.data(), n})) --n;
  check(n > 0 || busy() > 0, "admit: make_room() has made room for one picture");
  std::vector<LanePicture> waiting(std::make_move_iterator(pictures.begin() + n),
                                   std::make_move_iterator(pictures.end()));
  pictures.resize(n);
  if (n == 0) return waiting;

  changed_ = true;
  memory_.enter(entry);
  for (size_t wave = 0; wave < entry.waves.size(); ++wave) {
    memory_.copy_shared_tails(entry, wave);
    run_prompts(entry.waves[wave], entry.wanted);
  }
  std::vector<Lane> entering;
  for (LanePicture& picture : pictures) {
    ++picture.attempts;
    entering.push_back({std::move(picture), free_.back(), 0});
    free_.pop_back();
  }
  upload(entering);
  const Controls c = controls(n);
  head_.sample_codes(b_, head_activations_.first(n), c.guidance, c.sample);
  b_.force_ids(head_activations_.first(n).ids, c.forced, c.sample.step);
  std::vector<int32_t> ids(2 * n);
  b_.download(ids.data(), head_activations_.first(n).ids);
  for (size_t i = 0; i < n; ++i) {
    add_code(entering[i], ids[2 * i]);
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
    wanted.push_back({2 * *lane, &picture.prompt.prompted, shares});
    wanted.push_back({2 * *lane + 1, &picture.prompt.unprompted, shares});
    ++lane;
  }
  entry = memory_.plan(wanted, {});
  if (memory_.has_pages(entry)) return true;
  std::vector<int32_t> idle;
  for (const int32_t free : free_) idle.insert(idle.end(), {2 * free, 2 * free + 1});
  entry = memory_.plan(wanted, idle);
  if (memory_.has_pages(entry)) return true;
  captured_.clear();
  return memory_.grow_pool(entry);
}

void Lanes::run_prompts(const PrefillPass& wave, std::span<const WantedPrompt> wanted) {
  struct Row {
    int32_t id, sequence, position;
    int64_t hidden;  // row of its hidden state in head_activations_; -1: not needed
  };
  std::vector<Row> all;
  for (const PromptRun& run : wave) {
    const WantedPrompt& prompt = wanted[run.index];
    for (int64_t t = run.begin; t < run.end; ++t) {
      all.push_back({(*prompt.ids)[t], prompt.sequence, static_cast<int32_t>(t),
                     t + 1 == run.end ? run.index : -1});
    }
    work_.shared_rows += run.begin;
  }
  work_.prefill_rows += static_cast<int64_t>(all.size());

  const int64_t limit = activations_.normed.rows();
  for (size_t begin = 0; begin < all.size(); begin += limit) {
    const int64_t n = std::min<int64_t>(limit, all.size() - begin);
    std::vector<int32_t> ids(n), sequences(n), positions(n);
    for (int64_t i = 0; i < n; ++i) {
      const Row& row = all[begin + i];
      ids[i] = row.id;
      sequences[i] = row.sequence;
      positions[i] = row.position;
    }
    const auto put = [&](int64_t part, const std::vector<int32_t>& values) {
      const Tensor t = rows_.view(DType::kI32, {n}, part * limit * size_of(DType::kI32));
      b_.upload(t, values.data());
      return t;
    };
    const Tensor id = put(0, ids);
    const TokenRows rows{put(1, sequences), put(2, positions)};
    const Tensor x = inputs_.view(transformer_.activation(), {n, config_.transformer.hidden});
    b_.gather(x, transformer_.weights().token_embedding, id);
    transformer_.forward(b_, x, rows, memory_.cache(), activations_);
    for (int64_t i = 0; i < n; ++i) {
      const Row& row = all[begin + i];
      if (row.hidden < 0) continue;
      b_.rms_norm(head_activations_.hidden.slice_rows(row.hidden, 1), x.slice_rows(i, 1),
                  transformer_.weights().final_norm, config_.transformer.norm_eps);
    }
  }
}

int64_t Lanes::filled_up(int64_t lanes) const {
  if (!as_device_) return lanes;
  const auto next = std::lower_bound(kCapturedLanes.begin(), kCapturedLanes.end(), lanes);
  return next == kCapturedLanes.end() ? lanes : std::min(*next, count_);
}

Lanes::Controls Lanes::controls(int64_t lanes) const {
  Arena arena(controls_);
  Controls c = Controls::lay_out(arena, count_, config_.image_tokens());
  for (Tensor* pair : {&c.rows.sequence, &c.rows.position}) *pair = pair->first(2 * lanes);
  for (Tensor* one : {&c.sample.seed, &c.sample.step, &c.sample.top_k, &c.sample.temperature,
                      &c.sample.top_p, &c.guidance, &c.forced}) {
    *one = one->first(lanes);
  }
  return c;
}

void Lanes::upload(std::span<const Lane> lanes) {
  // Padding rows use the spare sequences, from position 0 on.
  const int64_t n = filled_up(static_cast<int64_t>(lanes.size()));
  std::vector<int32_t> sequence, position, ids, seed, step, top_k, forced;
  std::vector<float> temperature, top_p, guidance;
  GuidedPrompt padding;
  padding.temperature = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Lane* lane = i < static_cast<int64_t>(lanes.size()) ? &lanes[i] : nullptr;
    const GuidedPrompt& p = lane ? lane->picture.prompt : padding;
    const int64_t drawn = lane ? lane->drawn() : 1;
    for (int32_t row = 0; row < 2; ++row) {
      sequence.push_back((lane ? 2 * lane->index : memory_.spare_sequence()) + row);
      position.push_back(static_cast<int32_t>((lane ? lane->length() : 0) + drawn - 1));
      ids.push_back(lane && drawn > 0 ? lane->picture.codes.back() : 0);
    }
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(p.seed)));
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(p.seed >> 32)));
    step.push_back(static_cast<int32_t>(drawn));
    top_k.push_back(static_cast<int32_t>(p.top_k));
    temperature.push_back(static_cast<float>(p.temperature));
    top_p.push_back(static_cast<float>(p.top_p));
    guidance.push_back(static_cast<float>(p.guidance));
    forced.insert(forced.end(), p.fixed.begin(), p.fixed.end());
    if (p.fixed.empty()) forced.insert(forced.end(), config_.image_tokens(), -1);
  }
  const Controls c = controls(n);
  b_.upload(c.rows.sequence, sequence.data());
  b_.upload(c.rows.position, position.data());
  b_.upload(head_activations_.first(n).ids, ids.data());
  b_.upload(c.sample.seed, seed.data());
  b_.upload(c.sample.step, step.data());
  b_.upload(c.sample.top_k, top_k.data());
  b_.upload(c.sample.temperature, temperature.data());
  b_.upload(c.sample.top_p, top_p.data());
  b_.upload(c.guidance, guidance.data());
  b_.upload(c.forced, forced.data());
}

// The captured step for so many lanes: embeds the codes sampled last, runs them through the model
// and samples the next ones.
CapturedStep& Lanes::captured(int64_t lanes) {
  std::unique_ptr<CapturedStep>& known = captured_[lanes];
  if (known) return *known;
  known = b_.capture([this, lanes] {
    const Controls c = controls(lanes);
    const ImageHeadActivations a = head_activations_.first(lanes);
    const Tensor x =
        inputs_.view(transformer_.activation(), {2 * lanes, config_.transformer.hidden});
    head_.embed_codes(b_, x, a);
    transformer_.forward(b_, x, c.rows, memory_.cache(), activations_);
    b_.rms_norm(a.hidden, x, transformer_.weights().final_norm, config_.transformer.norm_eps);
    head_.sample_codes(b_, a, c.guidance, c.sample);
    b_.finish_step(a.ids, c.forced, id_ring(lanes), c.sample.step, c.rows.position);
  });
  return *known;
}

void Lanes::step() {
  if (lanes_.empty()) return;
  if (changed_) upload(lanes_);
  changed_ = false;
  captured(filled_up(busy())).run();
  events_.push_back(b_.record_event());
  ++work_.steps;
  work_.busy_lane_steps += busy();
  bool last = !as_device_;
  for (Lane& lane : lanes_) {
    ++lane.unread;
    last = last || lane.drawn() == config_.image_tokens();
  }
  read_ids(last ? 0 : kRunAhead - 1);
  // Removing lanes changes the rows, so all steps in flight must end first.
  const auto failed = [](const Lane& lane) { return !lane.picture.finite; };
  if (std::any_of(lanes_.begin(), lanes_.end(), failed)) read_ids(0);
}

void Lanes::add_code(Lane& lane, int32_t code) {
  if (!lane.picture.finite) return;
  if (code >= 0) return lane.picture.codes.push_back(code);
  lane.picture.finite = false;
  for (int row = 0; row < 2; ++row) memory_.forget(2 * lane.index + row);
}

// Makes the lane idle again.
void Lanes::leave(const Lane& lane) {
  free_.push_back(lane.index);
  for (int row = 0; row < 2; ++row) memory_.leave(2 * lane.index + row);
}

Tensor Lanes::id_ring(int64_t lanes) const {
  return id_ring_.view(DType::kI32, {lanes, kRunAhead});
}

// Waits for all steps but the last `under_way` (in flight), and reads the ids that they have
// sampled.
void Lanes::read_ids(int64_t under_way) {
  const int64_t steps = static_cast<int64_t>(events_.size()) - under_way;
  if (steps <= 0) return;
  events_[steps - 1]->wait();
  events_.erase(events_.begin(), events_.begin() + steps);
  const int32_t* recorded = id_ring(busy()).as<int32_t>();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    for (; lane.unread > under_way; --lane.unread) {
      const int64_t n = lane.drawn() - lane.unread;
      add_code(lane, recorded[i * kRunAhead + n % kRunAhead]);
    }
  }
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
}

}  // namespace bifrons
