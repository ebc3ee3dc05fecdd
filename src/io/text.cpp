// UTF-8 checks, spelling suggestions, slugs and strict number parsing.
#include "src/io/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "kernels/error.h"
#include "kernels/utf8.h"
#include "src/io/letters.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

constexpr size_t kMostSlugLetters = 40;  // letters and hyphens
constexpr size_t kMostSlugBytes = 100;

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b, size_t enough) {
  if (a.size() >= b.size() + enough || b.size() >= a.size() + enough) return enough;
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return std::min(row[b.size()], enough);
}

std::optional<ControlCharacter> control_character(std::string_view text, bool line_ends) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool wanted = byte == '\t' || (line_ends && byte == '\n');
    if ((byte < 0x20 && !wanted) || byte == 0x7f) return ControlCharacter{i, byte};
    // U+0080 to U+009F
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      return ControlCharacter{i, static_cast<unsigned char>(text[i + 1])};
    }
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
  const size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > 64) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (std::string_view candidate : known) {
    const size_t distance = edit_distance(word, candidate, word.size() + candidate.size());
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

// A letter that does not fit is dropped together with its marks.
std::string slug(std::string_view prompt) {
  std::string out;
  size_t letters = 0;
  size_t last_letter = 0;  // where the last letter begins
  bool after_letter = false;
  while (!prompt.empty()) {
    const Utf8Front next = decode_utf8(prompt);
    prompt.remove_prefix(next.step());
    const LetterKind kind = next.valid ? letter_kind(next.point) : LetterKind::kOther;
    if (kind == LetterKind::kInvisible || (kind == LetterKind::kMark && !after_letter)) continue;
    const size_t before = out.size();
    if (kind == LetterKind::kMark || kind == LetterKind::kLetter) {
      append_utf8(out, lower_letter(next.point));
    } else if (!out.empty() && out.back() != '-') {
      out.push_back('-');
    }
    after_letter = kind != LetterKind::kOther;
    const bool adds = kind != LetterKind::kMark && out.size() > before;
    if (out.size() > kMostSlugBytes || (adds && letters == kMostSlugLetters)) {
      out.resize(kind == LetterKind::kMark ? last_letter : before);
      break;
    }
    letters += adds;
    if (kind == LetterKind::kLetter) last_letter = before;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "picture" : out;
}

std::string former_slug(std::string_view prompt) {
  std::string out;
  for (const char c : lower_case(prompt)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != '-') {
      out.push_back('-');
    }
    if (out.size() == kMostSlugLetters) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "picture" : out;
}

uint64_t parse_whole(std::string_view option, const std::string& text, uint64_t least,
                     uint64_t most) {
  if (text.empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} has an empty value; it takes a whole number "
                                               "from {} to {}",
                                               option, least, most));
  }
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || value < least || value > most) {
    throw Error(ErrorKind::kUsage, fmt::format("{} takes a whole number from {} to {}, not {}",
                                               option, least, most, quote(text, 60)));
  }
  return value;
}

namespace {

// Parses a decimal number as from_chars does, however small. Returns nullopt for anything else.
std::optional<double> decimal(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ptr != end || text.empty()) return std::nullopt;
  // "Out of range" means too small or too large; only strtod() distinguishes the two.
  if (result.ec == std::errc::result_out_of_range) value = std::strtod(text.c_str(), nullptr);
  if (!std::isfinite(value)) return std::nullopt;
  return value + 0.0;  // -0 becomes 0
}

}  // namespace

double parse_real(std::string_view option, const std::string& text, double least, double most,
                  bool above) {
  const std::string range = fmt::format("a number {} {} {} {}", above ? "above" : "from", least,
                                        above ? "and up to" : "to", most);
  if (text.empty()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has an empty value; it takes {}", option, range));
  }
  const std::optional<double> value = decimal(text);
  if (!value || *value < least || (above && *value == least) || *value > most) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} takes {}, not {}", option, range, quote(text, 60)));
  }
  return *value;
}

}  // namespace bifrons
