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
  // Token ids; for rows of the pictures in `spans`, their keys.
  std::vector<int32_t> prompted;
  std::vector<int32_t> unprompted;
  std::vector<std::vector<int32_t>> further{};  // conditional rows behind the first

  int64_t row_count() const { return 2 + static_cast<int64_t>(further.size()); }
  // Row r of a lane with more rows than this prompt: what is too much repeats the last one.
  const std::vector<int32_t>& row(int64_t r) const;
  // Guidance scale of conditional row r; 0 for what is too much.
  double scale(int64_t r) const;
};

// Throws Error: usage (a setting out of range, a prompt too long for the model), data (invalid
// UTF-8).
GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request);
// The same with a conditional row that was made already; the request's prompt is not read.
GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request, std::vector<int32_t> prompted);

}  // namespace bifrons
