// Detokenizer for streaming. It decodes all tokens again each time: replies are short, and a
// character may span several tokens.
#include "src/engine/reply_text.h"

#include <algorithm>

#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

// Number of bytes at the end of `text` that may be the beginning of `stop`.
size_t begun(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

ReplyText::ReplyText(const Tokenizer& tokenizer, std::vector<std::string> stop)
    : tokenizer_(tokenizer), stop_(std::move(stop)) {
  std::erase(stop_, std::string());
  for (const std::string& text : stop_) {
    if (const auto token = tokenizer_.id_of(text)) stop_tokens_.push_back(*token);
  }
}

std::string ReplyText::add(int32_t token) {
  if (stopped_) return {};
  if (std::find(stop_tokens_.begin(), stop_tokens_.end(), token) != stop_tokens_.end()) {
    const std::string rest = finish();
    stopped_ = true;
    return rest;
  }
  tokens_.push_back(token);
  const std::string decoded = tokenizer_.decode(tokens_, true);
  std::string_view whole = decoded;
  for (const std::string& stop : stop_) {
    const size_t at = whole.find(stop);
    if (at == std::string_view::npos) continue;
    whole = whole.substr(0, at);
    stopped_ = true;
  }
  return give(whole, stopped_);
}

std::string ReplyText::finish() {
  return stopped_ ? std::string() : give(tokenizer_.decode(tokens_, true), true);
}

std::string ReplyText::give(std::string_view whole, bool last) {
  size_t end = whole.size();
  if (!last) {
    size_t held = 0;
    for (const std::string& stop : stop_) held = std::max(held, begun(whole, stop));
    end -= held;
    // U+FFFD may stand for an unfinished character.
    // A character has at most four bytes, so at most three incomplete ones are held back.
    for (int i = 0; i < 3 && whole.substr(0, end).ends_with(kReplacementCharacter); ++i) {
      end -= kReplacementCharacter.size();
    }
  }
  const std::string_view certain = python_strip(whole.substr(0, end));
  if (certain.size() <= given_.size()) return {};
  const std::string piece(certain.substr(given_.size()));
  given_ = certain;
  return piece;
}

}  // namespace bifrons
