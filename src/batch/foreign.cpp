// Names that set nothing, in one sentence each.
#include "src/batch/foreign.h"

#include <fmt/format.h>

#include "src/batch/prompt_line.h"
#include "src/io/quote.h"

namespace bifrons {

void remark_foreign(Remarks& remarks, std::string_view kind, std::string_view name) {
  if (is_size(name)) return;
  if (is_manifest_member(name)) {
    remarks.once(fmt::format("the {} {} is one the manifest has itself; it is not copied", kind,
                             quote(name, 60)));
  }
  if (const std::string_view near = nearly_field(name); !near.empty()) {
    remarks.once(fmt::format("the {} {} is only copied to the manifest; did you mean {}?", kind,
                             quote(name, 60), near));
  }
}

void remark_second_prompt(Remarks& remarks, std::string_view kind, std::string_view taken,
                          std::string_view name) {
  remarks.once_about("second prompt",
                     fmt::format("there are two {}s of a prompt: {} is drawn, {} is not", kind,
                                 quote(taken, 60), quote(name, 60)));
}

}  // namespace bifrons
