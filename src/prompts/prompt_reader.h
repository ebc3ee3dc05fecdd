// Prompt files of every format as one stream of lines.
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

// kCaption: all of the file is one prompt. No ending stands for it.
enum class PromptFormat { kText, kJsonLines, kJson, kCsv, kTsv, kCaption };

// By the ending of a file name: .txt, .jsonl or .ndjson, .json, .csv, .tsv; any case.
std::optional<PromptFormat> prompt_format_of(std::string_view file_name);

// A line that cannot be drawn, and why.
struct BadLine {
  int64_t number = 0;
  std::string reason;
  std::string id{};    // the line's, where it was read as far as that
  std::string file{};  // as in PromptLine
};
using ParsedLine = std::variant<PromptLine, BadLine>;

// How one format is read. parse() gets a line without problem that is not blank; a format whose
// records span lines takes the further ones from `more`. Throws Error (data) for a bad record.
class LineParser {
 public:
  virtual ~LineParser() = default;
  virtual PromptLine parse(const TextLine& line, PromptLineReader& more) = 0;
  // Reads what stands before the first record. Throws Error (data): the whole file is unusable.
  virtual void begin(PromptLineReader&) {}
};

std::unique_ptr<LineParser> text_parser(WarnOnce& warn);
std::unique_ptr<LineParser> caption_parser();
std::unique_ptr<LineParser> json_parser(WarnOnce& warn);
std::unique_ptr<LineParser> table_parser(WarnOnce& warn, char separator, bool comments);

// Whether a line begins with # or //, blanks aside.
bool is_comment(std::string_view line);

// One file of several.
struct PromptFile {
  std::string name;  // for messages; it stands in front of warnings and of what is thrown
  PromptFormat format = PromptFormat::kText;
  std::string id{};  // kCaption: what its picture is called
  ByteStream stream{};
  StreamReady ready{};
  std::string problem{};  // why it cannot be read: a bad line; empty: it can
};

class PromptReader {
 public:
  // `warn` hears each thing about the file that is worth saying, once. `name` stands before what
  // is thrown about the whole file. With `comments`, lines for which is_comment() are left out.
  PromptReader(ByteStream stream, PromptFormat format, std::function<void(const std::string&)> warn,
               std::string name = "prompts", StreamReady ready = {}, bool comments = false);

  // Files one after the other, taken from `next_file` until it gives none. Lines know their file;
  // warnings begin with its name, and each is made for the first file it is true of.
  PromptReader(std::function<std::optional<PromptFile>()> next_file,
               std::function<void(const std::string&)> warn, bool comments = false);

  // Reads the header of a file that has one; next() does it otherwise. Throws as next() does.
  void begin();

  // The next line that is not blank; nothing at the end. Throws Error (data) when the whole file is
  // of the wrong kind, and what the stream throws.
  std::optional<ParsedLine> next();
  int64_t bytes_read() const { return bytes_before_ + (lines_ ? lines_->bytes_read() : 0); }
  // Says something about the file that is worth saying once.
  void warn(const std::string& sentence) { warn_->once(sentence); }
  // Whether a line more is there already. A cell over several lines may wait all the same.
  bool ready() { return !lines_ || lines_->ready(); }
  // Of the line that next() gave last, where there are several files; else empty.
  const std::string& file() const { return file_; }

 private:
  void open(PromptFile file);
  bool open_next();
  std::optional<ParsedLine> next_of_file();
  std::optional<TextLine> next_line();
  template <typename F>
  auto naming_file(F read);

  std::function<std::optional<PromptFile>()> next_file_;
  std::unique_ptr<WarnOnce> warn_;         // the parser keeps hold of it while readers move
  std::unique_ptr<std::string> named_;     // what stands in front of warnings
  std::optional<PromptLineReader> lines_;  // nothing: between files
  std::unique_ptr<LineParser> parser_;
  std::string name_, file_, id_, problem_;
  int64_t bytes_before_ = 0;  // of files read to their end
  bool comments_ = false;
  bool begun_ = false;
};

}  // namespace bifrons
