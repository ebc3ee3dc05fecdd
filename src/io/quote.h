// Makes untrusted text safe to show in one line of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bifrons {

// `text` in double quotes with C0, C1, DEL, bidi and zero-width characters, quotes, backslashes and
// invalid UTF-8 bytes written as escapes; cut to `max_columns` with an ellipsis.
std::string quote(std::string_view text, size_t max_columns = 200);

}  // namespace bifrons
