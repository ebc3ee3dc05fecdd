// Values are JSON already, so the first character of a value determines its type.
#include "src/store/manifest_columns.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/prompts/prompt_line.h"
#include "src/settings/settings.h"

namespace bifrons {
namespace {

constexpr std::string_view kPrefix = "original_";
constexpr uint64_t kLargestInteger = std::numeric_limits<int64_t>::max();  // Arrow's limit

// A member of a line: the name as JSON with its quotes, the value as JSON.
struct RawMember {
  std::string_view name, value;
};

// Position after the closing quote of the JSON string that begins at `from`.
size_t end_of_string(std::string_view text, size_t from) {
  for (size_t i = from + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// End of the value that begins at `from`: a comma or the end of the text.
size_t end_of_value(std::string_view text, size_t from) {
  int64_t depth = 0;
  size_t i = from;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"') {
      i = end_of_string(text, i);
      if (i == std::string_view::npos) return i;
      continue;
    }
    if (c == ',' && depth == 0) return i;
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (depth < 0) return std::string_view::npos;
    ++i;
  }
  return depth == 0 ? i : std::string_view::npos;
}

// The members of compact JSON without its closing brace, as in manifests; nullopt for other text.
std::optional<std::vector<RawMember>> raw_members(std::string_view body) {
  std::vector<RawMember> members;
  if (!body.starts_with('{')) return std::nullopt;
  for (size_t at = 1;;) {
    if (at >= body.size() || body[at] != '"') return std::nullopt;
    const size_t colon = end_of_string(body, at);
    if (colon >= body.size() || body[colon] != ':') return std::nullopt;
    const size_t end = end_of_value(body, colon + 1);
    if (end == std::string_view::npos || end == colon + 1) return std::nullopt;
    members.push_back({body.substr(at, colon - at), body.substr(colon + 1, end - colon - 1)});
    if (end == body.size()) return members;
    at = end + 1;
  }
}

// Decodes a JSON string. Strings without escapes take a fast path, because there may be a million
// lines.
std::string text_of_json(std::string_view json) {
  if (json.find('\\') == json.npos) return std::string(json.substr(1, json.size() - 2));
  return Json::parse(json, "manifest").text("manifest");
}

std::string real_from(std::string_view json) {
  std::string text(json);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

bool is_real_member(std::string_view name) {
  bool real = false;
  for_each_number([&]<typename T>(const Setting<T>& setting) {
    real = real || (std::same_as<T, double> && setting.name == name);
  });
  return real;
}

// Converts a member of our own from the form of an earlier version.
std::string own_member(const std::string& name, std::string_view value) {
  if (is_real_member(name)) return fmt::format("\"{}\":{}", name, real_from(value));
  if (name == "best_of") return fmt::format("\"{}\":{}", name, best_of_json(value));
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seed);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  if (name == "seed" && whole) return seed_member(name, seed);
  return fmt::format("\"{}\":{}", name, value);
}

uint64_t whole_number(const Json& json) {
  uint64_t value = 0;
  const std::string text = json.dump();
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// `name` or, from 2^63 on, `large_name`; empty if there is neither.
std::string seed_again(const Json& object, const std::string& name) {
  if (const Json* seed = object.find(name)) return seed_member(name, whole_number(*seed));
  const Json* large = object.find("large_" + name);
  return large == nullptr ? "" : fmt::format("\"large_{}\":{}", name, large->dump());
}

}  // namespace

std::string column_value(std::string_view json) {
  return json.starts_with('"') ? std::string(json) : json_text(json);
}

std::string column_name(std::string_view name) {
  std::string safe;
  for (const char c : name) safe += c == '\0' ? "\xef\xbf\xbd" : std::string(1, c);
  if (safe == "image") return std::string(kPrefix) + safe;
  const bool reserved = safe == "file_name" || safe == "file_names" ||
                        safe.ends_with("_file_name") || safe.ends_with("_file_names");
  return reserved ? std::string(kPrefix) + safe + "_" : safe;
}

std::string column_members(const std::vector<std::pair<std::string, std::string>>& extras) {
  std::unordered_map<std::string_view, size_t> last;  // by name: the index of its last value
  for (size_t i = 0; i < extras.size(); ++i) last[extras[i].first] = i;
  std::string members;
  for (size_t i = 0; i < extras.size(); ++i) {
    const auto& [name, json] = extras[i];
    if (is_manifest_member(name) || last.at(name) != i) continue;
    std::string column = column_name(name);
    while (column != name && last.contains(column)) column.insert(0, kPrefix);
    members += fmt::format(",{}:{}", json_text(column), column_value(json));
  }
  return members;
}

std::string real_json(double value) { return real_from(fmt::format("{}", value)); }

std::string seed_member(std::string_view name, uint64_t seed) {
  return seed <= kLargestInteger ? fmt::format("\"{}\":{}", name, seed)
                                 : fmt::format("\"large_{}\":\"{}\"", name, seed);
}

std::string number_members(const DrawRequest& request) {
  std::string members;
  for_each_number([&]<typename T>(const Setting<T>& setting) {
    const T value = request.*setting.value;
    if (!setting.always_in_records && is_default(setting, request)) return;
    if constexpr (std::same_as<T, uint64_t>) {
      members += "," + seed_member(setting.name, value);
    } else if constexpr (std::same_as<T, double>) {
      members += fmt::format(",\"{}\":{}", setting.name, real_json(value));
    } else {
      members += fmt::format(",\"{}\":{}", setting.name, value);
    }
  });
  return members;
}

std::string best_of_json(std::string_view choice) {
  const Json json = Json::parse(choice, "best_of");
  const Json* question = json.find("question");
  const Json* candidates = json.find("candidates");
  if (question == nullptr || candidates == nullptr) return std::string(choice);
  std::string list;
  for (const Json& each : candidates->items("best_of")) {
    const auto real = [&](const char* name) {
      const Json* value = each.find(name);
      return real_json(value == nullptr ? 0 : value->real(name));
    };
    list += fmt::format(R"({}{{{},"score":{},"yes":{},"no":{}}})", list.empty() ? "" : ",",
                        seed_again(each, "seed"), real("score"), real("yes"), real("no"));
  }
  return fmt::format(R"({{"question":{},{},"candidates":[{}]}})", question->dump(),
                     seed_again(json, "kept"), list);
}

std::string todays_body(std::string_view body) {
  const auto members = raw_members(body);
  if (!members) return std::string(body);
  std::string today;
  std::vector<std::pair<std::string, std::string>> extras;
  try {
    for (const auto& [raw, value] : *members) {
      const std::string name = text_of_json(raw);
      if (!is_manifest_member(name)) {
        extras.emplace_back(name, value);
        continue;
      }
      today += column_members(extras);
      extras.clear();
      today += "," + own_member(name, value);
    }
    today += column_members(extras);
  } catch (const Error&) {
    return std::string(body);
  }
  today.front() = '{';
  return today;
}

}  // namespace bifrons
