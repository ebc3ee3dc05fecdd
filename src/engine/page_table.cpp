// Page table with reference counts; the page freed last is reused first.
#include "src/engine/page_table.h"

#include <algorithm>
#include <utility>

#include "kernels/error.h"

namespace bifrons {

void PageTable::add(int64_t pages) {
  while (this->pages() < pages) {
    free_.insert(free_.begin(), static_cast<int32_t>(this->pages()));
    holders_.push_back(0);
  }
}

int32_t PageTable::take() {
  if (free_.empty()) add(pages() + 1);
  const int32_t page = free_.back();
  free_.pop_back();
  holders_[page] = 1;
  return page;
}

// From the end, so that neighbouring pages will be handed out as neighbours again.
void PageTable::give_back(std::span<const int32_t> pages) {
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) {
    if (--holders_[*page] == 0) free_.push_back(*page);
  }
}

std::optional<PageCopy> PageTable::hold(int32_t sequence, int32_t from, int64_t common,
                                        int64_t positions) {
  const std::vector<int32_t>& source = of_sequence_[from];
  const int64_t whole = common / kPageTokens, rest = common % kPageTokens;
  check(common <= positions && pages_for(common) <= static_cast<int64_t>(source.size()),
        "hold: the other sequence does not hold that much");
  std::vector<int32_t> pages(source.begin(), source.begin() + whole);
  std::optional<PageCopy> copy;
  if (rest > 0) {
    const int32_t page = source[whole];
    if (sequence == from && holders_[page] == 1) {
      pages.push_back(page);
    } else {
      copy = PageCopy{-1, page, rest};
    }
  }
  for (const int32_t page : pages) ++holders_[page];
  // The sequence's old pages are freed before new ones are taken, so that they can be reused. The
  // page to copy from stays, because `from` or another sequence holds it.
  give_back(std::exchange(of_sequence_[sequence], {}));
  if (copy) {
    copy->to = take();
    pages.push_back(copy->to);
  }
  while (static_cast<int64_t>(pages.size()) < pages_for(positions)) pages.push_back(take());
  of_sequence_[sequence] = std::move(pages);
  return copy;
}

void PageTable::shorten(int32_t sequence, int64_t positions) {
  std::vector<int32_t>& pages = of_sequence_[sequence];
  const auto kept = std::min(static_cast<int64_t>(pages.size()), pages_for(positions));
  give_back(std::span(pages).subspan(kept));
  pages.resize(kept);
}

}  // namespace bifrons
