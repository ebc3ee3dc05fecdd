// Converts requests (text and doubles) to the token ids and settings of a lane.
#pragma once

#include <cstdint>
#include <vector>

#include "src/bifrons.h"
#include "src/model/config.h"
#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// A picture to draw: a request whose prompts are token ids, with classifier-free guidance. The
// conditional row (prompted) and the unconditional row (unprompted) have the same length L
// (docs/janus-pro.md 4.3).
struct GuidedPrompt : DrawRequest {  // prompt and negative_prompt are empty
  std::vector<int32_t> prompted;
  std::vector<int32_t> unprompted;
};

// Throws Error: usage (a setting out of range, a prompt too long for the model), data (invalid
// UTF-8).
GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request);
// The same with a conditional row that was made already; the request's prompt is not read.
GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request, std::vector<int32_t> prompted);

}  // namespace bifrons
