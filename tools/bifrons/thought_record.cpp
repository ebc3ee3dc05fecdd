// The style in a picture's record is untrusted and read as strictly as a file of the user.
#include "tools/bifrons/thought_record.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "src/io/sha256.h"

namespace bifrons::cli {

using nlohmann::json;

json plan_json(const std::vector<PlannedBox>& plan) {
  json boxes = json::array();
  for (const PlannedBox& box : plan) {
    boxes.push_back({{"name", box.name}, {"box", {box.left, box.top, box.right, box.bottom}}});
  }
  return boxes;
}

void add_thought(json& settings, const Thinking& thinking, const Thought& thought) {
  const ThoughtStyle& style = options_of(thinking).style;
  settings["thought"] = thought.text;
  settings["thought_tokens"] = thought.tokens;
  settings["thought_sha256"] = sha256(thought.text);
  const auto plan = plan_of(thought.text);
  if (!plan.empty()) settings["plan"] = plan_json(plan);
  settings["think"] = json::parse(thought_style_json(style));
  settings["think"]["end"] = name_of(thought.end);
}

std::optional<ThinkOptions> recorded_thinking(const json& settings, const std::string& name) {
  const auto think = settings.find("think");
  if (think == settings.end()) return std::nullopt;
  const auto text = settings.find("thought"), tokens = settings.find("thought_tokens");
  const bool whole = think->is_object() && text != settings.end() && text->is_string() &&
                     tokens != settings.end() && tokens->is_array() &&
                     tokens->size() <= static_cast<size_t>(kLongestThought);
  const Error fault(ErrorKind::kData, name +
                                          ": think must be a style, thought a text and "
                                          "thought_tokens an array of token ids");
  if (!whole) throw fault;
  json style = *think;
  style.erase("end");
  ThinkOptions options{
      parse_thought_style(style.dump(), name + ": think"), text->get<std::string>(), {}};
  for (const json& token : *tokens) {
    if (!token.is_number_unsigned() ||
        token.get<uint64_t>() > std::numeric_limits<int32_t>::max()) {
      throw fault;
    }
    options.tokens.push_back(token.get<int32_t>());
  }
  return options;
}

}  // namespace bifrons::cli
