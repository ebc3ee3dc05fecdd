// A plan is made on copies of the books, so that one that finds no room leaves no trace.
#include "src/engine/lane_memory.h"

#include <algorithm>
#include <utility>

#include "src/engine/memory_plan.h"

namespace bifrons {

void LaneMemory::reserve(int64_t lanes, bool spare) {
  const int64_t most = config_.transformer.max_positions, tokens = config_.image_tokens();
  const int64_t prompt = std::clamp<int64_t>(most - tokens + 1, 1, kPlannedPromptTokens);
  const int64_t capacity = std::max(memory_.capacity, positions(prompt));
  const int64_t slots = 2 * (lanes + (spare ? 1 : 0));
  const int64_t pages = pages_of_lanes(lanes, prompt, tokens) + (spare ? 1 : 0);
  memory_ = {};  // the old one goes first, so that the peak is the new size alone
  remembered_.clear();
  pages_ = {};
  spare_ = spare;
  memory_ = transformer_.make_memory(b_, slots, capacity, pages, inverse_frequency_);
  remembered_.resize(slots);
  pages_ = PageTable(slots, pages);
  if (spare) pages_.hold(spare_slot(), spare_slot(), 0, 1);
}

bool LaneMemory::has_room(int64_t prompt_tokens) const {
  return positions(prompt_tokens) <= memory_.capacity &&
         pages_alone(prompt_tokens) <= memory_.pages;
}

void LaneMemory::make_room(int64_t prompt_tokens) {
  if (positions(prompt_tokens) > memory_.capacity) {
    int64_t room = kPlannedPromptTokens;
    while (room < prompt_tokens) room *= 2;
    widen(b_, memory_, std::min(positions(room), config_.transformer.max_positions),
          inverse_frequency_);
    show_table();
  }
  add_pages(b_, memory_, pages_alone(prompt_tokens));
  pages_.add(memory_.pages);
}

LaneMemory::Entry LaneMemory::plan(std::span<const WantedPrompt> wanted,
                                   std::span<const int32_t> forgotten) const {
  Entry entry{.wanted = {wanted.begin(), wanted.end()},
              .waves = {},
              .copies = {},
              .remembered = remembered_,
              .pages = pages_};
  for (const int32_t slot : forgotten) {
    entry.pages.shorten(slot, 0);
    entry.remembered[slot].clear();
  }
  entry.waves = plan_prefill(entry.remembered, entry.wanted);
  for (const PrefillWave& wave : entry.waves) {
    std::vector<PageCopy>& copies = entry.copies.emplace_back();
    for (const PromptRun& run : wave) {
      const int32_t slot = entry.wanted[run.index].slot;
      const auto copy = entry.pages.hold(slot, run.from, run.begin, positions(run.end));
      if (copy) copies.push_back(*copy);
    }
  }
  return entry;
}

bool LaneMemory::get_pages(const Entry& entry) {
  try {
    add_pages(b_, memory_, entry.pages.pages());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnavailable) throw;
    return false;
  }
  return true;
}

void LaneMemory::enter(Entry& entry) {
  check(has_pages(entry), "enter: the plan needs more pages than there are");
  remembered_ = std::move(entry.remembered);
  pages_ = std::move(entry.pages);
  show_table();
}

void LaneMemory::make_copies(const Entry& entry, size_t wave) {
  for (const PageCopy& copy : entry.copies[wave]) {
    copy_page(b_, memory_, copy.to, copy.from, copy.positions);
  }
}

void LaneMemory::leave(int32_t slot) {
  pages_.shorten(slot, static_cast<int64_t>(remembered_[slot].size()));
}

void LaneMemory::forget_all() {
  const auto slots = static_cast<int32_t>(memory_.slots) - (spare_ ? 2 : 0);
  for (int32_t slot = 0; slot < slots; ++slot) {
    forget(slot);
    leave(slot);
  }
}

// All positions of the spare slots lie in one page: nobody reads what is written there.
void LaneMemory::show_table() {
  std::vector<std::vector<int32_t>> pages(pages_.all().begin(), pages_.all().end());
  if (spare_) {
    const std::vector<int32_t> one(pages_for(memory_.capacity), pages[spare_slot()].at(0));
    pages[spare_slot()] = pages[spare_slot() + 1] = one;
  }
  set_table(b_, memory_, pages);
}

}  // namespace bifrons
