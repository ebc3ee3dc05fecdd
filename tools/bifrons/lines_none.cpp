// Without a library for line editing, the terminal's own is what there is.
#include "tools/bifrons/lines.h"

namespace bifrons {

std::unique_ptr<LineReader> terminal_lines() { return plain_lines(true); }

}  // namespace bifrons
