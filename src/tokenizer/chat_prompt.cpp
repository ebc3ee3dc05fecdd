// Special tokens split the text of the conversation. The text between two of them is encoded at
// once.
#include "src/tokenizer/chat_prompt.h"

#include <fmt/format.h>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

class PromptWriter {
 public:
  PromptWriter(const Tokenizer& tokenizer, int64_t picture_tokens)
      : tokenizer_(tokenizer), special_(tokenizer.special_ids()), picture_tokens_(picture_tokens) {
    prompt_.ids.push_back(special_.bos);
  }

  void text(std::string_view words) { pending_ += words; }

  // Text in which special tokens are matched.
  void special_text(std::string_view words) {
    flush();
    append(tokenizer_.encode(words, SpecialTokens::kMatch));
  }

  void end_of_sentence() {
    flush();
    prompt_.ids.push_back(special_.eos);
  }

  void role(const std::optional<int32_t>& token, std::string_view word) {
    if (special_.user && special_.assistant) {
      flush();
      prompt_.ids.push_back(*token);
    } else {
      text(word);
    }
  }
  void user() { role(special_.user, "User"); }
  void assistant() { role(special_.assistant, "Assistant"); }

  void picture() {
    constexpr std::string_view kEnd = "<end_of_image>";
    const std::optional<int32_t> end = tokenizer_.id_of(kEnd);
    if (!end) {
      throw Error(ErrorKind::kData,
                  fmt::format("tokenizer.json: lacks the token {}, which pictures "
                              "are shown with",
                              quote(kEnd)));
    }
    flush();
    prompt_.ids.push_back(special_.begin_of_image);
    prompt_.pictures.push_back(static_cast<int64_t>(prompt_.ids.size()));
    // The embedding of this id is never looked up. The vocabulary of Janus-1.3B lacks the token.
    const int32_t placeholder = tokenizer_.id_of("<image_placeholder>").value_or(special_.pad);
    prompt_.ids.insert(prompt_.ids.end(), picture_tokens_, placeholder);
    prompt_.ids.push_back(*end);
  }

  ChatPrompt finish() {
    flush();
    return std::move(prompt_);
  }

 private:
  void append(const std::vector<int32_t>& ids) {
    prompt_.ids.insert(prompt_.ids.end(), ids.begin(), ids.end());
  }
  void flush() {
    append(tokenizer_.encode(pending_, SpecialTokens::kAsText));
    pending_.clear();
  }

  const Tokenizer& tokenizer_;
  SpecialIds special_;
  int64_t picture_tokens_;
  std::string pending_;
  ChatPrompt prompt_;
};

std::string_view stripped(std::string_view text, std::string_view what) {
  if (const std::optional<size_t> bad = invalid_utf8(text)) {
    throw Error(ErrorKind::kData, fmt::format("{} is not valid UTF-8 at byte {}", what, *bad));
  }
  return python_strip(text);
}

}  // namespace

ChatPrompt chat_prompt(const Tokenizer& tokenizer, std::string_view system,
                       std::span<const ChatTurn> turns, int64_t picture_tokens,
                       bool allow_special) {
  PromptWriter out(tokenizer, picture_tokens);
  const std::string_view preamble = stripped(system, "the system prompt");
  if (!preamble.empty()) {
    out.text(preamble);
    out.text("\n\n");
  }
  for (const ChatTurn& turn : turns) {
    const std::string_view words = stripped(turn.words, "the question");
    out.user();
    out.text(":");
    if (turn.pictures > 0 || !words.empty()) out.text(" ");
    for (int64_t i = 0; i < turn.pictures; ++i) {
      out.picture();
      if (i + 1 < turn.pictures || !words.empty()) out.text("\n");
    }
    allow_special ? out.special_text(words) : out.text(words);
    if (turn.pictures > 0 || !words.empty()) out.text("\n\n");
    out.assistant();
    out.text(":");
    if (!turn.reply) continue;
    const std::string_view reply = stripped(*turn.reply, "a reply");
    if (reply.empty()) continue;
    out.text(" ");
    out.text(reply);
    out.end_of_sentence();
  }
  return out.finish();
}

std::string_view stop_text(const Tokenizer& tokenizer) {
  return tokenizer.special_ids().user ? "<|User|>" : "User:";
}

}  // namespace bifrons
