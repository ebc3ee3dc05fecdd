// Warnings about names in a prompt file that set nothing.
#pragma once

#include <string>
#include <string_view>

#include "src/prompts/warn_once.h"

namespace bifrons {

// Warns about a `kind` ("key" or "column") that sets nothing: it is not copied, because the
// manifest has a member of that name, or it looks like a setting.
void warn_unknown_field(WarnOnce& warn, std::string_view kind, std::string_view name);

// Warns about a second name for the prompt beside `taken`.
void warn_second_prompt(WarnOnce& warn, std::string_view kind, std::string_view taken,
                        std::string_view name);

}  // namespace bifrons
