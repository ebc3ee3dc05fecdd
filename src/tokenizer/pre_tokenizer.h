// The pre-tokenizer of DeepSeek-LLM: splits text into pieces before BPE (docs/janus-pro.md 6.2).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// How the sixth split treats digits. Tokenizer files specify it in different ways.
enum class DigitSplit {
  kEachNumeric,    // Digits, individual_digits true
  kNumericRuns,    // Digits, individual_digits false
  kEachPropertyN,  // \p{N}
  kPropertyNRuns,  // \p{N}+
};

// Accepted spellings of the pattern of split `index` (0 to 4) in a tokenizer file. Only these exact
// strings are accepted, because this code has no regular expression engine.
std::vector<std::string> split_patterns(size_t index);
inline constexpr size_t kPatternSplits = 5;

// Splits valid UTF-8 into pieces and calls `piece` for each in order. No piece is empty. Each split
// isolates its matches within the pieces of the split before. Time is linear in the text, times the
// logarithm of the table sizes.
void pre_tokenize(std::string_view text, DigitSplit digits,
                  const std::function<void(std::string_view)>& piece);

}  // namespace bifrons
