// The settings of a repeat are copied from the picture's own line of the manifest.
#include "src/batch/repeated_lines.h"

#include <algorithm>
#include <utility>

#include "src/io/quote.h"

namespace bifrons {
namespace {

// The members of a manifest line from the seed (after the number) to those of its entry. Columns of
// the prompt file stand before them. Empty: the line has another form.
std::string_view drawing_of(std::string_view line) {
  const size_t index = line.rfind(",\"index\":");
  const size_t number = index == line.npos ? line.npos : line.find(",\"number\":", index);
  const size_t seed = number == line.npos ? line.npos : line.find(',', number + 1);
  const size_t end = line.rfind(",\"model_hash\":");
  if (seed == line.npos || end == line.npos || end < seed) return {};
  return line.substr(seed, end - seed);
}

}  // namespace

std::string fault_of_repeat(const std::string& file_name) {
  return quote(file_name, 120) + ", which a line before this one asks for too, cannot be drawn";
}

void RepeatedLines::add(RepeatedLine line) {
  const uint64_t name = ManifestIndex::hash(line.listing.entry.file_name);
  waiting_.emplace(name, std::move(line));
  if (waiting_.size() < most_) return;
  list_what_can_be();
  most_ = std::max(most_, 2 * waiting_.size());  // so that one read serves many lines
}

std::vector<RepeatedLine> RepeatedLines::finish() {
  if (!waiting_.empty()) list_what_can_be();
  std::vector<RepeatedLine> left;
  for (auto& [name, line] : waiting_) left.push_back(std::move(line));
  waiting_.clear();
  std::sort(left.begin(), left.end(),
            [](const RepeatedLine& a, const RepeatedLine& b) { return a.index < b.index; });
  return left;
}

void RepeatedLines::list_what_can_be() {
  constexpr size_t kAtOnce = 1000;
  std::vector<Listing> ready;
  store_.each_listed([&](const ManifestEntry& listed, std::string_view row) {
    if (listed.repeat != 0) return;
    const auto [first, last] = waiting_.equal_range(ManifestIndex::hash(listed.file_name));
    if (first == last) return;
    const std::string today = renewed_line(row);  // may be of an earlier version
    const std::string_view drawing = drawing_of(today);
    if (drawing.empty()) return;
    for (auto at = first; at != last;) {
      Listing& line = at->second.listing;
      if (line.entry.key != listed.key || line.entry.model != listed.model) {
        ++at;
        continue;
      }
      line.entry.bytes = listed.bytes;
      line.entry.sha256 = listed.sha256;
      line.members += drawing;
      ready.push_back(std::move(line));
      at = waiting_.erase(at);
      if (ready.size() < kAtOnce) continue;
      store_.list_again(ready);
      ready.clear();
    }
  });
  store_.list_again(ready);
}

}  // namespace bifrons
