// Reads prompt files of every format as one stream of lines.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "src/prompts/prompt_line.h"
#include "src/prompts/prompt_line_reader.h"
#include "src/prompts/warn_once.h"

namespace bifrons {

// kCaption: the whole file is one prompt. No file ending selects it.
enum class PromptFormat { kText, kJsonLines, kJson, kCsv, kTsv, kCaption };

// The format for the ending of a file name: .txt, .jsonl, .ndjson, .json, .csv, .tsv in any case.
std::optional<PromptFormat> prompt_format_of(std::string_view file_name);

// A line that cannot be drawn, with the reason.
struct BadLine {
  int64_t number = 0;
  std::string reason;
  std::string id{};    // of the line, if it was read before the error
  std::string file{};  // as in PromptLine
};
using ParsedLine = std::variant<PromptLine, BadLine>;

// A parser of one format. parse() gets a line that has no problem and is not blank. Records that
// span lines read further lines from `more`. Throws Error (data) for a bad record.
class LineParser {
 public:
  virtual ~LineParser() = default;
  virtual PromptLine parse(const TextLine& line, PromptLineReader& more) = 0;
  // Reads the part before the first record. Throws Error (data) if the whole file is unusable.
  virtual void begin(PromptLineReader&) {}
};

std::unique_ptr<LineParser> text_parser(WarnOnce& warn);
std::unique_ptr<LineParser> caption_parser();
std::unique_ptr<LineParser> json_parser(WarnOnce& warn);
std::unique_ptr<LineParser> table_parser(WarnOnce& warn, char separator, bool comments);

// Whether a line begins with # or // after optional blanks.
bool is_comment(std::string_view line);

// One of several files.
struct PromptFile {
  std::string name;  // begins warnings and errors about the file
  PromptFormat format = PromptFormat::kText;
  std::string id{};  // kCaption: the name of its picture
  ByteStream stream{};
  StreamReady ready{};
  std::string problem{};  // why the file cannot be read, reported as a bad line; empty: none
  std::string folder{};   // PromptLine::folder of its lines
};

class PromptReader {
 public:
  // `warn` gets each warning about the file once. `name` begins the errors about the whole file.
  // With `comments`, lines for which is_comment() is true are left out. `folder`: as in PromptFile.
  PromptReader(ByteStream stream, PromptFormat format, std::function<void(const std::string&)> warn,
               std::string name = "prompts", StreamReady ready = {}, bool comments = false,
               std::string folder = {});

  // Reads several files in order, until `next_file` returns none. Lines store their file. A warning
  // begins with the name of the first file that it applies to, and is given once.
  PromptReader(std::function<std::optional<PromptFile>()> next_file,
               std::function<void(const std::string&)> warn, bool comments = false);

  // Reads the header, if the file has one. Otherwise next() does it. Throws as next() does.
  void begin();

  // The next line that is not blank; nullopt at the end. Throws Error (data) if the whole file is
  // of the wrong kind, and the errors of the stream.
  std::optional<ParsedLine> next();
  int64_t bytes_read() const { return bytes_before_ + (lines_ ? lines_->bytes_read() : 0); }
  // Gives a warning about the file, at most once.
  void warn(const std::string& sentence) { warn_->once(sentence); }
  // Whether another line is available. Reading a cell that spans lines may still wait.
  bool ready() { return !lines_ || lines_->ready(); }
  // The file of the last line from next(), if there are several files; otherwise empty.
  const std::string& file() const { return file_; }

 private:
  void open(PromptFile file);
  bool open_next();
  std::optional<ParsedLine> next_of_file();
  std::optional<TextLine> next_line();
  template <typename F>
  auto naming_file(F read);

  std::function<std::optional<PromptFile>()> next_file_;
  std::unique_ptr<WarnOnce> warn_;         // on the heap: the parser refers to it
  std::unique_ptr<std::string> named_;     // begins warnings
  std::optional<PromptLineReader> lines_;  // nullopt between files
  std::unique_ptr<LineParser> parser_;
  std::string name_, file_, id_, problem_, folder_;
  int64_t bytes_before_ = 0;  // of the files that were read to their end
  bool comments_ = false;
  bool begun_ = false;
};

}  // namespace bifrons
