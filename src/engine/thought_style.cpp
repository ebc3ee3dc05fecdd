// Styles as data: read strictly, because a misspelt key would draw other pictures without a word.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/engine/thought_styles.h"
#include "src/io/directory.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/settings/settings.h"
#include "src/think.h"

namespace bifrons {
namespace {

constexpr int64_t kMostStyleBytes = 1 << 20;
constexpr const char* kStyleFile = "bifrons_think.json";
constexpr std::string_view kUsual = "janus-pro-r1";  // of models that have no style of their own
constexpr size_t kMostTokens = 64;                   // in a list

class StyleReader {
 public:
  StyleReader(const Json& object, const std::string& file) : object_(object), file_(file) {}

  ThoughtStyle read() {
    for (const auto& [key, value] : object_.members(file_)) take(key, value);
    if (style_.name.empty()) refuse("name is missing");
    if (style_.ask.empty()) refuse("ask is missing: what the model is asked to think with");
    check_holds("ask", style_.ask, "{prompt}");
    if (same_sequence_ == style_.draw.has_value()) {
      refuse("has draw (a second conversation draws) or \"same_sequence\": true, one of them");
    }
    if (style_.draw) {
      check_holds("draw", *style_.draw, "{prompt}");
      check_holds("draw", *style_.draw, "{thought}");
    }
    if (style_.stop.empty()) refuse("stop is missing: the tokens that end a thought");
    return std::move(style_);
  }

 private:
  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorKind::kData, fmt::format("{}: {}", file_, reason));
  }

  void take(const std::string& key, const Json& value) {
    if (key == "name") return take_text(style_.name, key, value);
    if (key == "user") return take_text(style_.user, key, value);
    if (key == "assistant") return take_text(style_.assistant, key, value);
    if (key == "system") return take_text(style_.system, key, value);
    if (key == "ask") return take_text(style_.ask, key, value);
    if (key == "draw") return take_text(style_.draw.emplace(), key, value);
    if (key == "stop") return take_list(style_.stop, key, value);
    if (key == "added_tokens") return take_list(style_.added_tokens, key, value);
    if (key == "same_sequence") {
      same_sequence_ = value.boolean(where(key));
    } else if (key == "temperature") {
      style_.temperature = value.real(where(key));
      check_between(key, style_.temperature, settings::kTemperature.limits.most);
    } else if (key == "top_k") {
      style_.top_k = value.unsigned_integer(where(key));
      check_between(key, static_cast<double>(style_.top_k),
                    static_cast<double>(settings::kTopK.limits.most));
    } else if (key == "max_tokens") {
      style_.max_tokens = value.unsigned_integer(where(key));
      if (style_.max_tokens < 1) refuse("max_tokens must be at least 1");
      check_between(key, static_cast<double>(style_.max_tokens), kLongestThought);
    } else {
      refuse(fmt::format(
          "{} is not a key of a style, which has name, user, assistant, system, ask, draw, "
          "same_sequence, stop, added_tokens, temperature, top_k and max_tokens",
          quote(key, 40)));
    }
  }

  std::string where(const std::string& key) const { return file_ + ": " + key; }

  void take_text(std::string& to, const std::string& key, const Json& value) const {
    to = value.text(where(key));
    const bool may_be_empty = key == "system";
    if (to.empty() && !may_be_empty) refuse(key + " is empty");
  }

  void take_list(std::vector<std::string>& to, const std::string& key, const Json& value) const {
    for (const Json& item : value.items(where(key))) {
      to.push_back(item.text(where(key)));
      if (to.back().empty()) refuse(key + " holds an empty text");
      if (std::count(to.begin(), to.end(), to.back()) > 1) {
        refuse(fmt::format("{} holds {} twice", key, quote(to.back(), 40)));
      }
    }
    if (to.size() > kMostTokens) {
      refuse(fmt::format("{} holds more than {} tokens", key, kMostTokens));
    }
  }

  void check_between(const std::string& key, double value, double most) const {
    if (value < 0 || value > most) refuse(fmt::format("{} must be from 0 to {}", key, most));
  }

  void check_holds(const char* key, const std::string& text, const char* placeholder) const {
    const size_t at = text.find(placeholder);
    if (at == std::string::npos) refuse(fmt::format("{} does not hold {}", key, placeholder));
    if (text.find(placeholder, at + 1) != std::string::npos) {
      refuse(fmt::format("{} holds {} twice", key, placeholder));
    }
  }

  const Json& object_;
  const std::string& file_;
  ThoughtStyle style_;
  bool same_sequence_ = false;
};

std::string list_json(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ",") + json_text(text);
  return "[" + list + "]";
}

}  // namespace

ThoughtStyle parse_thought_style(std::string_view json, const std::string& name) {
  const Json document = Json::parse(json, name, {kMostStyleBytes, 4, 10'000});
  return StyleReader(document, name).read();
}

std::string thought_style_json(const ThoughtStyle& style) {
  std::string json =
      fmt::format(R"({{"name":{},"user":{},"assistant":{},"system":{},"ask":{})",
                  json_text(style.name), json_text(style.user), json_text(style.assistant),
                  json_text(style.system), json_text(style.ask));
  json += style.draw ? ",\"draw\":" + json_text(*style.draw) : ",\"same_sequence\":true";
  json += ",\"stop\":" + list_json(style.stop);
  if (!style.added_tokens.empty()) json += ",\"added_tokens\":" + list_json(style.added_tokens);
  return json + fmt::format(R"(,"temperature":{},"top_k":{},"max_tokens":{}}})", style.temperature,
                            style.top_k, style.max_tokens);
}

std::vector<std::string> thought_styles() {
  std::vector<std::string> names;
  for (const std::string_view json : built_in_thought_styles()) {
    names.push_back(parse_thought_style(json, "built-in style").name);
  }
  return names;
}

ThoughtStyle thought_style(std::string_view name) {
  std::string names;
  for (const std::string_view json : built_in_thought_styles()) {
    ThoughtStyle style = parse_thought_style(json, "built-in style");
    if (style.name == name) return style;
    names += (names.empty() ? "" : ", ") + style.name;
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("there is no style {}; the built-in ones are {}, and a file of your own "
                          "ends in .json",
                          quote(name, 60), names));
}

ThoughtStyle style_of_model(const std::string& directory) {
  const Directory folder = Directory::open(directory);
  if (folder.contains(kStyleFile)) {
    return parse_thought_style(folder.read_file(kStyleFile, kMostStyleBytes),
                               folder.shown(kStyleFile));
  }
  // The longest name, because one may hold another.
  const std::string model = lower_case(name_of_model(directory));
  std::string best(kUsual);
  size_t longest = 0;
  for (const std::string& name : thought_styles()) {
    if (name.size() <= longest || model.find(name) == std::string::npos) continue;
    best = name;
    longest = name.size();
  }
  return thought_style(best);
}

std::string_view name_of(ThoughtEnd end) {
  switch (end) {
    case ThoughtEnd::kDone:
      return "done";
    case ThoughtEnd::kLength:
      return "length";
    case ThoughtEnd::kGiven:
      return "given";
  }
  throw ContractError("an end of a thought without a name");
}

}  // namespace bifrons
