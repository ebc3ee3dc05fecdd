// Binary search in tables of ranges. ASCII is handled without tables.
#include "src/io/letters.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "kernels/utf8.h"
#include "src/io/letter_tables.h"

namespace bifrons {
namespace {

// The range that may contain `point`; nullptr if there is none.
template <typename Range>
const Range* range_of(std::span<const Range> table, char32_t point) {
  const auto behind = std::upper_bound(table.begin(), table.end(), point,
                                       [](char32_t p, const Range& r) { return p < r.first; });
  if (behind == table.begin()) return nullptr;
  const Range& range = *std::prev(behind);
  return point <= range.last ? &range : nullptr;
}

bool holds(std::span<const LetterRange> table, char32_t point) {
  return range_of(table, point) != nullptr;
}

char32_t changed(std::span<const LetterChange> table, char32_t point) {
  const LetterChange* change = range_of(table, point);
  if (change == nullptr) return point;
  const auto from = static_cast<int32_t>(point - change->first);
  return from % change->step == 0
             ? static_cast<char32_t>(static_cast<int32_t>(point) + change->distance)
             : point;
}

}  // namespace

LetterKind letter_kind(char32_t point) {
  if (holds(kNameLetters, point)) return LetterKind::kLetter;
  if (holds(kNameMarks, point)) return LetterKind::kMark;
  return holds(kNameInvisible, point) ? LetterKind::kInvisible : LetterKind::kOther;
}

char32_t lower_letter(char32_t point) { return changed(kLowerLetters, point); }

std::string fold_case(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Utf8Front next = decode_utf8(text);
    if (next.valid) {
      append_utf8(out, changed(kSameLetters, lower_letter(next.point)));
    } else {
      out += text[0];
    }
    text.remove_prefix(next.step());
  }
  return out;
}

}  // namespace bifrons
