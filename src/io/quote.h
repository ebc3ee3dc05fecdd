// Makes untrusted text safe to show in one line of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bifrons {

// `text` in double quotes with C0, C1, DEL, bidi and zero-width characters, quotes, backslashes and
// invalid UTF-8 bytes written as escapes; cut to `max_columns` with an ellipsis.
std::string quote(std::string_view text, size_t max_columns = 200);

// The text as it is where quote() would escape nothing of it, else quote()'s, uncut both times: for
// names that stand among others in a line.
std::string quote_if_needed(std::string_view text);

// JSON text with what quote() escapes beyond ASCII written as \u escapes, and bytes that are not
// UTF-8 as U+FFFD. A reader gets the same strings; a terminal shows them in order.
std::string plain_json(std::string_view json);

}  // namespace bifrons
