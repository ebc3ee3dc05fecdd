// Prompt files of every format as one stream of lines.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "src/batch/line_reader.h"
#include "src/batch/prompt_line.h"
#include "src/batch/remarks.h"

namespace bifrons {

enum class PromptFormat { kText, kJsonLines, kCsv, kTsv };

// By the ending of a file name: .txt, .jsonl or .ndjson, .csv, .tsv; any case.
std::optional<PromptFormat> prompt_format_of(std::string_view file_name);

// A line that cannot be drawn, and why.
struct BadLine {
  int64_t number = 0;
  std::string reason;
};
using ParsedLine = std::variant<PromptLine, BadLine>;

// How one format is read. parse() gets a line without problem that is not blank; a format whose
// records span lines takes the further ones from `more`. Throws Error (data) for a bad record.
class LineParser {
 public:
  virtual ~LineParser() = default;
  virtual PromptLine parse(const TextLine& line, LineReader& more) = 0;
  // Reads what stands before the first record. Throws Error (data): the whole file is unusable.
  virtual void begin(LineReader&) {}
};

std::unique_ptr<LineParser> text_parser(Remarks& remarks);
std::unique_ptr<LineParser> json_parser(Remarks& remarks);
std::unique_ptr<LineParser> table_parser(Remarks& remarks, char separator);

class PromptReader {
 public:
  // `remark` hears each thing about the file that is worth saying, once. `name` stands before what
  // is thrown about the whole file.
  PromptReader(ByteStream stream, PromptFormat format,
               std::function<void(const std::string&)> remark, std::string name = "prompts",
               StreamReady ready = {});

  // Reads the header of a file that has one; next() does it otherwise. Throws as next() does.
  void begin();

  // The next line that is not blank; nothing at the end. Throws Error (data) when the whole file is
  // of the wrong kind, and what the stream throws.
  std::optional<ParsedLine> next();
  int64_t bytes_read() const { return lines_.bytes_read(); }
  // Whether a line more is there already. A cell over several lines may wait all the same.
  bool ready() { return lines_.ready(); }

 private:
  std::optional<TextLine> next_line();
  template <typename F>
  auto naming_file(F read);

  LineReader lines_;
  std::unique_ptr<Remarks> remarks_;  // the parser keeps hold of it while readers move
  std::unique_ptr<LineParser> parser_;
  std::string name_;
  bool begun_ = false;
};

}  // namespace bifrons
