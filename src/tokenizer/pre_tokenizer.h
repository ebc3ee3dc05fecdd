// The splits that cut text into pieces before byte pairs are merged (DeepSeek-LLM's,
// docs/janus-pro.md 6.2).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// How the sixth split treats numerals; tokenizer files differ in how they say it.
enum class DigitSplit {
  kEachNumeric,    // Digits, individual_digits true
  kNumericRuns,    // Digits, individual_digits false
  kEachPropertyN,  // \p{N}
  kPropertyNRuns,  // \p{N}+
};

// The spellings accepted for the pattern of split `index` (0 to 4) of a tokenizer file. Only these
// exact strings are: nothing here interprets a regular expression.
std::vector<std::string> split_patterns(size_t index);
inline constexpr size_t kPatternSplits = 5;

// Cuts valid UTF-8 into pieces and hands them on in order; empty pieces never occur. Each split
// isolates its matches within every piece of the split before. Time is linear in the text, but for
// the logarithm of the tables' length.
void pre_tokenize(std::string_view text, DigitSplit digits,
                  const std::function<void(std::string_view)>& piece);

}  // namespace bifrons
