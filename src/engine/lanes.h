// Lanes: the slots of the continuous batch. Each lane holds one picture, at its own position, with
// its own prompt and settings.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "src/bifrons.h"
#include "src/engine/kv_cache_manager.h"
#include "src/engine/prefill.h"
#include "src/engine/requests.h"
#include "src/engine/window_width.h"
#include "src/model/image_head.h"
#include "src/model/text_head.h"
#include "src/model/transformer.h"

namespace bifrons {

// A picture being drawn: its request and the codes sampled so far.
struct LanePicture {
  uint64_t id = 0;  // of the caller
  GuidedPrompt prompt;
  std::vector<int32_t> codes;
  int64_t passes = 0;  // decode steps that it took part in
  int attempts = 0;    // times it entered a lane; a retry shares no memory
  bool finite = true;  // false: the numbers stopped being finite at code codes.size()
  std::chrono::steady_clock::time_point start{};
  std::shared_ptr<const Thought> thought{};  // that the prompt was made of
};

// A thought being written. It samples text tokens after its prompt until one of `stop` comes or
// there are `most`.
struct ThoughtTask {
  uint64_t id = 0;      // of the caller
  DrawRequest request;  // its `thinking` has the settings; its seed decides the noise
  std::vector<int32_t> prompt;
  int64_t most = 0;               // at least 1
  std::vector<int32_t> tokens{};  // sampled so far, without one of `stop`
  bool done = false;
  bool stopped = false;  // by a token of `stop`
  bool finite = true;    // false: the numbers stopped being finite after tokens.size() tokens
  std::chrono::steady_clock::time_point start{};
};

// Steps in flight: while the host reads the result of step n, the device already runs step n + 1.
// Between two calls of step() one step is in flight; stopping waits for it.
inline constexpr int64_t kRunAhead = 2;

// Spare lanes for padding rows: a device pads a step to the next captured batch size, and padding
// rows write to one shared page. Not needed on a CPU or with one lane, where steps are not padded.
constexpr int64_t spare_lanes(int64_t lanes, bool as_device) {
  return as_device && lanes > 1 ? 1 : 0;
}

// Counters for BatchStats.
struct LaneWork {
  int64_t steps = 0;
  int64_t busy_lane_steps = 0;
  int64_t columns = 0;     // columns of the windows of busy lanes; without windows: busy_lane_steps
  int64_t step_codes = 0;  // codes that steps gave
  int64_t first_codes = 0;  // codes that prefills gave
  int64_t prefill_rows = 0;
  int64_t shared_rows = 0;
  int64_t thought_steps = 0;   // passes that gave tokens of thoughts
  int64_t thought_tokens = 0;  // that they gave
};

// The continuous batch: pictures enter and leave between decode steps.
//
// Row contract (kernels/backend.h): the codes of a picture depend only on its prompt and settings,
// never on the other lanes, on the lane it is in, or on when it entered.
//
// Classifier-free guidance: rows R i to R i + R - 1 of a step are those of busy lane i, the
// unconditional one last. R is the same for all lanes; where a picture has fewer rows, its
// unconditional row is repeated with weight 0, which changes no bit. Busy lanes come first, so an
// idle lane costs nothing. Everything that differs between lanes or steps lies in memory of the
// backend, so one captured step serves every step with that many lanes and that width of windows.
//
// Speculative decoding (Jacobi decoding with the noise of each token fixed beforehand): a step runs
// a window of columns of every lane, its last accepted code and drafts of the codes after it. The
// noise of a token is a function of seed, step and code, so every column whose inputs are right
// gives the code that drawing one by one gives. So the codes are accepted up to the first that
// differs from its draft, that one included, and the codes behind it are the next drafts. The
// picture has the same bits for any drafts and widths. Keys and values of drafts are written in
// place. Those of rejected drafts are overwritten before a row reads them.
class Lanes {
 public:
  // All references are borrowed and must outlive the lanes.
  Lanes(Backend& backend, const Config& config, const Transformer& transformer,
        const ImageHead& image_head, RopeMode rope);
  // `as_device`: whether to treat the backend as a device. If so, steps are captured for a few
  // batch sizes and padded to the next one, and the host reads the ids one step later.
  Lanes(Backend& backend, const Config& config, const Transformer& transformer,
        const ImageHead& image_head, RopeMode rope, bool as_device);
  ~Lanes();

