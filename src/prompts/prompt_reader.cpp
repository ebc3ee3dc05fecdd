// Chooses the parser and converts errors of a line to BadLine.
#include "src/prompts/prompt_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/error.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\n") == text.npos; }

// An escape sequence in a line may produce a control character that the line itself does not
// contain.
void refuse_controls(std::string_view what, const std::optional<std::string>& text) {
  const auto control = text ? control_character(*text, true) : std::nullopt;
  if (!control) return;
  throw Error(ErrorKind::kData,
              fmt::format("the {} holds a control character (0x{:02x}) at byte {}", what,
                          control->code, control->at));
}

// Names a picture after its caption file. The name becomes the id, or the output if it is not a
// valid id.
void name_picture(PromptLine& line, const std::string& name) {
  try {
    set_field(line, Field::kId, "the file's name", name);
  } catch (const Error&) {
    set_field(line, Field::kOutput, "the file's name", name);
  }
}

std::unique_ptr<LineParser> parser_for(PromptFormat format, WarnOnce& warn, bool comments) {
  switch (format) {
    case PromptFormat::kText:
      return text_parser(warn);
    case PromptFormat::kJsonLines:
    case PromptFormat::kJson:
      return json_parser(warn);
    case PromptFormat::kCsv:
      return table_parser(warn, ',', comments);
    case PromptFormat::kTsv:
      return table_parser(warn, '\t', comments);
    case PromptFormat::kCaption:
      return caption_parser();
  }
  throw ContractError("a prompt format without a parser");
}

Splitting splitting_for(PromptFormat format) {
  if (format == PromptFormat::kJson) return Splitting::kJson;
  if (format == PromptFormat::kCaption) return Splitting::kNone;
  return format == PromptFormat::kJsonLines ? Splitting::kJsonLines : Splitting::kLines;
}

}  // namespace

bool is_comment(std::string_view line) {
  const size_t first = std::min(line.find_first_not_of(" \t"), line.size());
  return line.substr(first).starts_with('#') || line.substr(first).starts_with("//");
}

std::optional<PromptFormat> prompt_format_of(std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string ending = lower_case(file_name.substr(dot + 1));
  if (ending == "txt") return PromptFormat::kText;
  if (ending == "jsonl" || ending == "ndjson") return PromptFormat::kJsonLines;
  if (ending == "json") return PromptFormat::kJson;
  if (ending == "csv") return PromptFormat::kCsv;
  if (ending == "tsv") return PromptFormat::kTsv;
  return std::nullopt;
}

PromptReader::PromptReader(ByteStream stream, PromptFormat format,
                           std::function<void(const std::string&)> warn, std::string name,
                           StreamReady ready, bool comments, std::string folder)
    : warn_(std::make_unique<WarnOnce>(std::move(warn))), comments_(comments) {
  open({std::move(name), format, {}, std::move(stream), std::move(ready), {}, std::move(folder)});
}

PromptReader::PromptReader(std::function<std::optional<PromptFile>()> next_file,
                           std::function<void(const std::string&)> warn, bool comments)
    : next_file_(std::move(next_file)),
      named_(std::make_unique<std::string>()),
      comments_(comments) {
  warn_ = std::make_unique<WarnOnce>(
      [warn = std::move(warn), name = named_.get()](const std::string& sentence) {
        if (warn) warn(*name + ": " + sentence);
      });
}

void PromptReader::open(PromptFile file) {
  lines_.emplace(std::move(file.stream), std::move(file.ready), splitting_for(file.format));
  parser_ = parser_for(file.format, *warn_, comments_);
  name_ = std::move(file.name);
  id_ = std::move(file.id);
  problem_ = std::move(file.problem);
  folder_ = std::move(file.folder);
  begun_ = false;
}

bool PromptReader::open_next() {
  std::optional<PromptFile> file = next_file_ ? next_file_() : std::nullopt;
  if (!file) return false;
  open(std::move(*file));
  *named_ = file_ = name_;
  return true;
}

// Adds the file's name to errors that concern the whole file.
template <typename F>
auto PromptReader::naming_file(F read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    throw Error(ErrorKind::kData, name_ + ": " + error.what());
  }
}

void PromptReader::begin() {
  if (!lines_ && !open_next()) return;
  if (begun_ || !problem_.empty()) return;
  begun_ = true;
  naming_file([&] { parser_->begin(*lines_); });
}

std::optional<TextLine> PromptReader::next_line() {
  begin();
  return naming_file([&] { return lines_->next(); });
}

std::optional<ParsedLine> PromptReader::next() {
  while (lines_ || open_next()) {
    std::optional<ParsedLine> line = next_of_file();
    if (line) {
      std::visit([this](auto& each) { each.file = file_; }, *line);
      return line;
    }
    if (!next_file_) return std::nullopt;
    bytes_before_ += lines_->bytes_read();
    lines_.reset();
  }
  return std::nullopt;
}

std::optional<ParsedLine> PromptReader::next_of_file() {
  if (!problem_.empty()) {
    const BadLine bad{1, std::exchange(problem_, {})};
    open({name_, PromptFormat::kText, {}, [](std::span<char>) { return size_t{0}; }, {}, {}, {}});
    return bad;
  }
  while (auto line = next_line()) {
    if (!line->problem.empty()) return BadLine{line->number, line->problem};
    if (is_blank(line->text) && !line->is_file) continue;
    if (comments_ && !line->is_file && !line->is_entry && is_comment(line->text)) continue;
    try {
      PromptLine parsed = parser_->parse(*line, *lines_);
      parsed.number = line->number;
      parsed.folder = folder_;
      if (!id_.empty()) name_picture(parsed, id_);
      refuse_controls("prompt", parsed.prompt);
      refuse_controls("negative prompt", parsed.negative_prompt);
      if (!parsed.prompt || is_blank(*parsed.prompt)) {
        return BadLine{line->number, parsed.prompt ? "the prompt is empty" : "there is no prompt"};
      }
      return parsed;
    } catch (const Error& error) {
      return BadLine{line->number, error.what()};
    }
  }
  return std::nullopt;
}

}  // namespace bifrons
