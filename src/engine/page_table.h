// Page table of a PagedKvCache: which sequence holds which pages. Host bookkeeping only; nothing
// here touches a device.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/model/paged_kv_cache.h"

namespace bifrons {

// Copy the first `positions` positions of page `from` to page `to`.
struct PageCopy {
  int32_t to = 0;
  int32_t from = 0;
  int64_t positions = 0;
};

// Pages are handed out one by one and freed when no sequence holds them. A page with more than one
// holder lies entirely inside the shared prefix and is read-only.
class PageTable {
 public:
  PageTable() = default;
  // A pool of `pages`. When it is used up, the table continues as if there were more pages: pages()
  // is the number needed.
  PageTable(int64_t sequences, int64_t pages) : of_sequence_(sequences), holders_(pages, 0) {
    for (int64_t page = pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
  }

  int64_t pages() const { return static_cast<int64_t>(holders_.size()); }
  int64_t in_use() const { return pages() - static_cast<int64_t>(free_.size()); }
  // The pages of every sequence, in the order of the positions.
  std::span<const std::vector<int32_t>> all() const { return of_sequence_; }

  // Grows the pool to `pages`.
  void add(int64_t pages);

  // Gives `sequence` room for `positions`. Its first `common` positions are taken from sequence
  // `from` (which may be `sequence` itself): whole pages are shared, and of the page in which
  // `common` ends it gets a copy. The caller must make the returned copy before anything else is
  // written. The pages that `sequence` held before are given up.
  std::optional<PageCopy> hold(int32_t sequence, int32_t from, int64_t common, int64_t positions);

  // Gives up the pages after the first `positions` positions.
  void shorten(int32_t sequence, int64_t positions);

 private:
  int32_t take();
  void give_back(std::span<const int32_t> pages);

  std::vector<std::vector<int32_t>> of_sequence_;
  std::vector<int32_t> holders_;  // by page: number of sequences that hold it
  std::vector<int32_t> free_;
};

// Pages that `lanes` pictures at once need, with prompts of this many tokens. Each has `rows` rows;
// the unconditional rows share all whole pages of the prompt except the one with the last token.
constexpr int64_t pages_of_lanes(int64_t lanes, int64_t prompt_tokens, int64_t image_tokens,
                                 int64_t rows = 2) {
  const int64_t row = pages_for(prompt_tokens + image_tokens - 1);
  const int64_t common = (prompt_tokens - 1) / kPageTokens;
  return lanes == 0 ? 0 : common + lanes * (rows * row - common);
}

}  // namespace bifrons
