// Brackets are counted, not stacked: depth costs nothing here, and the parser bounds it.
#include "src/prompts/json_values.h"

#include <fmt/format.h>

#include "kernels/error.h"

namespace bifrons {
namespace {

[[noreturn]] void refuse_endless(size_t bytes) {
  throw Error(ErrorKind::kData,
              fmt::format("an entry goes on for more than {} bytes, as none of a file of prompts "
                          "does",
                          bytes));
}

bool is_blank(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Where one value ends, byte by byte.
class ValueEnd {
 public:
  // Whether the value ends in front of `c`.
  bool ends_before(int c) const {
    if (in_string_ || depth_ > 0 || empty_) return false;
    return is_blank(c) || c == ',' || c == '"' || c == '{' || c == '[' || c == '}' || c == ']';
  }
  // Whether it ends with `c`.
  bool ends_with(int c) {
    const bool first = empty_;
    empty_ = false;
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      return !in_string_ && depth_ == 0;
    }
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') return depth_ == 0 || --depth_ == 0;
    return first && c == ',';  // a stray sign is a value of its own
  }
  bool in_string() const { return in_string_; }
  bool open() const { return in_string_ || depth_ > 0; }

 private:
  int64_t depth_ = 0;
  bool in_string_ = false, escaped_ = false, empty_ = true;
};

}  // namespace

JsonEntry JsonValues::value(const Source& source) const {
  JsonEntry entry;
  ValueEnd end;
  bool too_long = false;
  size_t bytes = 0;
  for (int c = source.peek(); c >= 0 && !end.ends_before(c); c = source.peek()) {
    source.take();
    if (++bytes > hopeless_) refuse_endless(hopeless_);
    too_long = too_long || entry.text.size() == longest_;
    // Outside of strings every blank is as good as another, and a line may hold no CR.
    if (!too_long) entry.text += c == '\r' && !end.in_string() ? ' ' : static_cast<char>(c);
    if (end.ends_with(c)) break;
  }
  if (too_long) {
    entry.text.clear();
    entry.problem = fmt::format("longer than {} bytes", longest_);
  } else if (end.open()) {
    entry.problem = "not closed at the end of the file; is the file cut short?";
  }
  return entry;
}

std::optional<JsonEntry> JsonValues::next(const Source& source, bool one_array) {
  for (size_t blanks = 0;;) {
    const int c = source.peek();
    if (c < 0) {
      if (!inside_) return std::nullopt;
      inside_ = false;
      return JsonEntry{"", "the array is not closed; is the file cut short?"};
    }
    if (is_blank(c)) {
      source.take();
      if (++blanks > hopeless_) refuse_endless(hopeless_);
    } else if (!inside_ && c == '[') {
      source.take();
      inside_ = empty_ = true;
      needs_comma_ = false;
    } else if (inside_ && c == ']') {
      source.take();
      inside_ = false;
      if (empty_) return JsonEntry{"", "the array is empty"};
      if (one_array) return std::nullopt;
    } else if (inside_ && c == ',' && needs_comma_) {
      source.take();
      needs_comma_ = false;
    } else {
      JsonEntry entry = value(source);
      if (inside_ && needs_comma_ && entry.problem.empty()) entry.problem = "no comma before it";
      needs_comma_ = true;
      empty_ = false;
      return entry;
    }
  }
}

}  // namespace bifrons
