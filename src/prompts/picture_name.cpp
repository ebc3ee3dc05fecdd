// Values come from anywhere: they are made harmless one by one; whoever asks looks at the whole.
#include "src/prompts/picture_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/name_rules.h"
#include "src/prompts/refuse.h"

namespace bifrons {
namespace {

// One of a pattern's placeholders: {name}, {name:04}, {name-1:04}.
struct Placeholder {
  std::string_view name;  // with the offset, in case it is part of a column's name
  size_t width = 0;
};

Placeholder parse_placeholder(std::string_view inside) {
  Placeholder found{inside, 0};
  const size_t colon = inside.rfind(':');
  if (colon == std::string_view::npos) return found;
  std::string_view width = inside.substr(colon + 1);
  if (width.ends_with('d')) width.remove_suffix(1);
  if (width.size() == 3 && width.starts_with('0')) width.remove_prefix(1);
  if (width.empty() || width.size() > 2 ||
      width.find_first_not_of("0123456789") != std::string_view::npos) {
    refuse_as_data(quote(fmt::format("{{{}}}", inside), 60) +
                   " has no width that a number can have; write {number:04}, up to 99");
  }
  std::from_chars(width.data(), width.data() + width.size(), found.width);
  found.name = inside.substr(0, colon);
  return found;
}

// Calls `text` for what stands there as it is and `field` for placeholders, the latter with what
// comes behind them.
void walk(std::string_view pattern, const std::function<void(std::string_view)>& text,
          const std::function<void(const Placeholder&, std::string_view behind)>& field) {
  while (!pattern.empty()) {
    const size_t brace = std::min(pattern.find_first_of("{}"), pattern.size());
    text(pattern.substr(0, brace));
    pattern.remove_prefix(brace);
    if (pattern.empty()) return;
    if (pattern.starts_with("{{") || pattern.starts_with("}}")) {
      text(pattern.substr(0, 1));
      pattern.remove_prefix(2);
      continue;
    }
    const size_t end = pattern.find_first_of("{}", 1);
    if (pattern[0] == '}' || end == std::string_view::npos || pattern[end] == '{') {
      refuse_as_data(pattern[0] == '}' ? "a } without { in a name; write }} for the sign itself"
                                       : "a { without } in a name; write {{ for the sign itself");
    }
    const std::string_view inside = pattern.substr(1, end - 1);
    pattern.remove_prefix(end + 1);
    field(parse_placeholder(inside), pattern);
  }
}

std::string padded(std::string digits, size_t width) {
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

// A number that may have an offset behind its name; nothing when it is none of these.
std::optional<std::string> number_of(std::string_view name, const NameSource& source) {
  const size_t sign = name.find_first_of("+-");
  const std::string_view plain = name.substr(0, sign);
  int64_t value = source.line.number;
  if (plain == "number") {
    value = source.number;
  } else if (plain == "index") {
    value = source.index;
  } else if (plain != "line") {
    return name == "seed" ? std::optional(std::to_string(source.seed)) : std::nullopt;
  }
  if (sign == std::string_view::npos) return std::to_string(value);
  const std::string_view digits = name.substr(sign + 1);
  int64_t offset = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), offset);
  if (error != std::errc() || end != digits.data() + digits.size() || offset < 0 ||
      offset > 1'000'000'000) {
    return std::nullopt;
  }
  value += name[sign] == '+' ? offset : -offset;
  if (value < 0) refuse_as_data(quote(fmt::format("{{{}}}", name), 60) + " is below zero here");
  return std::to_string(value);
}

std::string value_of_column(const std::string& name, const std::string& json) {
  const Json value = Json::parse(json, name);
  if (value.is_string()) return value.text(name);
  if (value.is_number()) return value.dump();
  refuse_as_data(
      fmt::format("the column {} is {}, which gives no name", quote(name, 60), value.kind()));
}

std::string text_of(std::string_view name, const NameSource& source) {
  if (name == "prompt") return std::string(source.prompt);
  if (name == "slug") return slug(source.prompt);
  if (name == "id" && source.line.id.empty())
    refuse_as_data("its name asks for {id}, but there is none");
  if (name == "id") return source.line.id;
  for (const auto& [column, json] : source.line.extras) {
    if (column == name) return value_of_column(column, json);
  }
  refuse_as_data(
      quote(fmt::format("{{{}}}", name), 60) +
      " is no column of this line and no placeholder; known are {number} {number:04} {index} "
      "{line} {seed} {id} {prompt} {slug}");
}

// As C's format functions have it, and generate's --output.
bool has_percent_number(std::string_view pattern) {
  for (size_t at = pattern.find('%'); at != pattern.npos; at = pattern.find('%', at + 1)) {
    const size_t letter = pattern.find_first_not_of("0123456789", at + 1);
    if (letter != pattern.npos && pattern[letter] == 'd') return true;
  }
  return false;
}

}  // namespace

void check_output_name(std::string_view pattern) {
  if (has_percent_number(pattern)) {
    refuse_as_data(quote(pattern, 60) + " has a number as C writes it; write {number:04} instead");
  }
  std::string sample;  // of an inconspicuous value
  walk(
      pattern, [&](std::string_view text) { sample += text; },
      [&](const Placeholder&, std::string_view) { sample += "00"; });
  const std::string fault = fault_of_path(sample);
  if (!fault.empty()) refuse_as_data(quote(pattern, 60) + " cannot be an output name: it " + fault);
}

std::string picture_name(std::string_view pattern, const NameSource& source) {
  std::string name;
  walk(
      pattern, [&](std::string_view text) { name += text; },
      [&](const Placeholder& placeholder, std::string_view behind) {
        if (const auto number = number_of(placeholder.name, source)) {
          name += padded(*number, placeholder.width);
          return;
        }
        if (placeholder.width > 0) {
          refuse_as_data(quote(fmt::format("{{{}}}", placeholder.name), 60) +
                         " is no number, so it has no width in a name");
        }
        name +=
            harmless_value(text_of(placeholder.name, source), name.empty() || name.ends_with('/'),
                           behind.empty() || behind.starts_with('/'));
      });
  return name;
}

bool tells_pictures_apart(std::string_view pattern) {
  bool apart = false;
  walk(
      pattern, [](std::string_view) {},
      [&](const Placeholder& placeholder, std::string_view) {
        const std::string_view plain =
            placeholder.name.substr(0, placeholder.name.find_first_of("+-"));
        apart = apart || plain == "number" || plain == "index" || placeholder.name == "seed";
      });
  return apart;
}

}  // namespace bifrons
