// The size that a line of a prompt file asks for.
#pragma once

#include <cstdint>

#include "src/prompts/prompt_line.h"

namespace bifrons {

// Prompt files of other programs may say how large a picture is to be; a model draws one size.
// Throws Error (data) when the line asks for another one than `side` x `side` pixels. A side of 0
// is not known: nothing is looked at.
void check_size(const PromptLine& line, int64_t side);

}  // namespace bifrons
