// The cells of CSV and TSV tables, and their separators.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// The cells of one CSV record. The record is added line by line, because a quoted cell may contain
// line ends.
class CsvRecord {
 public:
  explicit CsvRecord(char separator) : separator_(separator) {}
  // Returns true when the record is complete. Throws Error (data) for a quote in a wrong place.
  bool feed(std::string_view line);
  std::vector<std::string> take() { return std::move(cells_); }

 private:
  char separator_;
  std::vector<std::string> cells_;
  bool quoted_ = false;  // inside quotes
  bool closed_ = false;  // after the closing quote
};

// Unquotes a cell of a TSV file only if the whole cell is correctly quoted. TSV files quote rarely,
// and by different rules.
std::string tsv_cell(std::string_view cell);

// Removes blanks at both ends, including typographic blanks and byte order marks.
std::string_view trimmed_cell(std::string_view text);

// The separator in a line such as "sep=;", which may be quoted. Throws Error (data) if the
// character cannot separate cells.
std::optional<char> named_separator(std::string_view line);

// The separator that gives the header a column for the prompt. It is a comma if a comma does.
char separator_of(const std::string& header);

// A word for messages: "commas".
std::string_view plural_of(char separator);

}  // namespace bifrons
