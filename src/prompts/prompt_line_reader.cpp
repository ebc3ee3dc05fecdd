// Reads the stream once, in blocks of 64 KiB. A line that is too long is skipped and not stored.
#include "src/prompts/prompt_line_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "kernels/error.h"
#include "kernels/utf8.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

constexpr size_t kBlock = size_t{64} << 10;

constexpr std::string_view kMacintosh =
    "carriage returns alone end its lines, as on old Macintoshes; save it with line feeds (LF)";

// `entry`: the text is an entry of a JSON file or a whole file, so it may contain line ends.
std::string problem_of(std::string_view line, bool entry) {
  const std::string_view place = entry ? "text" : "line";
  if (const auto at = invalid_utf8(line)) {
    return fmt::format("not valid UTF-8 at byte {} of the {}", *at, place);
  }
  const auto control = control_character(line, entry);
  if (!control) return {};
  if (control->code == '\r') {
    return fmt::format(
        "a carriage return inside the {}, at byte {}; lines end in a line feed (LF), alone or "
        "behind one",
        place, control->at);
  }
  return fmt::format("a control character (0x{:02x}) at byte {} of the {}", control->code,
                     control->at, place);
}

}  // namespace

void refuse_endless_line(const std::string& what) {
  throw Error(
      ErrorKind::kData,
      fmt::format("{} goes on for more than {} bytes, as no text file does", what, kHopelessLine));
}

PromptLineReader::PromptLineReader(ByteStream stream, StreamReady ready, Splitting splitting)
    : stream_(std::move(stream)), ready_(std::move(ready)), splitting_(splitting), block_(kBlock) {}

// Reads what is available before a line end, so that an incomplete line is not taken for a complete
// one.
bool PromptLineReader::ready() {
  if (splitting_ == Splitting::kJson) return !ready_ || !left_.empty() || ready_();
  while (ready_ && std::find(left_.begin(), left_.end(), '\n') == left_.end() &&
         left_.size() < block_.size()) {
    if (!ready_()) return false;
    if (number_ == 0 && bytes_read_ == 0) return true;  // next() examines the beginning itself
    std::copy(left_.begin(), left_.end(), block_.begin());
    const size_t kept = left_.size(), got = stream_(std::span(block_).subspan(kept));
    left_ = std::span<const char>(block_).first(kept + got);
    bytes_read_ += static_cast<int64_t>(got);
    if (got == 0) return true;
  }
  return true;
}

bool PromptLineReader::refill() {
  const size_t got = stream_(block_);
  check(got <= block_.size(), "a stream gave more than there was room for");
  left_ = std::span<const char>(block_).first(got);
  bytes_read_ += static_cast<int64_t>(got);
  return got > 0;
}

void PromptLineReader::drop_byte_order_mark() {
  // A pipe may give single bytes, so the first three are collected before they are examined.
  size_t have = 0;
  while (have < 3) {
    const size_t got = stream_(std::span(block_).subspan(have));
    if (got == 0) break;
    have += got;
  }
  bytes_read_ += static_cast<int64_t>(have);
  left_ = std::span<const char>(block_).first(have);
  const std::string_view start(block_.data(), std::min<size_t>(have, 3));
  if (start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff")) {
    throw Error(ErrorKind::kData, "the file is UTF-16; save it as UTF-8");
  }
  if (start == "\xef\xbb\xbf") left_ = left_.subspan(3);
}

int PromptLineReader::peek() {
  if (left_.empty() && !refill()) return -1;
  return static_cast<unsigned char>(left_.front());
}

// Drops blanks and blank lines at the front.
bool PromptLineReader::begins_with_bracket() {
  for (int c = peek(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek()) {
    number_ += c == '\n';
    left_ = left_.subspan(1);
  }
  const bool bracket = peek() == '[';
  if (bracket) number_ = 0;  // entries are counted, not lines
  return bracket;
}

std::optional<TextLine> PromptLineReader::next() {
  if (splitting_ == Splitting::kNone) return whole();
  if (number_ == 0 && bytes_read_ == 0) {
    drop_byte_order_mark();
    if (splitting_ == Splitting::kJsonLines && begins_with_bracket()) {
      splitting_ = Splitting::kJson;
      lines_follow_ = true;
    }
  }
  if (splitting_ != Splitting::kJson) return next_line();
  auto value = next_value();
  if (value || !lines_follow_) return value;
  splitting_ = Splitting::kLines;
  return next_line();
}

std::optional<TextLine> PromptLineReader::next_value() {
  const JsonValues::Source source{[this] { return peek(); }, [this] { left_ = left_.subspan(1); }};
  std::optional<JsonEntry> entry = values_.next(source, lines_follow_);
  if (!entry) return std::nullopt;
  if (entry->problem.empty()) entry->problem = problem_of(entry->text, true);
  TextLine line{++number_, std::move(entry->text), std::move(entry->problem)};
  line.is_entry = true;
  return line;
}

std::optional<TextLine> PromptLineReader::whole() {
  if (++number_ > 1) return std::nullopt;
  TextLine file{1, {}, {}};
  file.is_file = true;
  try {
    drop_byte_order_mark();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    file.problem = error.what();
    return file;
  }
  do {
    for (const char c : left_) {
      if (c == '\n' && file.text.ends_with('\r')) file.text.pop_back();
      file.text += c;
    }
    left_ = {};
    if (file.text.size() > kLongestLine) {
      file.text.clear();
      file.problem = fmt::format("longer than {} bytes", kLongestLine);
      return file;
    }
  } while (refill());
  file.problem = problem_of(file.text, true);
  return file;
}

std::optional<TextLine> PromptLineReader::next_line() {
  TextLine line;
  bool any = false, too_long = false, ended = false;
  size_t skipped = 0;
  while (!ended && (!left_.empty() || refill())) {
    any = true;
    const auto end = std::find(left_.begin(), left_.end(), '\n');
    const size_t n = static_cast<size_t>(end - left_.begin());
    // The byte above the limit may be the CR of the line end.
    if (line.text.size() + n > kLongestLine + 1) too_long = true;
    if (!too_long) line.text.append(left_.data(), n);
    skipped += too_long ? n : 0;
    if (skipped > kHopelessLine) refuse_endless_line(fmt::format("line {}", number_ + 1));
    ended = end != left_.end();
    left_ = left_.subspan(n + (ended ? 1 : 0));
  }
  if (!any) return std::nullopt;
  line.number = ++number_;
  if (line.text.ends_with('\r')) line.text.pop_back();
  if (number_ == 1 && (!ended || too_long) && line.text.find('\r') != std::string::npos) {
    throw Error(ErrorKind::kData, std::string(kMacintosh));
  }
  if (too_long || line.text.size() > kLongestLine) {
    line.text.clear();
    line.problem = fmt::format("longer than {} bytes", kLongestLine);
  } else {
    line.problem = problem_of(line.text, false);
  }
  return line;
}

}  // namespace bifrons
