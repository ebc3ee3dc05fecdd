// Quotes follow RFC 4180. Other habits of spreadsheets are guessed from the header.
#include "src/prompts/table_cells.h"

#include <algorithm>
#include <array>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/prompts/refuse.h"
#include "src/prompts/setting_names.h"

namespace bifrons {
namespace {

bool names_prompt(const std::vector<std::string>& columns) {
  return std::any_of(columns.begin(), columns.end(), [](const std::string& column) {
    return field_of(trimmed_cell(column)) == Field::kPrompt;
  });
}

}  // namespace

bool CsvRecord::feed(std::string_view line) {
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
    } else if (c == separator_) {
      cells_.emplace_back();
      closed_ = false;
    } else if (closed_) {
      refuse_as_data("text after the closing quote of a cell; a quote inside is written twice");
    } else if (c == '"' && cells_.back().empty()) {
      quoted_ = true;
    } else if (c == '"') {
      refuse_as_data("a quote inside a cell that does not begin with one");
    } else {
      cells_.back() += c;
    }
  }
  return !quoted_;
}

std::string tsv_cell(std::string_view cell) {
  if (cell.size() < 2 || cell.front() != '"' || cell.back() != '"') return std::string(cell);
  std::string inside;
  for (size_t i = 1; i + 1 < cell.size(); ++i) {
    if (cell[i] == '"' && (i + 2 >= cell.size() || cell[++i] != '"')) return std::string(cell);
    inside += cell[i];
  }
  return inside;
}

std::string_view trimmed_cell(std::string_view text) {
  constexpr std::array<std::string_view, 5> kBlanks = {" ", "\t", "\xc2\xa0", "\xef\xbb\xbf",
                                                       "\xe2\x80\x8b"};
  const auto strip = [&](auto has, auto drop) {
    for (bool again = true; again;) {
      again = false;
      for (const std::string_view blank : kBlanks) {
        if (!has(blank)) continue;
        drop(blank.size());
        again = true;
      }
    }
  };
  strip([&](std::string_view b) { return text.starts_with(b); },
        [&](size_t n) { text.remove_prefix(n); });
  strip([&](std::string_view b) { return text.ends_with(b); },
        [&](size_t n) { text.remove_suffix(n); });
  return text;
}

std::optional<char> named_separator(std::string_view line) {
  line = trimmed_cell(line);
  if (line.size() == 7 && line.front() == '"' && line.back() == '"') line = line.substr(1, 5);
  if (line == "sep=") return '\t';  // the tab was trimmed
  if (line.size() != 5 || (line[0] | 0x20) != 's' || (line[1] | 0x20) != 'e' ||
      (line[2] | 0x20) != 'p' || line[3] != '=') {
    return std::nullopt;
  }
  constexpr std::string_view kSigns = ",;|\t";
  if (kSigns.find(line[4]) == std::string_view::npos) {
    refuse_as_data("the first line names the separator " + quote(line.substr(4), 20) +
                   ", but cells are separated by a comma, a semicolon, a bar or a tab");
  }
  return line[4];
}

std::string_view plural_of(char separator) {
  return separator == ',' ? "commas" : separator == ';' ? "semicolons" : "bars";
}

char separator_of(const std::string& header) {
  for (const char separator : {',', ';', '\t', '|'}) {
    CsvRecord record(separator);
    try {
      record.feed(header);
    } catch (const Error&) {
      continue;  // with this separator a quote stands in the middle of a cell
    }
    if (names_prompt(record.take())) return separator;
  }
  return ',';
}

}  // namespace bifrons
