// Drawing prompts as token ids, in the format of the training data of Janus models
// (docs/janus-pro.md 4.1 and 4.2).
#include "src/tokenizer/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "kernels/error.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

// python_strip() reads characters, so the text is checked for valid UTF-8 first.
void refuse_invalid(std::string_view prompt) {
  if (const std::optional<size_t> bad = invalid_utf8(prompt)) {
    throw Error(ErrorKind::kData, fmt::format("the prompt is not valid UTF-8 at byte {}", *bad));
  }
}

}  // namespace

std::vector<int32_t> drawing_prompt(const Tokenizer& tokenizer, std::string_view prompt,
                                    bool allow_special) {
  refuse_invalid(prompt);
  const SpecialIds special = tokenizer.special_ids();
  const std::string_view stripped = python_strip(prompt);
  const bool tokens = special.user && special.assistant;

  std::string text = tokens ? "<|User|>:" : "User:";
  if (!stripped.empty()) text += ' ';
  const size_t begin = text.size();
  text += stripped;
  const size_t end = text.size();
  if (!stripped.empty()) text += "\n\n";
  text += tokens ? "<|Assistant|>:" : "Assistant:";

  const std::vector<int32_t> body = allow_special ? tokenizer.encode(text, SpecialTokens::kMatch)
                                                  : tokenizer.encode_guarded(text, begin, end);
  std::vector<int32_t> ids = {special.bos};
  ids.insert(ids.end(), body.begin(), body.end());
  ids.push_back(special.begin_of_image);
  return ids;
}

std::vector<int32_t> unconditional_prompt(const Tokenizer& tokenizer,
                                          const std::vector<int32_t>& prompt,
                                          std::string_view negative) {
  check(prompt.size() >= 2, "unconditional_prompt: a prompt has a first and a last id");
  refuse_invalid(negative);
  const std::vector<int32_t> words = tokenizer.encode(negative, SpecialTokens::kAsText);
  std::vector<int32_t> ids(prompt.size(), tokenizer.special_ids().pad);
  ids.front() = prompt.front();
  ids.back() = prompt.back();
  std::copy_n(words.begin(), std::min(words.size(), ids.size() - 2), ids.begin() + 1);
  return ids;
}

}  // namespace bifrons
