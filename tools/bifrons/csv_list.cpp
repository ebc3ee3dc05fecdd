// RFC 4180 for one line.
#include "tools/bifrons/csv_list.h"

#include <algorithm>

#include "src/bifrons.h"
#include "src/io/quote.h"

namespace bifrons::cli {
namespace {

// Reads from after the opening quote to after the closing one.
std::string quoted_value(const std::string& text, size_t& at) {
  std::string value;
  while (at < text.size()) {
    const char c = text[at++];
    if (c != '"') {
      value += c;
    } else if (at < text.size() && text[at] == '"') {
      value += text[at++];
    } else {
      return value;
    }
  }
  throw Error(ErrorKind::kUsage, "a double quote in " + quote(text, 60) +
                                     " is not closed; a quote inside a quoted value is doubled");
}

}  // namespace

std::vector<std::string> split_csv(const std::string& text) {
  std::vector<std::string> values;
  for (size_t at = 0;; ++at) {
    if (at < text.size() && text[at] == '"') {
      values.push_back(quoted_value(text, ++at));
    } else {
      const size_t end = std::min(text.find(',', at), text.size());
      values.push_back(text.substr(at, end - at));
      at = end;
    }
    if (at == text.size()) return values;
    if (text[at] != ',') {
      throw Error(ErrorKind::kUsage,
                  "behind a quoted value in " + quote(text, 60) + " comes a comma or nothing");
    }
  }
}

}  // namespace bifrons::cli
