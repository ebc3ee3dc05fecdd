// Keys and values of lanes: what lies in which sequence, and room for what enters.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "src/engine/page_table.h"
#include "src/engine/prefill_plan.h"
#include "src/model/config.h"
#include "src/model/transformer.h"

namespace bifrons {

// MemorySpace i has sequences 2 i, prompted, and 2 i + 1, unprompted.
class KvCacheManager {
 public:
  // What it means for the memory that prompts enter.
  struct Entry {
    std::vector<WantedPrompt> wanted;
    std::vector<PrefillPass> waves;
    std::vector<std::vector<PageCopy>> copies;  // a list a wave
    std::vector<TokenIds> cached;               // afterwards
    PageTable pages;                            // afterwards
  };

  // All are borrowed. inverse_frequency: f32 [head_dim / 2] (src/model/rope.h).
  KvCacheManager(Backend& backend, const Config& config, const Transformer& transformer,
                 std::vector<float> inverse_frequency)
      : b_(backend),
        config_(config),
        transformer_(transformer),
        inverse_frequency_(std::move(inverse_frequency)) {}

  // New memory for so many pictures with prompts of kPlannedPromptTokens. With a spare place, which
  // is the last one, rows of no picture can work there. Throws Error (unavailable); then there is
  // none.
  void reserve(int64_t lanes, bool spare);
  int64_t lanes() const { return memory_.sequences / 2; }
  int32_t spare_sequence() const { return static_cast<int32_t>(memory_.sequences - 2); }
  const PagedKvCache& cache() const { return memory_; }
  int64_t pages_in_use() const { return pages_.in_use(); }

  // Whether a picture with a prompt of so many tokens has room when no other is there.
  bool has_room(int64_t prompt_tokens) const;
  // Makes it. Memory moves: nothing may be under way, and what was recorded with it is void. Throws
  // Error (unavailable); what is held stays as it is.
  void make_room(int64_t prompt_tokens);

  // What entering would take; nothing is changed. What the sequences `forgotten` remember gives
  // way.
  Entry plan(std::span<const WantedPrompt> wanted, std::span<const int32_t> forgotten) const;
  bool has_pages(const Entry& entry) const { return entry.pages.pages() <= memory_.pages; }
  // Gets what is missing, if the backend has it. Memory may move, as in make_room().
  bool grow_pool(const Entry& entry);
  // From now on the sequences hold what was planned; has_pages() is true. Each wave's copies are
  // still to be made, and then its runs.
  void enter(Entry& entry);
  void copy_shared_tails(const Entry& entry, size_t wave);

  // The sequence's picture is done or dropped: its prompt stays, in case it comes again.
  void leave(int32_t sequence);
  // What lies there is not to be trusted.
  void forget(int32_t sequence) { cached_ids_[sequence].clear(); }
  // For all sequences, none of which is busy; their pages are free.
  void forget_all();

 private:
  int64_t positions(int64_t prompt_tokens) const {
    return prompt_tokens + config_.image_tokens() - 1;
  }
  int64_t pages_alone(int64_t prompt_tokens) const {
    return 2 * pages_for(positions(prompt_tokens)) + (spare_ ? 1 : 0);
  }
  void upload_page_table();

  Backend& b_;
  const Config& config_;
  const Transformer& transformer_;
  std::vector<float> inverse_frequency_;

  PagedKvCache memory_;
  PageTable pages_;
  std::vector<TokenIds> cached_ids_;  // per sequence: ids of its first positions
  bool spare_ = false;
};

}  // namespace bifrons
