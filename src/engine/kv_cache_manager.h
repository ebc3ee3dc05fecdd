// KV cache manager of the lanes: the paged KV cache, its page table, and the prefix cache (which
// token ids each sequence holds already).
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

// Lane i has the sequences R i to R i + R - 1, one for each row of a picture; the unconditional row
// is the last. R is 2 for a pair of rows.
class KvCacheManager {
 public:
  // A plan to admit prompts: what to copy, what to run, and the state of the memory afterwards.
  struct Entry {
    std::vector<WantedPrompt> wanted;
    std::vector<PrefillPass> waves;
    std::vector<std::vector<PageCopy>> copies;  // one list per prefill pass
    std::vector<TokenIds> cached;               // cached_ids_ afterwards
    PageTable pages;                            // pages_ afterwards
  };

  // All references are borrowed. inverse_frequency: f32 [head_dim / 2] (src/model/rope.h).
  KvCacheManager(Backend& backend, const Config& config, const Transformer& transformer,
                 std::vector<float> inverse_frequency)
      : b_(backend),
        config_(config),
        transformer_(transformer),
        inverse_frequency_(std::move(inverse_frequency)) {}

  // New memory for `lanes` pictures of `rows` rows with prompts of kPlannedPromptTokens. `spare`:
  // with one more lane, the last one, for padding rows that belong to no picture. Throws Error
  // (unavailable); then there is no memory.
  void reserve(int64_t lanes, bool spare, int64_t rows = 2);
  int64_t lanes() const { return memory_.sequences / rows_; }
  int32_t spare_sequence() const { return static_cast<int32_t>(memory_.sequences - rows_); }
  const PagedKvCache& cache() const { return memory_; }
  int64_t pages_in_use() const { return pages_.in_use(); }

  // Whether a picture with a prompt of this many tokens fits when the cache is otherwise empty.
  bool has_room(int64_t prompt_tokens) const;
  // Grows the cache so that it fits. Memory moves: no work may be in flight, and captured steps
  // that use it become invalid. Throws Error (unavailable); the contents stay.
  void make_room(int64_t prompt_tokens);

  // Plans the admission of `wanted`; changes nothing. The prefixes cached in the sequences
  // `forgotten` may be evicted.
  Entry plan(std::span<const WantedPrompt> wanted, std::span<const int32_t> forgotten) const;
  bool has_pages(const Entry& entry) const { return entry.pages.pages() <= memory_.pages; }
  // Allocates the missing pages; false if the backend has too little memory. Memory may move, as in
  // make_room().
  bool grow_pool(const Entry& entry);
  // Carries out the plan; has_pages() must be true. Afterwards the caller makes the copies of each
  // pass and runs its prompts.
  void enter(Entry& entry);
  void copy_shared_tails(const Entry& entry, size_t wave);

  // The sequence's picture is done or dropped. Its prompt stays in the prefix cache.
  void leave(int32_t sequence);
  // The sequence holds keys and values of exactly these ids from now on.
  void note(int32_t sequence, TokenIds ids) { cached_ids_[sequence] = std::move(ids); }
  // Removes the sequence from the prefix cache: its contents may be wrong.
  void forget(int32_t sequence) { cached_ids_[sequence].clear(); }
  // The same for all sequences (none may be busy), and frees their pages.
  void forget_all();

 private:
  int64_t positions(int64_t prompt_tokens) const {
    return prompt_tokens + config_.image_tokens() - 1;
  }
  int64_t pages_alone(int64_t prompt_tokens) const {
    return rows_ * pages_for(positions(prompt_tokens)) + (spare_ ? 1 : 0);
  }
  void upload_page_table();

  Backend& b_;
  const Config& config_;
  const Transformer& transformer_;
  std::vector<float> inverse_frequency_;

  PagedKvCache memory_;
  PageTable pages_;
  std::vector<TokenIds> cached_ids_;  // prefix cache: per sequence, ids of its first positions
  bool spare_ = false;
  int64_t rows_ = 2;
};

}  // namespace bifrons