  // Allocates memory for `count` pictures of at most `rows` rows and for steps of at least
  // `columns` columns; only while no lane is busy. Throws Error (unavailable).
  void reserve(int64_t count, int64_t columns = 0, int64_t rows = 2);
  int64_t count() const { return count_; }
  // Width of the windows from now on, at most kMostWindow and as far as the columns reach; 1: no
  // speculative decoding; 0: what gives most codes a second (window_width.h). As a device, 0 is 1.
  void set_width(int64_t width) { asked_width_ = width; }
  // The width that one picture alone would have now.
  int64_t width_of_one() const;
  int64_t busy() const { return static_cast<int64_t>(lanes_.size()); }
  // Lanes that neither draw nor think.
  int64_t idle() const { return static_cast<int64_t>(free_.size()); }

  // Makes room for a picture with a prompt of this many tokens; guided_prompt() has checked that it
  // fits the model. Throws Error (unavailable); the lanes can go on as before.
  void make_room(int64_t prompt_tokens);

  // Prefill: runs the prompts of the pictures through the model and samples their first codes.
  // Takes at most idle() pictures, after make_room() for each. Returns the last ones if
  // there is no memory for their keys and values until a busy lane is done; it never returns all
  // when no lane is busy.
  std::vector<LanePicture> admit(std::vector<LanePicture> pictures);

  // One decode step: samples the next code of every busy lane, with windows often more. On a device
  // the step may still run when this returns, so a number that is not finite may be noticed one
  // step later.
  void step();

  // Removes and returns the pictures that have all their codes or are not finite.
  std::vector<LanePicture> take_finished();

  // Thoughts. A thought takes an idle lane: it is written in the lane's conditional sequence, by
  // steps of one row for each thought. A thought is a function of its prompt, settings and seed
  // alone. Its keys and values stay in the prefix cache, so a picture whose prompt goes on from it
  // runs only the rest of its prompt.
  //
  // `head` is borrowed; it must be set before the first thought.
  void set_text_head(const TextHead* head);
  // Runs the prompts and samples the first tokens. Takes at most idle() tasks, after make_room()
  // for prompt and `most` of each. Returns tasks as admit() returns pictures.
  std::vector<ThoughtTask> begin_thoughts(std::vector<ThoughtTask> tasks);
  int64_t thinking() const;
  // The tasks in progress, in the order in which they began.
  std::span<const ThoughtTask> thoughts() const;
  // One step: the next token of every thought.
  void think();
  // Removes and returns the thoughts that are done. Their lanes are idle again.
  std::vector<ThoughtTask> take_thoughts();

  // Drops all unfinished pictures and thoughts.
  void clear();

  const LaneWork& work() const { return work_; }
  // Pages that hold keys and values of busy lanes or of cached prefixes.
  int64_t pages_in_use() const { return memory_.pages_in_use(); }

 private:
  // A busy lane.
  struct Lane {
    LanePicture picture;
    int32_t index = 0;   // number of the lane; its sequences are R index and the next ones
    int64_t unread = 0;  // steps whose codes the host has not read
    int64_t row = -1;    // place among the lanes of the last upload; -1: it was not there
    std::vector<int32_t> drafts{};  // empty, or a code or -1 for each image token

    int64_t length() const { return static_cast<int64_t>(picture.prompt.prompted.size()); }
    int64_t drawn() const { return static_cast<int64_t>(picture.codes.size()); }
    // Draft of the code of image token `token`, which was not read yet; the last code for drawn()
    // - 1.
    int32_t draft(int64_t token) const;
  };
  struct Controls;  // settings of the lanes in device memory
  struct Uploaded;  // the same on the way there
  struct Thoughts;  // those in progress, and their memory

