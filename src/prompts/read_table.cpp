// CSV as in RFC 4180, and TSV. A header line names the columns. Spreadsheets use the separator of
// their locale, and may state it in a separate line "sep=;".
#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/prompts/prompt_reader.h"
#include "src/prompts/refuse.h"
#include "src/prompts/table_cells.h"
#include "src/prompts/unknown_fields.h"

namespace bifrons {
namespace {

bool is_text(Field field) {
  return field == Field::kPrompt || field == Field::kNegativePrompt || field == Field::kId ||
         field == Field::kOutput;
}

class TableParser : public LineParser {
 public:
  // TSV has its own rule for quotes. A file with `sep=` comes from a spreadsheet.
  TableParser(WarnOnce& warn, char separator, bool comments)
      : warn_(warn), separator_(separator), plain_tabs_(separator == '\t'), comments_(comments) {}

  void begin(PromptLineReader& lines) override {
    bool separator_named = false;
    while (auto line = lines.next()) {
      if (!line->problem.empty()) refuse_as_data("the header line is " + line->problem);
      if (const auto named = line->number == 1 ? named_separator(line->text) : std::nullopt) {
        separator_named = true;
        plain_tabs_ = false;
        separator_ = *named;
        continue;
      }
      if (line->text.find_first_not_of(" \t") == std::string::npos) continue;
      if (comments_ && is_comment(line->text)) continue;
      if (!separator_named && !plain_tabs_) separator_ = separator_of(line->text);
      columns_ = cells(*line, lines);
      break;
    }
    if (columns_.empty()) refuse_as_data("the file is empty; its first line must name the columns");
    for (std::string& column : columns_) column = trimmed_cell(column);
    check_header();
  }

  PromptLine parse(const TextLine& text, PromptLineReader& more) override {
    const std::vector<std::string> row = cells(text, more);
    if (row.size() > columns_.size()) {
      refuse_as_data(fmt::format(
          "{} cells, but the header names {} columns{}", row.size(), columns_.size(),
          separator_ == '\t'
              ? std::string()
              : fmt::format("; a text with {} goes in double quotes", plural_of(separator_))));
    }
    PromptLine line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = i < row.size() ? row[i] : std::string();  // spreadsheets trim rows
      if (!fields_[i]) {
        if (copied_[i]) line.extras.emplace_back(columns_[i], json_text(cell));
      } else if (is_text(*fields_[i])) {
        if (!cell.empty()) set_field(line, *fields_[i], columns_[i], cell);
      } else if (const std::string number = number_of(cell); !number.empty()) {
        set_field(line, *fields_[i], columns_[i], number);
      }
    }
    settle_count(line);
    return line;
  }

 private:
  // Where semicolons separate cells, a decimal comma is usual: "4,5". A comma that may also
  // separate thousands stays, and the cell is not a number.
  std::string number_of(std::string_view cell) const {
    std::string number(trimmed_cell(cell));
    const size_t comma = number.find(',');
    const bool fraction = separator_ == ';' && comma != std::string::npos && comma > 0 &&
                          number.find_first_not_of("0123456789", comma + 1) == std::string::npos &&
                          number.size() - comma != 4;
    if (fraction) number[comma] = '.';
    return number;
  }

  std::vector<std::string> cells(const TextLine& line, PromptLineReader& more) const {
    if (plain_tabs_) return tsv_cells(line.text);
    CsvRecord record(separator_);
    size_t bytes = line.text.size();
    bool complete = record.feed(line.text);
    while (!complete) {
      const auto next = more.next();
      if (!next) refuse_as_data("a quoted cell that is never closed");
      if (!next->problem.empty()) {
        refuse_as_data(fmt::format("its line {} is {}", next->number, next->problem));
      }
      bytes += next->text.size() + 1;
      if (bytes > kLongestLine) {
        refuse_as_data(
            fmt::format("a quoted cell that is not closed within {} bytes", kLongestLine));
      }
      complete = record.feed(next->text);
    }
    return record.take();
  }

  static std::vector<std::string> tsv_cells(std::string_view line) {
    std::vector<std::string> found;
    while (true) {
      const size_t tab = line.find('\t');
      found.push_back(tsv_cell(line.substr(0, tab)));
      if (tab == std::string_view::npos) return found;
      line.remove_prefix(tab + 1);
    }
  }

  void check_header() {
    bool has_prompt = false;
    const auto prompt =
        std::find_if(columns_.begin(), columns_.end(),
                     [](const std::string& column) { return is_prompt_itself(column); });
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& column = columns_[i];
      std::optional<Field> field = field_of(column);
      // There are columns `prompt` and, for example, `caption`. The second one is only copied.
      const bool second =
          field == Field::kPrompt && prompt != columns_.end() && !is_prompt_itself(column);
      if (second) {
        field.reset();
        warn_second_prompt(warn_, "column", *prompt, column);
      }
      const bool again = std::find(columns_.begin(), columns_.begin() + static_cast<ptrdiff_t>(i),
                                   column) != columns_.begin() + static_cast<ptrdiff_t>(i);
      if ((field && std::find(fields_.begin(), fields_.end(), field) != fields_.end()) ||
          (again && !column.empty())) {
        refuse_as_data("the header names two columns for " + quote(column, 60));
      }
      has_prompt = has_prompt || field == Field::kPrompt;
      fields_.push_back(field);
      copied_.push_back(!again);  // spreadsheets add columns without a name at the end
      if (!field && !second) warn_unknown_field(warn_, "column", column);
    }
    if (has_prompt) return;
    std::string names;
    for (const std::string& column : columns_) {
      names += (names.empty() ? "" : ", ") + quote(column, 40);
      if (names.size() > 200) break;
    }
    refuse_as_data("the header names no column prompt, text or caption, only " + names);
  }

  WarnOnce& warn_;
  char separator_;
  bool plain_tabs_;
  bool comments_;  // whether to leave out comments
  std::vector<std::string> columns_;
  std::vector<std::optional<Field>> fields_;  // by column; nullopt: the column is only copied
  std::vector<bool> copied_;                  // by column
};

}  // namespace

std::unique_ptr<LineParser> table_parser(WarnOnce& warn, char separator, bool comments) {
  return std::make_unique<TableParser>(warn, separator, comments);
}

}  // namespace bifrons
