// Small things done to text on its way in and out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bifrons {

// A code point that a text must not hold: C0 but for tabs, DEL or C1.
struct ControlCharacter {
  size_t at = 0;  // its first byte
  int code = 0;
};

// The first one of `text`, which is valid UTF-8; `line_ends`: \n is none.
std::optional<ControlCharacter> control_character(std::string_view text, bool line_ends = false);

// `text` without the characters of `blanks` at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n");

// With small ASCII letters for large ones; every other byte as it is.
std::string lower_case(std::string_view text);

// Letters to insert, delete or replace to make one of the other; `enough` stands for that and more.
size_t edit_distance(std::string_view a, std::string_view b, size_t enough);

// The word of `known` that `word` was probably meant to be; empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// What file names say of a prompt: small letters, numbers and marks of any script with hyphens
// between, at most 40 of them and 100 bytes, cut before a whole letter, never empty.
std::string slug(std::string_view prompt);

// The same as earlier versions made it: [a-z0-9-], at most 40 bytes.
std::string former_slug(std::string_view prompt);

// A whole non-negative decimal number in [least, most]. Throws Error (usage) naming `option` and
// the range for anything else.
uint64_t parse_whole(std::string_view option, const std::string& text, uint64_t least,
                     uint64_t most);

// A finite decimal number in [least, most], or in (least, most] with `above`; one too small for a
// double is 0, as is -0. Throws Error (usage) as parse_whole() does.
double parse_real(std::string_view option, const std::string& text, double least, double most,
                  bool above = false);

}  // namespace bifrons
