// Reads tokenizer.json and refuses every layout but the one of DeepSeek-LLM.
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

// Hash for lookup of string keys by string_view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct TokenizerLayout {
  std::vector<std::string> texts;  // by id; ids are dense, texts are valid UTF-8
  std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>> ids;
  std::vector<AddedToken> added;
  BytePairs byte_pairs;
  DigitSplit digits = DigitSplit::kEachNumeric;
};

// Parses a byte-level BPE tokenizer with DeepSeek-LLM's splits. Ids must be unique and dense, and
// the parts and results of all merges must exist. Throws Error (data) with `name`, field and reason
// for anything else.
TokenizerLayout parse_tokenizer_layout(std::string_view json, const std::string& name);

// add_bos_token of tokenizer_config.json; true if absent, as in LlamaTokenizerFast. Throws Error
// (data) if the file is not a JSON object or asks for an end-of-sentence token.
bool parse_adds_bos(std::string_view json, const std::string& name);

}  // namespace bifrons
