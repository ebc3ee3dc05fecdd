// Tables of ranges, searched by halves; what is ASCII needs none.
#include "src/io/letters.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "src/io/letter_tables.h"

namespace bifrons {
namespace {

// The range that may hold `point`; nullptr when there is none.
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

DecodedPoint decode_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  char32_t point = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = (point << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kSmallest[length] || point > 0x10ffff || surrogate) return {};
  return {point, length};
}

void append_point(std::string& text, char32_t point) {
  const auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
  const auto value = static_cast<uint32_t>(point);
  if (value < 0x80) return add(value);
  const int more = value < 0x800 ? 1 : value < 0x10000 ? 2 : 3;
  constexpr std::array<uint32_t, 4> kLead{0, 0xc0, 0xe0, 0xf0};
  add(kLead[static_cast<size_t>(more)] | (value >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) add(0x80 | ((value >> (6 * i)) & 0x3f));
}

std::string without_case(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const DecodedPoint next = decode_point(text);
    if (next.bytes == 0) {
      out += text[0];
    } else {
      append_point(out, changed(kSameLetters, lower_letter(next.point)));
    }
    text.remove_prefix(std::max<size_t>(1, next.bytes));
  }
  return out;
}

}  // namespace bifrons
