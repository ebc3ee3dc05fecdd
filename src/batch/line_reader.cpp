// One pass over blocks of 64 KiB; a line that is too long is skipped without being kept.
#include "src/batch/line_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "kernels/error.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

constexpr size_t kBlock = size_t{64} << 10;

std::string problem_of(std::string_view line) {
  if (const auto at = invalid_utf8(line)) {
    return fmt::format("not valid UTF-8 at byte {} of the line", *at);
  }
  const auto control = control_character(line);
  if (!control) return {};
  if (control->code == '\r') {
    return fmt::format("a carriage return inside the line, at byte {}", control->at);
  }
  return fmt::format("a control character (0x{:02x}) at byte {} of the line", control->code,
                     control->at);
}

}  // namespace

void refuse_endless_line(const std::string& what) {
  throw Error(
      ErrorKind::kData,
      fmt::format("{} goes on for more than {} bytes, as no text file does", what, kHopelessLine));
}

LineReader::LineReader(ByteStream stream, StreamReady ready)
    : stream_(std::move(stream)), ready_(std::move(ready)), block_(kBlock) {}

// Takes what is there in front of the end of a line, so that half a line is not taken for a whole.
bool LineReader::ready() {
  while (ready_ && std::find(left_.begin(), left_.end(), '\n') == left_.end() &&
         left_.size() < block_.size()) {
    if (!ready_()) return false;
    if (number_ == 0 && bytes_read_ == 0) return true;  // next() looks at the beginning itself
    std::copy(left_.begin(), left_.end(), block_.begin());
    const size_t kept = left_.size(), got = stream_(std::span(block_).subspan(kept));
    left_ = std::span<const char>(block_).first(kept + got);
    bytes_read_ += static_cast<int64_t>(got);
    if (got == 0) return true;
  }
  return true;
}

bool LineReader::refill() {
  const size_t got = stream_(block_);
  check(got <= block_.size(), "a stream gave more than there was room for");
  left_ = std::span<const char>(block_).first(got);
  bytes_read_ += static_cast<int64_t>(got);
  return got > 0;
}

void LineReader::drop_byte_order_mark() {
  // A pipe may give single bytes; gather the first three before judging them.
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

std::optional<TextLine> LineReader::next() {
  if (number_ == 0 && bytes_read_ == 0) drop_byte_order_mark();
  TextLine line;
  bool any = false, too_long = false, ended = false;
  size_t skipped = 0;
  while (!ended && (!left_.empty() || refill())) {
    any = true;
    const auto end = std::find(left_.begin(), left_.end(), '\n');
    const size_t n = static_cast<size_t>(end - left_.begin());
    // One byte more than the limit may be the CR of the ending.
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
  if (too_long || line.text.size() > kLongestLine) {
    line.text.clear();
    line.problem = fmt::format("longer than {} bytes", kLongestLine);
  } else {
    line.problem = problem_of(line.text);
  }
  return line;
}

}  // namespace bifrons
