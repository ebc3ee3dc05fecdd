// Pictures drawn side by side, each at its own position, with its own prompt and settings.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "src/bifrons.h"
#include "src/engine/kv_cache_manager.h"
#include "src/engine/requests.h"
#include "src/model/image_head.h"
#include "src/model/transformer.h"

namespace bifrons {

// A picture on its way: what it was asked for and what has been drawn of it.
struct LanePicture {
  uint64_t id = 0;  // the owner's
  GuidedPrompt prompt;
  std::vector<int32_t> codes;
  int attempts = 0;    // times it entered a lane; the second time it shares no memory
  bool finite = true;  // false: the numbers stopped being finite at code codes.size()
  std::chrono::steady_clock::time_point start{};
};

// Steps that a device may have before it: one it is at, and one it goes on with while the host
// reads what the first has drawn. Between two calls of step() one is under way: stopping waits for
// that.
inline constexpr int64_t kRunAhead = 2;

// Places beside the lanes that rows work on which only fill a step up, each with one page for all
// positions: none where every step has as many lanes as there are.
constexpr int64_t spare_lanes(int64_t lanes, bool as_device) {
  return as_device && lanes > 1 ? 1 : 0;
}

// Counters of what lanes did, for BatchStats.
struct LaneWork {
  int64_t steps = 0;
  int64_t busy_lane_steps = 0;
  int64_t prefill_rows = 0;
  int64_t shared_rows = 0;
};

// Row contract (kernels/backend.h): the codes of a picture depend on its prompt and settings alone,
// never on the lanes beside it, the lane it is in, or when it entered.
//
// Rows 2 i and 2 i + 1 of a step are busy lane i prompted and unprompted; busy lanes come first, so
// an idle lane costs nothing. Everything that differs between lanes or steps lies in memory of the
// backend, so that one recording serves every step of as many lanes.
class Lanes {
 public:
  // All are borrowed and must outlive the lanes.
  Lanes(Backend& backend, const Config& config, const Transformer& transformer,
        const ImageHead& image_head, RopeMode rope);
  // The same, told whether to treat the backend as a device: steps are filled up to a few numbers
  // of lanes, for which they are recorded, and the host reads what was drawn one step later.
  Lanes(Backend& backend, const Config& config, const Transformer& transformer,
        const ImageHead& image_head, RopeMode rope, bool as_device);
  ~Lanes();

  // Room for `count` pictures; only while none is busy. Throws Error (unavailable).
  void reserve(int64_t count);
  int64_t count() const { return count_; }
  int64_t busy() const { return static_cast<int64_t>(lanes_.size()); }

  // Room for a picture with a prompt of so many tokens, which guided_prompt() has found to fit the
  // model. Throws Error (unavailable); the lanes go on as before.
  void make_room(int64_t prompt_tokens);

  // Runs the prompts of the pictures through the model and draws their first codes. At most
  // count() - busy() of them, after make_room() for each. Gives back the last ones of them when
  // there is no memory for their keys and values until a busy lane is done; never all when none is
  // busy.
  std::vector<LanePicture> admit(std::vector<LanePicture> pictures);

  // Draws one code more of every busy lane. A device may still be at it, and a number that is not
  // finite be noticed one step later.
  void step();

  // Takes out the pictures that have all their codes or are not finite.
  std::vector<LanePicture> take_finished();

  // Forgets pictures that are not finished.
  void clear();

  const LaneWork& work() const { return work_; }
  // Pages that hold keys and values of busy lanes, or of prompts that may come again.
  int64_t pages_in_use() const { return memory_.pages_in_use(); }

 private:
  // A busy lane.
  struct Lane {
    LanePicture picture;
    int32_t index = 0;   // which lane: its sequences are 2 index and 2 index + 1
    int64_t unread = 0;  // codes drawn that only the backend knows

    int64_t length() const { return static_cast<int64_t>(picture.prompt.prompted.size()); }
    int64_t drawn() const { return static_cast<int64_t>(picture.codes.size()) + unread; }
  };
  struct Controls;  // what the device knows about the lanes

  bool find_memory(KvCacheManager::Entry& entry, std::span<const LanePicture> pictures);
  void run_prompts(const PrefillPass& wave, std::span<const WantedPrompt> wanted);
  Controls controls(int64_t lanes) const;
  void upload(std::span<const Lane> lanes);
  void add_code(Lane& lane, int32_t code);
  void leave(const Lane& lane);
  void read_ids(int64_t under_way);
  Tensor id_ring(int64_t lanes) const;
  CapturedStep& recording(int64_t lanes);
  int64_t filled_up(int64_t lanes) const;

  Backend& b_;
  const Config& config_;
  const Transformer& transformer_;
  const ImageHead& head_;
  bool as_device_;

  int64_t count_ = 0;
  std::vector<Lane> lanes_;    // busy ones
  std::vector<int32_t> free_;  // places of idle ones
  bool changed_ = false;       // the device does not know lanes_ yet
  LaneWork work_;

  KvCacheManager memory_;
  TransformerActivations activations_;
  ImageHeadActivations head_activations_;
  Buffer inputs_;    // x [rows, D]
  Buffer rows_;      // i32 ids, sequences, positions of prefill rows
  Buffer controls_;  // see Controls
  Buffer
      id_ring_;  // i32 [count, kRunAhead]: code n of a lane at n mod kRunAhead; the host reads it
  std::deque<std::unique_ptr<Event>> events_;  // after every step whose id_ring were not read
  std::map<int64_t, std::unique_ptr<CapturedStep>> captured_;  // by lanes in a step
};

// Rows that one prefill call takes; longer prompts go in several.
inline constexpr int64_t kPrefillRows = 256;

}  // namespace bifrons
