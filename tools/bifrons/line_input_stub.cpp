// Without a library for line editing, the terminal's own is what there is.
#include "tools/bifrons/line_input.h"

namespace bifrons::cli {

std::unique_ptr<LineInput> terminal_lines() { return plain_lines(true); }

}  // namespace bifrons::cli
