// Decode steps of continuous batching over compacted lanes (docs/janus-pro.md 4.4): the busy lanes
// come first, whatever their indices. A step samples one code of every lane. With speculative
// decoding, it runs a window of drafts of every lane.
#include <algorithm>
#include <array>
#include <chrono>

#include "src/engine/lanes.h"

namespace bifrons {
namespace {

// Batch sizes (lanes) for which a device captures steps. A step of another size is padded to the
// next one.
constexpr std::array<int64_t, 14> kCapturedLanes = {1,  2,  4,  8,  12,  16,  24,
                                                    32, 48, 64, 96, 128, 192, 256};

}  // namespace

// Settings of the lanes in device memory. Each tensor is sized for all columns or all lanes
// (without windows, a lane is one column). A step uses the first rows. So addresses do not depend
// on the number of busy lanes, and captured steps stay valid.
struct Lanes::Controls {
  TokenRows rows;         // [R C]
  SampleControls sample;  // [C]
  Tensor guidance;        // f32 [(R - 1) C]
  Tensor inputs;          // i32 [R C], only with windows
  Tensor forced;          // i32 [P, image_tokens]; -1: sampled
  Tensor pass;            // i32 [P], only with windows

  static Controls lay_out(Arena& arena, int64_t lanes, int64_t columns, int64_t rows,
                          int64_t image_tokens) {
    Controls c;
    c.rows.sequence = arena.take(DType::kI32, {rows * columns});
    c.rows.position = arena.take(DType::kI32, {rows * columns});
    c.sample.seed = arena.take(DType::kI32, {columns, 2});
    c.sample.step = arena.take(DType::kI32, {columns});
    c.sample.top_k = arena.take(DType::kI32, {columns});
    c.sample.temperature = arena.take(DType::kF32, {columns});
    c.sample.top_p = arena.take(DType::kF32, {columns});
    c.guidance = arena.take(DType::kF32, {(rows - 1) * columns});
    c.inputs = arena.take(DType::kI32, {rows * columns});
    c.forced = arena.take(DType::kI32, {lanes, image_tokens});
    c.pass = arena.take(DType::kI32, {lanes});
    return c;
  }
};

// Host copy of the controls, filled lane by lane.
struct Lanes::Uploaded {
  std::vector<int32_t> sequence, position, ids, seed, step, top_k, forced;
  std::vector<float> temperature, top_p, guidance;
  int32_t rows = 2;  // of a column

  // A column that samples image token `token`. Its input `id` is at `at`; -1: idle.
  void add_column(const GuidedPrompt& p, int64_t token, int64_t at, int32_t first_sequence,
                  int32_t id) {
    for (int32_t row = 0; row < rows; ++row) {
      sequence.push_back(first_sequence + row);
      position.push_back(static_cast<int32_t>(at));
      ids.push_back(id);
    }
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(p.seed)));
    seed.push_back(static_cast<int32_t>(static_cast<uint32_t>(p.seed >> 32)));
    step.push_back(static_cast<int32_t>(token));
    top_k.push_back(static_cast<int32_t>(p.top_k));
    temperature.push_back(static_cast<float>(p.temperature));
    top_p.push_back(static_cast<float>(p.top_p));
    for (int32_t row = 0; row + 1 < rows; ++row) {
      guidance.push_back(static_cast<float>(p.scale(row)));
    }
  }
};

int32_t Lanes::Lane::draft(int64_t token) const {
  for (int64_t t = token; t >= drawn(); --t) {
    if (!picture.prompt.fixed.empty() && picture.prompt.fixed[t] >= 0) {
      return picture.prompt.fixed[t];
    }
    if (!drafts.empty() && drafts[t] >= 0) return drafts[t];
  }
  return picture.codes.empty() ? 0 : picture.codes.back();
}

int64_t Lanes::filled_up(int64_t lanes) const {
  if (!as_device_) return lanes;
  const auto next = std::lower_bound(kCapturedLanes.begin(), kCapturedLanes.end(), lanes);
  return next == kCapturedLanes.end() ? lanes : std::min(*next, count_);
}

int64_t Lanes::control_bytes(int64_t lanes, int64_t columns) const {
  return arena_bytes([&](Arena& arena) {
    Controls::lay_out(arena, lanes, columns, rows_, config_.image_tokens());
  });
}

