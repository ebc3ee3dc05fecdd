// What is worth saying of the names in a prompt file that set nothing.
#pragma once

#include <string>
#include <string_view>

#include "src/prompts/warn_once.h"

namespace bifrons {

// Of a `kind` ("key" or "column") that is only copied to the manifest: that it is not copied, as
// the manifest has one of that name, or that it looks like a setting.
void warn_unknown_field(WarnOnce& warn, std::string_view kind, std::string_view name);

// Of a second name for the prompt beside `taken`.
void warn_second_prompt(WarnOnce& warn, std::string_view kind, std::string_view taken,
                        std::string_view name);

}  // namespace bifrons
