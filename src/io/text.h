// Text helpers: validation, spelling suggestions, slugs, numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bifrons {

// A control character that is not allowed: C0 without tab, DEL, or C1.
struct ControlCharacter {
  size_t at = 0;  // offset of its first byte
  int code = 0;
};

// The first control character of `text`, which is valid UTF-8. `line_ends`: \n is allowed.
std::optional<ControlCharacter> control_character(std::string_view text, bool line_ends = false);

inline bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// A space, a tab or the end of a line.
inline bool is_ascii_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// `text` without the characters of `blanks` at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n");

// With small ASCII letters for large ones; every other byte as it is.
std::string lower_case(std::string_view text);

// Levenshtein distance of `a` and `b`; larger distances are returned as `enough`.
size_t edit_distance(std::string_view a, std::string_view b, size_t enough);

// The word of `known` that `word` was probably meant to be; empty if none is similar.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// Slug of a prompt for file names: lower-case letters, numbers and marks of all scripts, joined by
// hyphens. At most 40 characters and 100 bytes, cut before a whole letter, never empty.
std::string slug(std::string_view prompt);

// Slug as earlier versions made it: [a-z0-9-], at most 40 bytes.
std::string former_slug(std::string_view prompt);

// Parses a non-negative decimal integer in [least, most]. Throws Error (usage) with `option` and
// the range for anything else.
uint64_t parse_whole(std::string_view option, const std::string& text, uint64_t least,
                     uint64_t most);

// Parses a finite decimal number in [least, most], or in (least, most] if `above`. A number too
// small for a double becomes 0, as does -0. Throws Error (usage) as parse_whole() does.
double parse_real(std::string_view option, const std::string& text, double least, double most,
                  bool above = false);

}  // namespace bifrons