  bool find_memory(KvCacheManager::Entry& entry, std::span<const LanePicture> pictures);
  bool find_memory(KvCacheManager::Entry& entry, std::span<const WantedPrompt> wanted);
  void run_prompts(const KvCacheManager::Entry& entry, const Tensor& hidden);
  void run_wave(const PrefillPass& wave, std::span<const WantedPrompt> wanted,
                const Tensor& hidden);
  void forget_captured();
  void clear_thoughts();
  void reserve_thoughts();
  void upload_thoughts(std::span<const ThoughtTask> tasks, std::span<const int32_t> lanes);
  void sample_thoughts(int64_t rows);
  void read_thoughts(std::span<ThoughtTask> tasks);
  void leave_thought(const ThoughtTask& task, int32_t lane);
  int64_t control_bytes(int64_t lanes, int64_t columns) const;
  Controls controls(int64_t lanes, int64_t width) const;
  void sample_first_codes(std::span<const Lane> lanes);
  void upload(std::span<const Lane> lanes, int64_t width);
  void lay_out(int64_t width);
  void fetch_drafts();
  void add_code(Lane& lane, int32_t code);
  void leave(const Lane& lane);
  void read_ids(int64_t under_way);
  void read_step(Lane& lane, int64_t row);
  Tensor id_ring(int64_t lanes) const;
  Tensor draft_ring(int64_t lanes, int64_t width) const;
  CapturedStep& captured(int64_t lanes, int64_t width);
  void run_columns(const Controls& c, const ImageHeadActivations& entering,
                   const ImageHeadActivations& sampled, int64_t columns);
  void run_window(int64_t lanes, int64_t width);
  int64_t filled_up(int64_t lanes) const;
  int64_t next_width();

  Backend& b_;
  const Config& config_;
  const Transformer& transformer_;
  const ImageHead& head_;
  bool as_device_;

  int64_t count_ = 0;
  int32_t rows_ = 2;           // R: rows of a picture
  std::vector<Lane> lanes_;    // busy ones
  std::vector<int32_t> free_;  // indices of idle ones
  bool changed_ = false;       // lanes_ must be uploaded before the next step
  int64_t columns_ = 0;        // most columns of a step
  int64_t asked_width_ = 1;
  int64_t width_ = 1;     // of the last upload
  int64_t launched_ = 0;  // steps since then
  WindowWidth widths_;
  LaneWork work_;

  KvCacheManager memory_;
  Prefill prefill_;  // its activations are also those of the steps
  ImageHeadActivations head_activations_;
  Buffer inputs_;    // x [rows, D]
  Buffer controls_;  // see Controls
  Buffer id_ring_;   // i32 [count, kRunAhead], shared: code n of a lane is at n mod kRunAhead
  std::deque<std::unique_ptr<Event>> events_;  // one for each step whose ids were not read yet
  // i32 [lanes, kRunAhead (1 + width)], shared: DraftWindows::ring.
  Buffer draft_ring_;
  std::unique_ptr<Thoughts> thoughts_;
  // By number of lanes and width.
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<CapturedStep>> captured_;
};

// Columns for which steps of `lanes` pictures have memory. `speculate` is that of EngineOptions;
// automatic windows are narrower with more lanes, and a device has none.
constexpr int64_t window_columns(int64_t lanes, int64_t speculate, MemorySpace space,
                                 int64_t rows = 2) {
  constexpr int64_t kAutomatic = 64;
  if (lanes == 0) return 0;
  // A grid of blocks has at most 65,535 rows.
  const int64_t most = 64'000 / rows;
  if (speculate > 0) return std::max(lanes, std::min(lanes * speculate, most));
  return space == MemorySpace::kDevice ? lanes : std::max(lanes, kAutomatic);
}

}  // namespace bifrons
