// For builds without libedit: lines with the terminal's own editing.
#include "tools/bifrons/line_input.h"

namespace bifrons::cli {

std::unique_ptr<LineInput> terminal_lines() { return plain_lines(true); }

}  // namespace bifrons::cli
