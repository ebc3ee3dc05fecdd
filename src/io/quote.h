// Makes untrusted text safe for one line of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bifrons {

// Returns `text` in double quotes. C0, C1, DEL, bidi and zero-width characters, quotes, backslashes
// and invalid UTF-8 bytes are written as escapes. The result is cut to `max_columns` with an
// ellipsis.
std::string quote(std::string_view text, size_t max_columns = 200);

// Returns `text` unchanged if quote() would escape nothing, else its quoted form. The result is
// never cut. For names in a list.
std::string quote_if_needed(std::string_view text);

// Returns JSON text in which the non-ASCII characters that quote() escapes are \u escapes and
// invalid UTF-8 bytes are U+FFFD. A JSON reader gets the same strings, and a terminal shows them in
// order.
std::string plain_json(std::string_view json);

}  // namespace bifrons
