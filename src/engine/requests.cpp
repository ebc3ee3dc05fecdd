// Checks of a request's settings and of its length in tokens.
#include "src/engine/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/tokenizer/prompt.h"

namespace bifrons {
namespace {

void require(bool holds, const char* sentence) {
  if (!holds) throw Error(ErrorKind::kUsage, sentence);
}

// All comparisons fail for NaN, so NaN is refused.
void check_settings(const DrawRequest& r) {
  constexpr double kLargest = 1e6;
  require(std::abs(r.guidance) <= kLargest, "guidance must be a number from -1000000 to 1000000");
  require(r.temperature >= 0 && r.temperature <= kLargest,
          "temperature must be a number from 0 to 1000000");
  require(r.top_k >= 0, "top_k must not be negative");
  require(r.top_p > 0 && r.top_p <= 1, "top_p must be a number above 0 and at most 1");
}

void check_fixed(const DrawRequest& r, const Config& config) {
  if (r.fixed.empty()) return;
  const int64_t tokens = config.image_tokens(), codes = config.vq.codebook;
  if (static_cast<int64_t>(r.fixed.size()) != tokens) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the picture to keep parts of has {} tokens, but this model's have {}",
                            r.fixed.size(), tokens));
  }
  for (const int32_t code : r.fixed) {
    if (code < -1 || code >= codes) {
      throw Error(
          ErrorKind::kUsage,
          fmt::format("a token to keep is {}, but codes run from 0 to {}", code, codes - 1));
    }
  }
}

}  // namespace

GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request) {
  check_settings(request);
  check_fixed(request, config);
  GuidedPrompt p;
  p.prompted = drawing_prompt(tokenizer, request.prompt, request.allow_special);
  const int64_t length = static_cast<int64_t>(p.prompted.size());
  const int64_t most = config.transformer.max_positions - config.image_tokens() + 1;
  if (length > most) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the prompt has {} tokens, but this model takes at most {}", length, most));
  }
  p.unprompted = unguided_prompt(tokenizer, p.prompted, request.negative_prompt.value_or(""));
  p.seed = request.seed;
  p.guidance = static_cast<float>(request.guidance);
  p.temperature = static_cast<float>(request.temperature);
  p.top_k = static_cast<int32_t>(std::min<int64_t>(request.top_k, config.vq.codebook));
  p.top_p = static_cast<float>(request.top_p);
  p.fixed = request.fixed;
  return p;
}

}  // namespace bifrons
