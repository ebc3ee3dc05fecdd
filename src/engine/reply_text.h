// Streaming detokenizer: text from tokens as they come, in whole characters, without white space at
// the ends, up to a stop text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

class ReplyText {
 public:
  // The tokenizer must outlive this object; empty stop texts are ignored.
  ReplyText(const Tokenizer& tokenizer, std::vector<std::string> stop);

  // Takes the next token and returns the text that is certain by now and was not returned before.
  std::string add(int32_t token);
  // Call after the last token; returns the text that was held back.
  std::string finish();

  bool stopped() const { return stopped_; }  // a stop text came up; later tokens are ignored
  const std::string& text() const { return given_; }

 private:
  std::string give(std::string_view whole, bool last);

  const Tokenizer& tokenizer_;
  std::vector<std::string> stop_;
  std::vector<int32_t> stop_tokens_;  // stop texts that are one token
  std::vector<int32_t> tokens_;
  std::string given_;
  bool stopped_ = false;
};

}  // namespace bifrons
