// plan() works on copies of the page table and the prefix cache, so a plan that does not fit
// changes nothing.
#include "src/engine/kv_cache_manager.h"

#include <algorithm>
#include <utility>

#include "src/engine/memory_plan.h"

namespace bifrons {

void KvCacheManager::reserve(int64_t lanes, bool spare, int64_t rows) {
  const int64_t most = config_.transformer.max_positions, tokens = config_.image_tokens();
  const int64_t prompt = std::clamp<int64_t>(most - tokens + 1, 1, kPlannedPromptTokens);
  const int64_t capacity = std::max(memory_.capacity, positions(prompt));
  const int64_t sequences = rows * (lanes + (spare ? 1 : 0));
  const int64_t pages = pages_of_lanes(lanes, prompt, tokens, rows) + (spare ? 1 : 0);
  memory_ = {};  // the old memory is freed first, so that the peak is only the new size
  cached_ids_.clear();
  pages_ = {};
  spare_ = spare;
  rows_ = rows;
  memory_ = transformer_.make_memory(b_, sequences, capacity, pages, inverse_frequency_);
  cached_ids_.resize(sequences);
  pages_ = PageTable(sequences, pages);
  if (spare) pages_.hold(spare_sequence(), spare_sequence(), 0, 1);
}

bool KvCacheManager::has_room(int64_t prompt_tokens) const {
  return positions(prompt_tokens) <= memory_.capacity &&
         pages_alone(prompt_tokens) <= memory_.pages;
}

void KvCacheManager::make_room(int64_t prompt_tokens) {
  if (positions(prompt_tokens) > memory_.capacity) {
    int64_t room = kPlannedPromptTokens;
    while (room < prompt_tokens) room *= 2;
    widen(b_, memory_, std::min(positions(room), config_.transformer.max_positions),
          inverse_frequency_);
    upload_page_table();
  }
  add_pages(b_, memory_, pages_alone(prompt_tokens));
  pages_.add(memory_.pages);
}

KvCacheManager::Entry KvCacheManager::plan(std::span<const WantedPrompt> wanted,
                                           std::span<const int32_t> forgotten) const {
  Entry entry{.wanted = {wanted.begin(), wanted.end()},
              .waves = {},
              .copies = {},
              .cached = cached_ids_,
              .pages = pages_};
  for (const int32_t sequence : forgotten) {
    entry.pages.shorten(sequence, 0);
    entry.cached[sequence].clear();
  }
  entry.waves = plan_prefill(entry.cached, entry.wanted);
  for (const PrefillPass& wave : entry.waves) {
    std::vector<PageCopy>& copies = entry.copies.emplace_back();
    for (const PromptRun& run : wave) {
      const int32_t sequence = entry.wanted[run.index].sequence;
      const int64_t after = entry.wanted[run.index].after;
      const auto copy = entry.pages.hold(sequence, run.from, run.begin,
                                         after < 0 ? positions(run.end) : run.end + after);
      if (copy) copies.push_back(*copy);
    }
  }
  return entry;
}

bool KvCacheManager::grow_pool(const Entry& entry) {
  try {
    add_pages(b_, memory_, entry.pages.pages());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnavailable) throw;
    return false;
  }
  return true;
}

void KvCacheManager::enter(Entry& entry) {
  check(has_pages(entry), "enter: the plan needs more pages than there are");
  cached_ids_ = std::move(entry.cached);
  pages_ = std::move(entry.pages);
  upload_page_table();
}

void KvCacheManager::copy_shared_tails(const Entry& entry, size_t wave) {
  for (const PageCopy& copy : entry.copies[wave]) {
    copy_page(b_, memory_, copy.to, copy.from, copy.positions);
  }
}

void KvCacheManager::leave(int32_t sequence) {
  pages_.shorten(sequence, static_cast<int64_t>(cached_ids_[sequence].size()));
}

void KvCacheManager::forget_all() {
  const auto sequences =
      static_cast<int32_t>(memory_.sequences) - static_cast<int32_t>(spare_ ? rows_ : 0);
  for (int32_t sequence = 0; sequence < sequences; ++sequence) {
    forget(sequence);
    leave(sequence);
  }
}

// All positions of the spare sequences lie in one page. What is written there is never used.
void KvCacheManager::upload_page_table() {
  std::vector<std::vector<int32_t>> pages(pages_.all().begin(), pages_.all().end());
  if (spare_) {
    const std::vector<int32_t> one(pages_for(memory_.capacity), pages[spare_sequence()].at(0));
    for (int64_t row = 0; row < rows_; ++row) pages[spare_sequence() + row] = one;
  }
  set_table(b_, memory_, pages);
}

}  // namespace bifrons
