// The pre-tokenizer of DeepSeek-LLM: splits text into pieces before BPE (docs/janus-pro.md 6.2).
#include "src/tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "kernels/error.h"
#include "src/tokenizer/unicode.h"
#include "src/tokenizer/unicode_tables.h"

namespace bifrons {
namespace {

// The character classes of the other patterns, one row per item, in the order of the pattern. `:-~`
// includes the Latin letters, so this split cuts "für" into three pieces; the split before it keeps
// "für" whole.
constexpr CodeRange kPunctuation[] = {
    {'!', '/'}, {':', '~'}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}, {0x2018, 0x201F}, {0x3000, 0x3002},
};
constexpr CodeRange kIdeographs[] = {{0x4E00, 0x9FA5}, {0x800, 0x4E00}, {0xAC00, 0xD7FF}};

// The splits in the order in which they are applied.
enum Split : int { kNewline, kLetter, kPunctuationMark, kTrailingSpace, kIdeograph, kDigit, kDone };

bool in_any(std::span<const CodeRange> ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const CodeRange& r) { return c >= r.first && c <= r.last; });
}

bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return lies_in(kLetters, c);
}

bool is_digit(char32_t c, DigitSplit digits) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const bool rust = digits == DigitSplit::kEachNumeric || digits == DigitSplit::kNumericRuns;
  return rust ? lies_in(kNumeric, c) : lies_in(kPropertyN, c);
}

struct Match {
  size_t begin;
  size_t end;
};

class Splitter {
 public:
  Splitter(DigitSplit digits, const std::function<void(std::string_view)>& piece)
      : digits_(digits), piece_(piece) {}

  void split(std::string_view text, int by) {
    if (text.empty()) return;
    if (by == kDone) {
      piece_(text);
      return;
    }
    size_t done = 0;
    while (done < text.size()) {
      const Match match = by == kTrailingSpace ? trailing_space(text, done) : next(text, done, by);
      split(text.substr(done, match.begin - done), by + 1);
      split(text.substr(match.begin, match.end - match.begin), by + 1);
      done = match.end;
    }
  }

 private:
  bool in_class(char32_t c, int by) const {
    switch (by) {
      case kNewline:
        return c == '\r' || c == '\n';
      case kLetter:
        return is_letter(c);
      case kPunctuationMark:
        return in_any(kPunctuation, c);
      case kIdeograph:
        return in_any(kIdeographs, c);
      default:
        return is_digit(c, digits_);
    }
  }

  // The first match at or after `from`; an empty match at the end of the text if there is none.
  Match next(std::string_view text, size_t from, int by) const {
    const bool takes_space = by == kLetter || by == kPunctuationMark;
    const bool single = by == kNewline || (by == kDigit && (digits_ == DigitSplit::kEachNumeric ||
                                                            digits_ == DigitSplit::kEachPropertyN));
    bool after_space = false;
    size_t space = 0;
    for (size_t at = from; at < text.size(); at += utf8_length(text[at])) {
      const char32_t c = codepoint_at(text, at);
      if (in_class(c, by)) {
        const size_t begin = takes_space && after_space ? space : at;
        size_t end = at + utf8_length(text[at]);
        while (!single && end < text.size() && in_class(codepoint_at(text, end), by)) {
          end += utf8_length(text[end]);
        }
        return {begin, end};
      }
      after_space = takes_space && is_white_space(c);
      space = at;
    }
    return {text.size(), text.size()};
  }

  // `\s+$`: line breaks are already separate pieces here, so `$` only matches the end of the piece.
  static Match trailing_space(std::string_view text, size_t from) {
    size_t begin = text.size();
    while (begin > from) {
      const size_t at = previous_character(text, begin);
      if (!is_white_space(codepoint_at(text, at))) break;
      begin = at;
    }
    return {begin, text.size()};
  }

  DigitSplit digits_;
  const std::function<void(std::string_view)>& piece_;
};

std::string bracket(std::span<const CodeRange> ranges) {
  std::string text = "[";
  for (const CodeRange& range : ranges) {
    append_utf8(text, range.first);
    if (range.last == range.first) continue;
    text += '-';
    append_utf8(text, range.last);
  }
  return text + "]+";
}

}  // namespace

std::vector<std::string> split_patterns(size_t index) {
  switch (index) {
    case 0:
      return {"[\\r\\n]", "[\r\n]"};
    case 1:
      return {"\\s?" + bracket(kLetters)};
    case 2:
      return {"\\s?" + bracket(kPunctuation)};
    case 3:
      return {"\\s+$"};
    case 4:
      return {bracket(kIdeographs)};
    default:
      check(false, "split_patterns: there are five");
      return {};
  }
}

void pre_tokenize(std::string_view text, DigitSplit digits,
                  const std::function<void(std::string_view)>& piece) {
  Splitter(digits, piece).split(text, kNewline);
}

}  // namespace bifrons
