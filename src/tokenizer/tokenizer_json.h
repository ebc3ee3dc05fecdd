// Reads tokenizer.json: checks that it has the one layout this engine speaks, and takes it apart.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/tokenizer/added_tokens.h"
#include "src/tokenizer/byte_pairs.h"
#include "src/tokenizer/pre_tokenizer.h"

namespace bifrons {

inline constexpr std::string_view kBosToken = "<｜begin▁of▁sentence｜>";

// Lets a map with string keys be asked with a view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct TokenizerLayout {
  std::vector<std::string> texts;  // by id; dense, valid UTF-8
  std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>> ids;
  std::vector<AddedToken> added;
  BytePairs byte_pairs;
  DigitSplit digits = DigitSplit::kEachNumeric;
};

// Throws Error (data) naming the file as `name` does, the field and the reason for anything but a
// byte-level BPE with DeepSeek-LLM's splits, unique and dense ids, and merges whose parts and
// outcome exist.
TokenizerLayout parse_tokenizer_layout(std::string_view json, const std::string& name);

// add_bos_token of tokenizer_config.json; true when it is not said, as LlamaTokenizerFast has it.
// Throws Error (data) when the file is no JSON object, or asks for an end-of-sentence token.
bool parse_adds_bos(std::string_view json, const std::string& name);

}  // namespace bifrons
