// Reads the lines of a prompt file one by one. Memory is bounded for any content.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/prompts/json_values.h"

namespace bifrons {

// Fills the front of the span and returns the number of bytes; 0 at the end. May throw Error.
using ByteStream = std::function<size_t(std::span<char>)>;
// Whether a read of the stream would return at once, with bytes or at the end.
using StreamReady = std::function<bool()>;

constexpr size_t kLongestLine = size_t{64} << 10;  // bytes without the line end
// A longer line is not part of a text file and may have no end.
constexpr size_t kHopelessLine = size_t{256} << 20;

// Throws Error (data) for such a line. `what` names the file or the position.
[[noreturn]] void refuse_endless_line(const std::string& what);

struct TextLine {
  int64_t number = 0;     // from 1
  std::string text;       // without problem: valid UTF-8, no control characters but tabs
  std::string problem;    // why the line cannot be used; empty when it can
  bool is_file = false;   // the text is a whole file with its line ends
  bool is_entry = false;  // the text is an entry of a JSON file; `number` counts entries
};

// How a file is split. kJsonLines: into lines, or into the entries of an array if the file begins
// with a bracket. kJson: into the entries of arrays, or into successive values. kNone: not at all.
enum class Splitting { kLines, kJsonLines, kJson, kNone };

// Splits at LF or CR LF and drops a byte order mark at the start. Stores one block of the stream
// and one line.
class PromptLineReader {
 public:
  // Without `ready`, reads of the stream are assumed not to wait.
  explicit PromptLineReader(ByteStream stream, StreamReady ready = {},
                            Splitting splitting = Splitting::kLines);

  // The next line; nullopt at the end. Throws Error (data) if the stream begins like UTF-16, if it
  // uses only carriage returns as line ends, or if a line or entry does not end within
  // kHopelessLine bytes.
  std::optional<TextLine> next();
  int64_t bytes_read() const { return bytes_read_; }  // read from the stream so far
  // Whether next() would return without waiting for the stream.
  bool ready();

 private:
  bool refill();
  int peek();
  bool begins_with_bracket();
  std::optional<TextLine> next_line();
  std::optional<TextLine> next_value();
  std::optional<TextLine> whole();
  void drop_byte_order_mark();

  ByteStream stream_;
  StreamReady ready_;
  Splitting splitting_;
  bool lines_follow_ = false;  // after the array
  JsonValues values_{kLongestLine, kHopelessLine};
  std::vector<char> block_;
  std::span<const char> left_;  // unread part of the block
  int64_t bytes_read_ = 0;
  int64_t number_ = 0;
};

}  // namespace bifrons
