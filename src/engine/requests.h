// Converts requests (text and doubles) to the token ids and settings of a lane.
#pragma once

#include <cstdint>
#include <vector>

#include "src/bifrons.h"
#include "src/model/config.h"
#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// A picture to draw, as token ids with classifier-free guidance: the conditional row (prompted) and
// the unconditional row (unprompted) have the same length L (docs/janus-pro.md 4.3).
struct GuidedPrompt {
  std::vector<int32_t> prompted;
  std::vector<int32_t> unprompted;
  uint64_t seed = 0;
  float guidance = 5.0f;
  float temperature = 1.0f;
  int32_t top_k = 0;
  float top_p = 1.0f;
  std::vector<int32_t> fixed;  // empty, or a code or -1 for each image token
};

// Throws Error: usage (a setting out of range, a prompt too long for the model), data (invalid
// UTF-8).
GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request);

}  // namespace bifrons
