// Who holds which pages of a PagedKvCache. Bookkeeping of the host; nothing here touches a
// device.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/model/paged_kv_cache.h"

namespace bifrons {

// The first `positions` of page `from` to page `to`.
struct PageCopy {
  int32_t to = 0;
  int32_t from = 0;
  int64_t positions = 0;
};

// Pages are handed out one by one and come back when no sequence holds them any more. A page that
// several sequences hold lies wholly in what they have in common: none of them may write to it.
class PageTable {
 public:
  PageTable() = default;
  // A pool of `pages`. When it is used up it counts on as if there were more: pages() tells how
  // many there must be.
  PageTable(int64_t sequences, int64_t pages) : of_sequence_(sequences), holders_(pages, 0) {
    for (int64_t page = pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
  }

  int64_t pages() const { return static_cast<int64_t>(holders_.size()); }
  int64_t in_use() const { return pages() - static_cast<int64_t>(free_.size()); }
  // By sequence, in the order of the positions.
  std::span<const std::vector<int32_t>> all() const { return of_sequence_; }

  // More pages than there were.
  void add(int64_t pages);

  // `sequence` gets room for `positions`, of which it has the first `common` from sequence `from`,
  // perhaps itself: whole pages of them are held by both, and of the page in which `common` ends it
  // gets a copy, which is the caller's to make before anything else is written. What it held before
  // goes.
  std::optional<PageCopy> hold(int32_t sequence, int32_t from, int64_t common, int64_t positions);

  // Gives back what lies behind the first `positions`.
  void shorten(int32_t sequence, int64_t positions);

 private:
  int32_t take();
  void give_back(std::span<const int32_t> pages);

  std::vector<std::vector<int32_t>> of_sequence_;
  std::vector<int32_t> holders_;  // by page
  std::vector<int32_t> free_;
};

// Pages that `lanes` pictures at once take: two rows each, with prompts of so many tokens, whose
// unprompted rows share all whole pages but the one with the last token.
constexpr int64_t pages_of_lanes(int64_t lanes, int64_t prompt_tokens, int64_t image_tokens) {
  const int64_t row = pages_for(prompt_tokens + image_tokens - 1);
  const int64_t common = (prompt_tokens - 1) / kPageTokens;
  return lanes == 0 ? 0 : common + lanes * (2 * row - common);
}

}  // namespace bifrons
