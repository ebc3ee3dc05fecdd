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

// The first code point of a text that is not empty, and how many bytes it takes; 0 bytes: they are
// not UTF-8.
struct DecodedPoint {
  char32_t point = 0;
  size_t bytes = 0;
};
DecodedPoint decode_point(std::string_view text);

void append_point(std::string& text, char32_t point);

// What two file names have in common that are one where case does not matter: valid UTF-8.
std::string without_case(std::string_view text);

}  // namespace bifrons
