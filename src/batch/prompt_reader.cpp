// Chooses the parser and keeps a bad line from being more than that.
#include "src/batch/prompt_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\n") == text.npos; }

// A parser may make control characters of escapes that the line itself does not hold.
void refuse_controls(std::string_view what, const std::optional<std::string>& text) {
  const auto control = text ? control_character(*text, true) : std::nullopt;
  if (!control) return;
  throw Error(ErrorKind::kData,
              fmt::format("the {} holds a control character (0x{:02x}) at byte {}", what,
                          control->code, control->at));
}

std::unique_ptr<LineParser> parser_for(PromptFormat format, Remarks& remarks) {
  switch (format) {
    case PromptFormat::kText:
      return text_parser(remarks);
    case PromptFormat::kJsonLines:
      return json_parser(remarks);
    case PromptFormat::kCsv:
      return table_parser(remarks, ',');
    case PromptFormat::kTsv:
      return table_parser(remarks, '\t');
  }
  throw ContractError("a prompt format without a parser");
}

}  // namespace

std::optional<PromptFormat> prompt_format_of(std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string ending(file_name.substr(dot + 1));
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (ending == "txt") return PromptFormat::kText;
  if (ending == "jsonl" || ending == "ndjson") return PromptFormat::kJsonLines;
  if (ending == "csv") return PromptFormat::kCsv;
  if (ending == "tsv") return PromptFormat::kTsv;
  return std::nullopt;
}

PromptReader::PromptReader(ByteStream stream, PromptFormat format,
                           std::function<void(const std::string&)> remark, std::string name,
                           StreamReady ready)
    : lines_(std::move(stream), std::move(ready)),
      remarks_(std::make_unique<Remarks>(std::move(remark))),
      parser_(parser_for(format, *remarks_)),
      name_(std::move(name)) {}

// What is wrong with the whole file is said with its name.
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
  if (begun_) return;
  begun_ = true;
  naming_file([&] { parser_->begin(lines_); });
}

std::optional<TextLine> PromptReader::next_line() {
  begin();
  return naming_file([&] { return lines_.next(); });
}

std::optional<ParsedLine> PromptReader::next() {
  while (auto line = next_line()) {
    if (!line->problem.empty()) return BadLine{line->number, line->problem};
    if (is_blank(line->text)) continue;
    try {
      PromptLine parsed = parser_->parse(*line, lines_);
      parsed.number = line->number;
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
