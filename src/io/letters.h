// Letters of all scripts, for file names.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bifrons {

enum class LetterKind {
  kLetter,     // or a number
  kMark,       // combines with the letter before it
  kInvisible,  // invisible by itself: joiners, bidi controls, variation selectors
  kOther,      // spaces, signs, pictographs, controls
};
LetterKind letter_kind(char32_t point);

// Lower case of `point`; `point` itself if it has none.
char32_t lower_letter(char32_t point);

// Case folding of valid UTF-8: two file names that differ only in case give the same result.
std::string fold_case(std::string_view text);

}  // namespace bifrons
