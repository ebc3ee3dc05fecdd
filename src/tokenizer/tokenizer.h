// Text to token ids and back: the byte-level BPE tokenizer of a model directory, the same ids as
// Hugging Face's `tokenizers` gives.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// Whether special tokens spelled out in a text count as such. Added tokens that are not special
// (the 13 letters of Janus-Pro-7B's vocabulary) are matched either way.
enum class SpecialTokens { kMatch, kAsText };

// Tokens a prompt is built with, looked up by their text.
struct SpecialIds {
  int32_t bos;
  int32_t eos;
  int32_t pad;
  int32_t begin_of_image;
  std::optional<int32_t> user;       // <|User|>; absent from Janus-1.3B
  std::optional<int32_t> assistant;  // <|Assistant|>
};

class Tokenizer {
 public:
  // Reads DIR/tokenizer.json and, if it is there, DIR/tokenizer_config.json. Throws Error (missing:
  // no tokenizer.json; data: file, field and reason).
  static Tokenizer open(const std::string& directory);

  // The same from the text of tokenizer.json; `name` stands for the file in messages.
  static Tokenizer parse(std::string_view json, const std::string& name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // The ids of UTF-8 `text` without anything in front. Throws Error (data) with the byte offset if
  // it is not valid UTF-8, and if it is longer than 256 MiB. Time is O(n log n) in the bytes.
  std::vector<int32_t> encode(std::string_view text, SpecialTokens special) const;

  // What Hugging Face's tokenizer classes give: the beginning of the sentence, if adds_bos(), then
  // encode(). tokenizer.json itself adds nothing in front; LlamaTokenizerFast, the class the models
  // were trained and published with, puts it there unless add_bos_token is false.
  std::vector<int32_t> encode_with_bos(std::string_view text, SpecialTokens special) const;

  // encode() with special tokens matched, except where they touch bytes [begin, end) of the text.
  std::vector<int32_t> encode_guarded(std::string_view text, size_t begin, size_t end) const;

  // The text of `ids`; ids without a token give none, and bytes that are not UTF-8 become U+FFFD.
  // Added tokens are decoded like others, so the byte letters of Janus-Pro-7B, which stand for no
  // valid UTF-8, become U+FFFD as they do in `tokenizers`.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  // The id of the token with exactly this text as tokenizer.json writes it.
  std::optional<int32_t> id_of(std::string_view token) const;

  // How many ids have a token: 0 to size() - 1.
  int64_t size() const;

  // Whether encode_with_bos() puts the beginning of the sentence in front.
  bool adds_bos() const;

  // Throws Error (data) naming the first token that the vocabulary lacks.
  SpecialIds special_ids() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
  bool adds_bos_ = true;
};

}  // namespace bifrons
