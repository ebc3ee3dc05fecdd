// Sizes as other programs write them: 384, 384.0, 384x384, 384 × 384, [384, 384].
#include "src/prompts/requested_size.h"

#include <fmt/format.h>

#include <cctype>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

// Whether `value` is `number`, also with the fraction that pandas gives to whole numbers: 384.0.
bool is_number(std::string_view value, std::string_view number) {
  if (!value.starts_with(number)) return false;
  value.remove_prefix(number.size());
  return value.empty() || (value.size() > 1 && value[0] == '.' &&
                           value.find_first_not_of('0', 1) == std::string_view::npos);
}

// "384x384", however the sign between is written.
bool is_square(std::string_view value, std::string_view side) {
  std::string plain;
  for (const char c : value) {
    if (c != ' ') plain += c;
  }
  for (const char* times : {"x", "X", "*", "\xc3\x97"}) {
    if (plain == fmt::format("{}{}{}", side, times, side)) return true;
  }
  return false;
}

// "WxH" for an array of two whole numbers, [W, H]; any other value unchanged.
std::string without_brackets(std::string_view value) {
  std::string plain;
  for (const char c : value) {
    if (c != ' ') plain += c;
  }
  const size_t comma = plain.find(',');
  if (comma == std::string::npos || plain.front() != '[' || plain.back() != ']') {
    return std::string(value);
  }
  const std::string width = plain.substr(1, comma - 1);
  const std::string height = plain.substr(comma + 1, plain.size() - comma - 2);
  for (const std::string& side : {width, height}) {
    if (side.empty() || side.find_first_not_of("0123456789") != std::string::npos) {
      return std::string(value);
    }
  }
  return width + "x" + height;
}

// "1:1", or 1.
bool is_even(std::string_view value) {
  const size_t colon = value.find_first_of(":/xX");
  if (colon == std::string_view::npos) return is_number(value, "1");
  return value.substr(0, colon) == value.substr(colon + 1);
}

std::string_view without_blanks_around(std::string_view value) {
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  return value;
}

// Whether a value leaves the size to the program: null, an empty text or cell, or a word such as
// "auto" or "square_hd". A Boolean, a negative number or a blank was meant as something else.
bool is_left_open(std::string_view value) {
  if (value.empty()) return true;
  const std::string word = lower_case(value);
  const bool letter = static_cast<unsigned char>(word[0]) >= 0x80 ||
                      std::isalpha(static_cast<unsigned char>(word[0])) != 0;
  return letter && word != "true" && word != "false";
}

}  // namespace

void check_size(const PromptLine& line, int64_t side) {
  const auto refuse = [&](const std::string& name, std::string_view value) {
    throw Error(ErrorKind::kData, fmt::format("{} is {}, but this model draws {} x {} pixels",
                                              quote(name, 60), quote(value, 60), side, side));
  };
  for (const auto& [name, json] : line.extras) {
    if (side == 0 || !is_size(name)) continue;
    std::string_view given = json;
    if (given.size() >= 2 && given.front() == '"') given = given.substr(1, given.size() - 2);
    if (is_left_open(given)) continue;
    const std::string value = without_brackets(without_blanks_around(given));
    if (value.starts_with('[') || value.starts_with('{')) {
      throw Error(ErrorKind::kData,
                  fmt::format("{} is {}; write it as a number, \"{}x{}\" or [{}, {}]",
                              quote(name, 60), quote(given, 60), side, side, side, side));
    }
    const std::string wanted = std::to_string(side);
    if (is_aspect_ratio(name)) {
      if (!is_even(value)) refuse(name, given);
      continue;
    }
    if (!is_number(value, wanted) && !is_square(value, wanted)) refuse(name, given);
  }
}

}  // namespace bifrons
