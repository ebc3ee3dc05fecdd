// Letters of every script, as far as file names go.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bifrons {

enum class LetterKind {
  kLetter,     // or a number
  kMark,       // combines with the letter before it
  kInvisible,  // shows nothing by itself: joiners, bidi controls, variation selectors
  kOther,      // blanks, signs, pictographs, controls
};
LetterKind letter_kind(char32_t point);

// The small letter of a large one; anything else as it is.
char32_t lower_letter(char32_t point);

// What two file names have in common that are one where case does not matter: valid UTF-8.
std::string without_case(std::string_view text);

}  // namespace bifrons
