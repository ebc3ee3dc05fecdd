// One sentence for each name that sets nothing.
#include "src/prompts/unknown_fields.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "src/prompts/prompt_line.h"

namespace bifrons {

void warn_unknown_field(WarnOnce& warn, std::string_view kind, std::string_view name) {
  if (is_size(name)) return;
  if (is_manifest_member(name)) {
    warn.once(fmt::format("the {} {} is one the manifest has itself; it is not copied", kind,
                          quote(name, 60)));
  }
  if (const std::string_view near = nearly_field(name); !near.empty()) {
    warn.once(fmt::format("the {} {} is only copied to the manifest; did you mean {}?", kind,
                          quote(name, 60), near));
  }
}

void warn_second_prompt(WarnOnce& warn, std::string_view kind, std::string_view taken,
                        std::string_view name) {
  warn.about("second prompt", fmt::format("there are two {}s of a prompt: {} is drawn, {} is not",
                                          kind, quote(taken, 60), quote(name, 60)));
}

}  // namespace bifrons
