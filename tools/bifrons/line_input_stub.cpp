// For builds without libedit: the terminal's own line editing.
#include "tools/bifrons/line_input.h"

namespace bifrons::cli {

std::unique_ptr<LineInput> terminal_lines() { return plain_lines(true); }

}  // namespace bifrons::cli
