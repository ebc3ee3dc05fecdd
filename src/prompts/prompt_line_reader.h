// Lines of a prompt file, one after the other, in bounded memory whatever the file holds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/prompts/json_values.h"

namespace bifrons {

// Fills the front of the span and says how many bytes it was; 0 at the end. May throw Error.
using ByteStream = std::function<size_t(std::span<char>)>;
// Whether such a stream would answer at once, be it with its end.
using StreamReady = std::function<bool()>;

constexpr size_t kLongestLine = size_t{64} << 10;  // bytes, its ending not counted
// A line that goes on for longer than this is of no text file, and perhaps without end.
constexpr size_t kHopelessLine = size_t{256} << 20;

// Throws Error (data) about such a line; `what` says of which file, or where.
[[noreturn]] void refuse_endless_line(const std::string& what);

struct TextLine {
  int64_t number = 0;  // from 1
  std::string text;    // valid UTF-8 without control characters (but tabs) when there is no problem
  std::string problem;    // why the line cannot be used; empty when it can
  bool is_file = false;   // all of a file, line ends and all
  bool is_entry = false;  // of a JSON file: its text may span lines, and its number counts entries
};

// How a file falls into pieces. kJsonLines: lines, or the entries of an array when the file begins
// with a bracket. kJson: the entries of arrays, or values one after the other. kNone: one piece.
enum class Splitting { kLines, kJsonLines, kJson, kNone };

// Splits at LF or CR LF; a byte order mark at the start is dropped. Keeps one block of the stream
// and one line.
class PromptLineReader {
 public:
  // Without `ready` the stream never waits.
  explicit PromptLineReader(ByteStream stream, StreamReady ready = {},
                            Splitting splitting = Splitting::kLines);

  // Nothing at the end. Throws Error (data) when the stream begins as UTF-16 does, when all of it
  // is one line that carriage returns alone divide, or when a line or an entry does not end
  // within kHopelessLine bytes.
  std::optional<TextLine> next();
  int64_t bytes_read() const { return bytes_read_; }  // taken from the stream so far
  // Whether next() would give its line without waiting for more of the stream.
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
  bool lines_follow_ = false;  // behind the array
  JsonValues values_{kLongestLine, kHopelessLine};
  std::vector<char> block_;
  std::span<const char> left_;  // of the block
  int64_t bytes_read_ = 0;
  int64_t number_ = 0;
};

}  // namespace bifrons
