// Text to token ids and back: the byte-level BPE tokenizer of a model directory. The ids are the
// same as those of Hugging Face's `tokenizers`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// Whether special tokens spelled in a text are matched. Added tokens that are not special (the 13
// letters of Janus-Pro-7B's vocabulary) are always matched.
enum class SpecialTokens { kMatch, kAsText };

// Bytes [begin, end) of a text.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
};

// Ids of the tokens of which prompts are built.
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
  // Reads DIR/tokenizer.json and, if it exists, DIR/tokenizer_config.json. Throws Error (missing:
  // no tokenizer.json; data: file, field and reason).
  static Tokenizer open(const std::string& directory);

  // The same from the text of tokenizer.json. `name` is the file name in messages.
  static Tokenizer parse(std::string_view json, const std::string& name);

  // The same tokenizer with further tokens, which get the ids from size() on. They are matched in
  // every text, as those that `tokenizers` adds and does not mark special. Tokens that it has
  // already are left out.
  Tokenizer with_tokens(std::span<const std::string> tokens) const;

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Ids of UTF-8 `text`, without BOS. Throws Error (data) if the text is not valid UTF-8 (with the
  // byte offset) or longer than 256 MiB. Takes O(n log n) time in the bytes.
  std::vector<int32_t> encode(std::string_view text, SpecialTokens special) const;

  // The same ids as Hugging Face's tokenizer classes: BOS if adds_bos(), then encode().
  // tokenizer.json itself adds no BOS. LlamaTokenizerFast, the class with which the models were
  // trained and published, adds it unless add_bos_token is false.
  std::vector<int32_t> encode_with_bos(std::string_view text, SpecialTokens special) const;

  // encode() with special tokens matched, except those that touch bytes [begin, end) of the text.
  std::vector<int32_t> encode_guarded(std::string_view text, size_t begin, size_t end) const;
  // The same with several ranges.
  std::vector<int32_t> encode_guarded(std::string_view text,
                                      std::span<const ByteRange> guarded) const;

  // Text of `ids`. Ids without a token give no text, and invalid UTF-8 becomes U+FFFD. Added tokens
  // are decoded like all others: the byte letters of Janus-Pro-7B are not valid UTF-8 and become
  // U+FFFD, as in `tokenizers`.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  // Id of the token with exactly this text in tokenizer.json.
  std::optional<int32_t> id_of(std::string_view token) const;

  // Number of tokens; their ids are 0 to size() - 1.
  int64_t size() const;

  // Whether encode_with_bos() adds BOS.
  bool adds_bos() const;

  // Throws Error (data) with the first token that the vocabulary lacks.
  SpecialIds special_ids() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
  bool adds_bos_ = true;
};

}  // namespace bifrons
