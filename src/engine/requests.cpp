// Checks of the settings, the codes to keep and the length in tokens of a request.
#include "src/engine/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/engine/spans.h"
#include "src/settings/settings.h"
#include "src/tokenizer/prompt.h"

namespace bifrons {
namespace {

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

void add_spans(GuidedPrompt& p, const SpannedPrompt& spans) {
  const size_t rows = spans.rows.size();
  check(rows >= 2 && spans.shares.size() == rows - 1, "spans: two rows or more, and their shares");
  p.prompted = keys_of(spans.rows.front());
  for (size_t r = 1; r + 1 < rows; ++r) p.further.push_back(keys_of(spans.rows[r]));
  p.unprompted = keys_of(spans.rows.back());
  for (size_t r = 0; r < rows; ++r) {
    check(p.row(static_cast<int64_t>(r)).size() == p.prompted.size(),
          "spans: all rows of a picture have one length");
  }
}

}  // namespace

const std::vector<int32_t>& GuidedPrompt::row(int64_t r) const {
  if (r == 0) return prompted;
  return r + 1 < row_count() ? further[r - 1] : unprompted;
}

double GuidedPrompt::scale(int64_t r) const {
  if (r + 1 >= row_count()) return 0;
  return spans ? guidance * spans->shares[r] : guidance;
}

GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request) {
  check_ranges(request);
  std::vector<int32_t> prompted;
  if (!request.spans) {
    prompted = drawing_prompt(tokenizer, request.prompt, request.allow_special);
  }
  return guided_prompt(tokenizer, config, request, std::move(prompted));
}

GuidedPrompt guided_prompt(const Tokenizer& tokenizer, const Config& config,
                           const DrawRequest& request, std::vector<int32_t> prompted) {
  check_ranges(request);
  check_fixed(request, config);
  if (request.spans && request.thinking) {
    throw Error(ErrorKind::kUsage, "a prompt with a picture in it takes no thought");
  }
  GuidedPrompt p;
  if (request.spans) {
    add_spans(p, *request.spans);
  } else {
    p.prompted = std::move(prompted);
    p.unprompted =
        unconditional_prompt(tokenizer, p.prompted, request.negative_prompt.value_or(""));
  }
  const int64_t length = static_cast<int64_t>(p.prompted.size());
  const int64_t most = config.transformer.max_positions - config.image_tokens() + 1;
  if (length > most) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the prompt has {} tokens, but this model takes at most {}", length, most));
  }
  static_cast<DrawRequest&>(p) = request;
  p.prompt.clear();
  p.negative_prompt.reset();
  p.top_k = std::min(request.top_k, config.vq.codebook);
  return p;
}

}  // namespace bifrons
