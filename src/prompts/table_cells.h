// The cells of tables, and the signs that separate them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// The cells of one CSV record, fed line by line: a quoted cell may hold line ends.
class CsvRecord {
 public:
  explicit CsvRecord(char separator) : separator_(separator) {}
  // True when the record is complete. Throws Error (data): quotes where none may be.
  bool feed(std::string_view line);
  std::vector<std::string> take() { return std::move(cells_); }

 private:
  char separator_;
  std::vector<std::string> cells_;
  bool quoted_ = false;  // inside quotes
  bool closed_ = false;  // after them
};

// TSV files quote rarely and differently: a cell is unquoted only when all of it is well quoted.
std::string tsv_cell(std::string_view cell);

// Without the blanks around it, those of typesetting and marks of byte order included.
std::string_view trimmed_cell(std::string_view text);

// The sign that a line such as "sep=;" names, which may stand in quotes. Throws Error (data): it is
// none that separates cells.
std::optional<char> named_separator(std::string_view line);

// The sign by which the header has a column for the prompt: a comma unless it must be another.
char separator_of(const std::string& header);

// "commas", for messages.
std::string_view plural_of(char separator);

}  // namespace bifrons