Lanes::Controls Lanes::controls(int64_t lanes, int64_t width) const {
  Arena arena(controls_);
  Controls c = Controls::lay_out(arena, count_, columns_, rows_, config_.image_tokens());
  const int64_t columns = lanes * width;
  for (Tensor* pair : {&c.rows.sequence, &c.rows.position, &c.inputs}) {
    *pair = pair->first(rows_ * columns);
  }
  for (Tensor* one :
       {&c.sample.seed, &c.sample.step, &c.sample.top_k, &c.sample.temperature, &c.sample.top_p}) {
    *one = one->first(columns);
  }
  c.guidance = c.guidance.first((rows_ - 1) * columns);
  for (Tensor* one : {&c.forced, &c.pass}) *one = one->first(lanes);
  c.rows.shared = width;  // the columns of a window; its sequences take turns
  c.rows.stride = rows_;
  return c;
}

void Lanes::upload(std::span<const Lane> lanes, int64_t width) {
  const int64_t n = filled_up(static_cast<int64_t>(lanes.size())), tokens = config_.image_tokens();
  Uploaded u;
  u.rows = rows_;
  GuidedPrompt padding;
  padding.temperature = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Lane* lane = i < static_cast<int64_t>(lanes.size()) ? &lanes[i] : nullptr;
    const GuidedPrompt& p = lane ? lane->picture.prompt : padding;
    const int32_t sequence = lane ? rows_ * lane->index : memory_.spare_sequence();
    for (int64_t w = 0; w < width; ++w) {
      // Without windows, padding rows use the spare sequences, from position 0.
      if (!lane) {
        u.add_column(p, width == 1 ? 1 : tokens, width == 1 ? 0 : -1, sequence, 0);
        continue;
      }
      const int64_t token = lane->drawn() + w;
      const int64_t at = token < tokens || width == 1 ? lane->length() + token - 1 : -1;
      u.add_column(p, token, at, sequence, at < 0 ? 0 : lane->draft(token - 1));
    }
    u.forced.insert(u.forced.end(), p.fixed.begin(), p.fixed.end());
    if (p.fixed.empty()) u.forced.insert(u.forced.end(), tokens, -1);
  }
  const Controls c = controls(n, width);
  b_.upload(c.rows.sequence, u.sequence.data());
  b_.upload(c.rows.position, u.position.data());
  b_.upload(width == 1 ? head_activations_.first(n).ids : c.inputs, u.ids.data());
  b_.upload(c.sample.seed, u.seed.data());
  b_.upload(c.sample.step, u.step.data());
  b_.upload(c.sample.top_k, u.top_k.data());
  b_.upload(c.sample.temperature, u.temperature.data());
  b_.upload(c.sample.top_p, u.top_p.data());
  b_.upload(c.guidance, u.guidance.data());
  b_.upload(c.forced, u.forced.data());
  const std::vector<int32_t> none(n, 0);
  if (width > 1) b_.upload(c.pass, none.data());
}

void Lanes::sample_first_codes(std::span<const Lane> lanes) {
  upload(lanes, 1);
  const int64_t n = static_cast<int64_t>(lanes.size());
  const Controls c = controls(n, 1);
  head_.sample_codes(b_, head_activations_.first(n), c.guidance, c.sample);
  b_.force_ids(head_activations_.first(n).ids, c.forced, c.sample.step);
}

// Uploads the busy lanes for steps of this width. The host must have read the codes of all steps.
void Lanes::lay_out(int64_t width) {
  fetch_drafts();
  upload(lanes_, width);
  for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i].row = static_cast<int64_t>(i);
  width_ = width;
  launched_ = 0;
  changed_ = false;
}

// Reads the drafts of the lanes of the last upload.
void Lanes::fetch_drafts() {
  if (width_ == 1) return;
  int64_t rows = 0;
  for (const Lane& lane : lanes_) rows = std::max(rows, lane.row + 1);
  if (rows == 0) return;
  std::vector<int32_t> inputs(rows_ * rows * width_);
  b_.download(inputs.data(), controls(rows, width_).inputs);
  for (Lane& lane : lanes_) {
    if (lane.row < 0) continue;
    if (lane.drafts.empty()) lane.drafts.assign(config_.image_tokens(), -1);
    for (int64_t w = 1; w < width_; ++w) {
      const int64_t token = lane.drawn() + w - 1;
      if (token >= config_.image_tokens()) break;
      lane.drafts[token] = inputs[rows_ * (lane.row * width_ + w)];
    }
  }
}

// The captured step for this many lanes: it embeds the codes sampled last, runs the model and
// samples the next codes.
CapturedStep& Lanes::captured(int64_t lanes, int64_t width) {
  std::unique_ptr<CapturedStep>& known = captured_[{lanes, width}];
  if (known) return *known;
  if (width > 1) {
    known = b_.capture([this, lanes, width] { run_window(lanes, width); });
    return *known;
  }
  known = b_.capture([this, lanes] {
    const Controls c = controls(lanes, 1);
    const ImageHeadActivations a = head_activations_.first(lanes);
    run_columns(c, a, a, lanes);
    b_.finish_step(a.ids, c.forced, id_ring(lanes), c.sample.step, c.rows.position);
  });
  return *known;
}

