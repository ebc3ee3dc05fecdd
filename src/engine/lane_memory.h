// Keys and values of lanes: what lies in which slot, and room for what enters.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "src/engine/pages.h"
#include "src/engine/prefill_plan.h"
#include "src/model/config.h"
#include "src/model/transformer.h"

namespace bifrons {

// Place i has slots 2 i, prompted, and 2 i + 1, unprompted.
class LaneMemory {
 public:
  // What it means for the memory that prompts enter.
  struct Entry {
    std::vector<WantedPrompt> wanted;
    std::vector<PrefillWave> waves;
    std::vector<std::vector<PageCopy>> copies;  // a list a wave
    std::vector<TokenIds> remembered;           // afterwards
    PageTable pages;                            // afterwards
  };

  // All are borrowed. inverse_frequency: f32 [head_dim / 2] (src/model/rope.h).
  LaneMemory(Backend& backend, const Config& config, const Transformer& transformer,
             std::vector<float> inverse_frequency)
      : b_(backend),
        config_(config),
        transformer_(transformer),
        inverse_frequency_(std::move(inverse_frequency)) {}

  // New memory for so many pictures with prompts of kPlannedPromptTokens. With a spare place, which
  // is the last one, rows of no picture can work there. Throws Error (unavailable); then there is
  // none.
  void reserve(int64_t lanes, bool spare);
  int64_t places() const { return memory_.slots / 2; }
  int32_t spare_slot() const { return static_cast<int32_t>(memory_.slots - 2); }
  const SequenceMemory& sequences() const { return memory_; }
  int64_t pages_in_use() const { return pages_.in_use(); }

  // Whether a picture with a prompt of so many tokens has room when no other is there.
  bool has_room(int64_t prompt_tokens) const;
  // Makes it. Memory moves: nothing may be under way, and what was recorded with it is void. Throws
  // Error (unavailable); what is held stays as it is.
  void make_room(int64_t prompt_tokens);

  // What entering would take; nothing is changed. What the slots `forgotten` remember gives way.
  Entry plan(std::span<const WantedPrompt> wanted, std::span<const int32_t> forgotten) const;
  bool has_pages(const Entry& entry) const { return entry.pages.pages() <= memory_.pages; }
  // Gets what is missing, if the backend has it. Memory may move, as in make_room().
  bool get_pages(const Entry& entry);
  // From now on the slots hold what was planned; has_pages() is true. Each wave's copies are still
  // to be made, and then its runs.
  void enter(Entry& entry);
  void make_copies(const Entry& entry, size_t wave);

  // The slot's picture is done or dropped: its prompt stays, in case it comes again.
  void leave(int32_t slot);
  // What lies there is not to be trusted.
  void forget(int32_t slot) { remembered_[slot].clear(); }
  // For all slots, none of which is busy; their pages are free.
  void forget_all();

 private:
  int64_t positions(int64_t prompt_tokens) const {
    return prompt_tokens + config_.image_tokens() - 1;
  }
  int64_t pages_alone(int64_t prompt_tokens) const {
    return 2 * pages_for(positions(prompt_tokens)) + (spare_ ? 1 : 0);
  }
  void show_table();

  Backend& b_;
  const Config& config_;
  const Transformer& transformer_;
  std::vector<float> inverse_frequency_;

  SequenceMemory memory_;
  PageTable pages_;
  std::vector<TokenIds> remembered_;  // per slot: ids of its first positions
  bool spare_ = false;
};

}  // namespace bifrons
