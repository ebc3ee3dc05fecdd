// CSV after RFC 4180 and TSV, both with a header line that names the columns.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"
#include "src/batch/prompt_reader.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::kData, sentence); }

// The cells of one CSV record, fed line by line: a quoted cell may hold line ends.
class CsvRecord {
 public:
  // True when the record is complete.
  bool feed(std::string_view line) {
    if (quoted_) cells_.back() += '\n';
    if (cells_.empty()) cells_.emplace_back();
    for (size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (quoted_) {
        if (c != '"') {
          cells_.back() += c;
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          cells_.back() += line[++i];
        } else {
          quoted_ = false;
          closed_ = true;
        }
      } else if (c == ',') {
        cells_.emplace_back();
        closed_ = false;
      } else if (closed_) {
        refuse("text after the closing quote of a cell; a quote inside is written twice");
      } else if (c == '"' && cells_.back().empty()) {
        quoted_ = true;
      } else if (c == '"') {
        refuse("a quote inside a cell that does not begin with one");
      } else {
        cells_.back() += c;
      }
    }
    return !quoted_;
  }
  std::vector<std::string> take() { return std::move(cells_); }

 private:
  std::vector<std::string> cells_;
  bool quoted_ = false;  // inside quotes
  bool closed_ = false;  // after them
};

// TSV files quote rarely and differently: a cell is unquoted only when all of it is well quoted.
std::string tsv_cell(std::string_view cell) {
  if (cell.size() < 2 || cell.front() != '"' || cell.back() != '"') return std::string(cell);
  std::string inside;
  for (size_t i = 1; i + 1 < cell.size(); ++i) {
    if (cell[i] == '"' && (i + 2 >= cell.size() || cell[++i] != '"')) return std::string(cell);
    inside += cell[i];
  }
  return inside;
}

class TableParser : public LineParser {
 public:
  TableParser(Remarks& remarks, char separator) : remarks_(remarks), separator_(separator) {}

  void begin(LineReader& lines) override {
    while (auto line = lines.next()) {
      if (!line->problem.empty()) refuse("the header line is " + line->problem);
      if (line->text.find_first_not_of(" \t") == std::string::npos) continue;
      columns_ = cells(*line, lines);
      break;
    }
    if (columns_.empty()) refuse("the file is empty; its first line must name the columns");
    check_header();
  }

  PromptLine parse(const TextLine& text, LineReader& more) override {
    const std::vector<std::string> row = cells(text, more);
    if (row.size() > columns_.size()) {
      refuse(fmt::format("{} cells, but the header names {} columns{}", row.size(), columns_.size(),
                         separator_ == ',' ? "; a text with commas goes in double quotes" : ""));
    }
    PromptLine line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = i < row.size() ? row[i] : std::string();  // spreadsheets trim rows
      if (!fields_[i]) {
        line.extras.emplace_back(columns_[i], json_text(cell));
      } else if (!cell.empty()) {
        set_field(line, *fields_[i], columns_[i], cell);
      }
    }
    return line;
  }

 private:
  std::vector<std::string> cells(const TextLine& line, LineReader& more) const {
    if (separator_ == '\t') return tsv_cells(line.text);
    CsvRecord record;
    size_t bytes = line.text.size();
    bool complete = record.feed(line.text);
    while (!complete) {
      const auto next = more.next();
      if (!next) refuse("a quoted cell that is never closed");
      if (!next->problem.empty()) {
        refuse(fmt::format("its line {} is {}", next->number, next->problem));
      }
      bytes += next->text.size() + 1;
      if (bytes > kLongestLine) {
        refuse(fmt::format("a quoted cell that is not closed within {} bytes", kLongestLine));
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

  static bool is_canonical(std::string_view column) {
    return column.size() == 6 && (column.front() | 0x20) == 'p';
  }

  void check_header() {
    bool has_prompt = false;
    const bool canonical =
        std::any_of(columns_.begin(), columns_.end(), [](const std::string& column) {
          return field_of(column) == Field::kPrompt && is_canonical(column);
        });
    for (const std::string& column : columns_) {
      std::optional<Field> field = field_of(column);
      // A column `prompt` and, say, `caption`: the second is only copied.
      if (field == Field::kPrompt && canonical && !is_canonical(column)) field.reset();
      if ((field && std::find(fields_.begin(), fields_.end(), field) != fields_.end()) ||
          std::count(columns_.begin(), columns_.end(), column) > 1) {
        refuse("the header names two columns for " + quote(column, 60));
      }
      has_prompt = has_prompt || field == Field::kPrompt;
      fields_.push_back(field);
      if (!field && is_manifest_member(column) && !is_size(column)) {
        remarks_.once(fmt::format("the column {} is one the manifest has itself; it is not copied",
                                  quote(column, 60)));
      }
      if (!field && !nearly_field(column).empty()) {
        remarks_.once(fmt::format("the column {} is only copied to the manifest; did you mean {}?",
                                  quote(column, 60), nearly_field(column)));
      }
    }
    if (has_prompt) return;
    std::string names;
    for (const std::string& column : columns_) {
      names += (names.empty() ? "" : ", ") + quote(column, 40);
      if (names.size() > 200) break;
    }
    refuse("the header names no column prompt, text or caption, only " + names);
  }

  Remarks& remarks_;
  char separator_;
  std::vector<std::string> columns_;
  std::vector<std::optional<Field>> fields_;  // by column; nothing: only copied
};

}  // namespace

std::unique_ptr<LineParser> table_parser(Remarks& remarks, char separator) {
  return std::make_unique<TableParser>(remarks, separator);
}

}  // namespace bifrons