// Embeds the codes `entering.ids`, runs them through the model and samples the code after each.
void Lanes::run_columns(const Controls& c, const ImageHeadActivations& entering,
                        const ImageHeadActivations& sampled, int64_t columns) {
  const Tensor x =
      inputs_.view(transformer_.activation(), {rows_ * columns, config_.transformer.hidden});
  head_.embed_codes(b_, x, entering);
  transformer_.forward(b_, x, c.rows, memory_.cache(), prefill_.activations());
  head_.norm_and_sample(b_, x, transformer_.weights().final_norm, sampled, c.guidance, c.sample);
}

// The same step with windows: all columns are sampled, then the drafts are verified.
void Lanes::run_window(int64_t lanes, int64_t width) {
  const int64_t columns = lanes * width;
  const Controls c = controls(lanes, width);
  const ImageHeadActivations a = head_activations_.first(columns);
  ImageHeadActivations entering = head_activations_.first(columns);
  entering.ids = c.inputs;
  run_columns(c, entering, a, columns);
  b_.accept_drafts(
      {c.inputs, c.forced, c.sample.step, c.rows.position, draft_ring(lanes, width), c.pass},
      a.ids);
}

// Width of the next step.
int64_t Lanes::next_width() {
  const int64_t most = std::min(kMostWindow, columns_ / filled_up(busy()));
  int64_t width = std::min(asked_width_, most);
  if (asked_width_ == 0) width = as_device_ ? 1 : widths_.choose(busy(), most);
  if (as_device_) return width;
  int64_t left = 1;  // columns: the host runs none that is idle in all lanes
  for (const Lane& lane : lanes_) left = std::max(left, config_.image_tokens() - lane.drawn());
  return std::min(width, left);
}

int64_t Lanes::width_of_one() const {
  const int64_t most = std::min(kMostWindow, columns_);
  if (asked_width_ > 0) return std::max<int64_t>(1, std::min(asked_width_, most));
  return as_device_ ? 1 : widths_.best(1, most);
}

void Lanes::step() {
  if (lanes_.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  const int64_t codes = work_.step_codes, width = next_width(), lanes = busy();
  if (width != width_) read_ids(0);
  if (changed_ || width != width_) lay_out(width);
  captured(filled_up(lanes), width).run();
  events_.push_back(b_.record_event());
  ++launched_;
  ++work_.steps;
  work_.busy_lane_steps += lanes;
  work_.columns += lanes * width;
  bool last = !as_device_;
  for (Lane& lane : lanes_) {
    ++lane.unread;
    ++lane.picture.passes;
    // The steps in flight may have finished the picture.
    last = last || lane.drawn() + lane.unread * width >= config_.image_tokens();
  }
  read_ids(last ? 0 : kRunAhead - 1);
  // Removing lanes changes the rows, so all steps in flight must end first.
  const auto failed = [](const Lane& lane) { return !lane.picture.finite; };
  if (std::any_of(lanes_.begin(), lanes_.end(), failed)) read_ids(0);
  if (as_device_) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  widths_.took(lanes, width, took.count(), work_.step_codes - codes);
}

Tensor Lanes::id_ring(int64_t lanes) const {
  return id_ring_.view(DType::kI32, {lanes, kRunAhead});
}

Tensor Lanes::draft_ring(int64_t lanes, int64_t width) const {
  return draft_ring_.view(DType::kI32, {lanes, kRunAhead * (1 + width)});
}

// Waits until only the last `under_way` steps are in flight, and reads the codes of the others.
void Lanes::read_ids(int64_t under_way) {
  const int64_t steps = static_cast<int64_t>(events_.size()) - under_way;
  if (steps <= 0) return;
  events_[steps - 1]->wait();
  events_.erase(events_.begin(), events_.begin() + steps);
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    const int64_t before = lane.drawn();
    for (; lane.unread > under_way; --lane.unread) read_step(lane, static_cast<int64_t>(i));
    work_.step_codes += lane.drawn() - before;
  }
}

// Reads the codes of the oldest unread step.
void Lanes::read_step(Lane& lane, int64_t row) {
  if (width_ == 1) {
    const int32_t* recorded = id_ring(busy()).as<int32_t>() + row * kRunAhead;
    add_code(lane, recorded[lane.drawn() % kRunAhead]);
    return;
  }
  const int64_t slot = (launched_ - lane.unread) % kRunAhead;
  const int32_t* recorded =
      draft_ring(busy(), width_).as<int32_t>() + (row * kRunAhead + slot) * (1 + width_);
  for (int32_t i = 0; i < recorded[0]; ++i) add_code(lane, recorded[1 + i]);
}

}  // namespace bifrons
