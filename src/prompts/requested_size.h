// The size that a line of a prompt file asks for.
#pragma once

#include <cstdint>

#include "src/prompts/prompt_line.h"

namespace bifrons {

// Prompt files of other programs may give the size of a picture, but a model draws one size. Throws
// Error (data) when the line asks for other than `side` x `side` pixels. 0: the side is not known,
// and nothing is checked.
void check_size(const PromptLine& line, int64_t side);

}  // namespace bifrons
