// Reads the text of other programs: a prompt, a line that begins with "Negative prompt:", and a
// last line of "Name: value" pairs.
#include "tools/bifrons/like.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/prompt_line.h"
#include "tools/bifrons/untrusted_json.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

constexpr size_t kFewestPairs = 3;  // of a line of settings; fewer may be part of a prompt
constexpr size_t kLongestText = size_t{1} << 20;

struct Pair {
  std::string name, value;
};

// A value ends at the next comma. A JSON string may contain commas.
std::string take_value(std::string_view line, size_t& at) {
  size_t end = line.find(',', at);
  if (line.substr(at).starts_with('"')) {
    size_t quote = at + 1;
    while (quote < line.size() && line[quote] != '"') quote += line[quote] == '\\' ? 2 : 1;
    end = line.find(',', std::min(quote, line.size()));
  }
  end = std::min(end, line.size());
  const std::string value(trimmed(line.substr(at, end - at)));
  at = end + 1;
  return value;
}

std::vector<Pair> pairs_of(std::string_view line) {
  std::vector<Pair> pairs;
  for (size_t at = 0; at < line.size();) {
    const size_t colon = line.find(':', at);
    if (colon == std::string_view::npos) break;
    const std::string_view name = trimmed(line.substr(at, colon - at));
    at = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    std::string value = take_value(line, at);
    if (name.find(',') == std::string_view::npos && !name.empty()) {
      pairs.push_back({std::string(name), std::move(value)});
    }
  }
  return pairs;
}

// Whether a line holds settings rather than a part of a prompt such as "a fox: red, a hat: blue".
bool is_settings(const std::vector<Pair>& pairs) {
  return pairs.size() >= kFewestPairs ||
         std::any_of(pairs.begin(), pairs.end(), [](const Pair& pair) {
           return pair.name == "Steps" || pair.name == "Seed" || pair.name == "CFG scale";
         });
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Collects the settings that were found and those that were out of range.
class Taking {
 public:
  explicit Taking(const std::string& name) : name_(name) {}

  void take(const std::string& name, const std::string& value) {
    const std::optional<Field> field = field_of(name);
    if (!field || !is_of_drawing(*field) || trimmed(value).empty()) return;
    bool& before = seen_[static_cast<size_t>(*field)];
    if (before) return;  // "CFG scale" has priority over a later "Guidance"
    before = true;
    const std::string shown(names_of(*field).front());
    try {
      set_field(line_, *field, name, value);
      if (*field == Field::kSeed && !line_.seed) return;  // -1
      taken_.push_back(shown == "cfg" ? shown : with_blanks(shown));
    } catch (const Error&) {
      left_.push_back(fmt::format("{} {}", with_blanks(shown), quote(value, 40)));
    }
  }

  LikeSettings result() {
    refuse_controls("prompt", line_.prompt);
    refuse_controls("negative prompt", line_.negative_prompt);
    if (taken_.empty()) {
      throw Error(ErrorKind::kData,
                  name_ +
                      ": this picture carries no bifrons settings, and no others that bifrons "
                      "can read");
    }
    LikeSettings found;
    static_cast<PartialRequest&>(found.settings) = line_;
    found.settings.random_seed = false;  // a seed of -1 is not taken
    found.warning =
        fmt::format("{} has the settings of another program; taken: {}{}", name_, joined(taken_),
                    left_.empty() ? "" : "; out of range and left: " + joined(left_));
    return found;
  }

 private:
  static bool is_of_drawing(Field field) {
    bool found = false;
    for_each_setting([&](const auto& each) { found = found || each.field == field; });
    return found;
  }
  static std::string with_blanks(std::string text) {
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
  }
  void refuse_controls(const char* what, const std::optional<std::string>& text) const {
    if (!text) return;
    if (const auto at = invalid_utf8(*text)) {
      throw Error(ErrorKind::kData,
                  fmt::format("{}: its {} is not valid UTF-8 at byte {}", name_, what, *at));
    }
    if (const auto control = control_character(*text, true)) {
      throw Error(ErrorKind::kData, fmt::format("{}: its {} holds a control character (0x{:02x})",
                                                name_, what, control->code));
    }
  }

  const std::string& name_;
  PromptLine line_;
  std::array<bool, kFields> seen_{};
  std::vector<std::string> taken_, left_;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    if (end == text.size()) return lines;
    text.remove_prefix(end + 1);
  }
}

// Our own text puts a backslash before a line of a prompt that begins like the negative prompt.
std::string_view unescaped(std::string_view line, bool ours) {
  return ours && line.starts_with('\\') && line.substr(1).starts_with(kNegativePrefix)
             ? line.substr(1)
             : line;
}

void take_parameters_text(Taking& taking, std::string_view text) {
  std::vector<std::string_view> lines = lines_of(trimmed(text));
  std::vector<Pair> pairs = pairs_of(lines.back());
  if (is_settings(pairs)) {
    lines.pop_back();
  } else {
    pairs.clear();
  }
  const bool ours = std::any_of(pairs.begin(), pairs.end(), [](const Pair& pair) {
    return pair.name == "Version" && pair.value.starts_with("bifrons ");
  });
  std::string prompt, negative;
  bool inside_negative = false;
  for (std::string_view line : lines) {
    if (trimmed(line).starts_with(kNegativePrefix)) {
      inside_negative = true;
      line = trimmed(line).substr(kNegativePrefix.size());
    }
    std::string& part = inside_negative ? negative : prompt;
    part += (part.empty() ? "" : "\n") + std::string(unescaped(line, ours));
  }
  taking.take("prompt", std::string(trimmed(prompt)));
  taking.take("negative_prompt", std::string(trimmed(negative)));
  for (const Pair& pair : pairs) {
    if (field_of(pair.name) != Field::kPrompt) taking.take(pair.name, pair.value);
  }
}

void take_object(Taking& taking, const json& object) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) taking.take(name, value.get<std::string>());
    if (value.is_number()) taking.take(name, value.dump());
  }
}

// The text at the end of a link ["6", 0] between ComfyUI nodes. Conditioning nodes may stand
// between.
std::string linked_text(const json& graph, const json& link) {
  constexpr int kMostHops = 16;  // an untrusted graph may have cycles
  const json* at = &link;
  for (int hop = 0; hop < kMostHops && at->is_array() && !at->empty(); ++hop) {
    const json& id = at->front();
    const auto node = id.is_string() ? graph.find(id.get<std::string>()) : graph.end();
    if (node == graph.end() || !node->is_object()) return {};
    const auto inputs = node->find("inputs");
    if (inputs == node->end() || !inputs->is_object()) return {};
    at = nullptr;
    for (const char* name : {"text", "string", "value", "prompt", "conditioning", "positive"}) {
      const auto found = inputs->find(name);
      if (found == inputs->end()) continue;
      if (found->is_string()) return found->get<std::string>();
      if (!found->is_array()) continue;
      at = &*found;
      break;
    }
    if (at == nullptr) return {};
  }
  return {};
}

// The first sampler node has the seed and the guidance, and links to both prompts.
void take_graph(Taking& taking, const json& graph) {
  for (const auto& [id, node] : graph.items()) {
    if (!node.is_object()) continue;
    const auto inputs = node.find("inputs");
    if (inputs == node.end() || !inputs->is_object()) continue;
    const auto positive = inputs->find("positive"), negative = inputs->find("negative");
    if (positive == inputs->end() ||
        !(inputs->contains("seed") || inputs->contains("noise_seed"))) {
      continue;
    }
    taking.take("prompt", linked_text(graph, *positive));
    if (negative != inputs->end()) taking.take("negative_prompt", linked_text(graph, *negative));
    json numbers = json::object();
    for (const auto& [name, value] : inputs->items()) {
      if (value.is_number()) numbers[name] = value;
    }
    return take_object(taking, numbers);
  }
}

}  // namespace

LikeSettings settings_like(const PictureMetadata& metadata, const std::string& name) {
  if (!metadata.settings.empty()) return {settings_of_picture(metadata, name), {}};
  const std::string& text = metadata.parameters;
  if (std::max(text.size(), metadata.graph.size()) > kLongestText) {
    throw Error(ErrorKind::kData, fmt::format("{}: its text of settings is longer than {} bytes",
                                              name, kLongestText));
  }
  Taking taking(name);
  if (trimmed(text).starts_with('{')) {
    const json object = parse_untrusted_json(text, name);
    take_object(taking, object);
  } else if (!trimmed(text).empty() || !trimmed(metadata.graph).starts_with('{')) {
    take_parameters_text(taking, text);
  } else {
    take_graph(taking, parse_untrusted_json(metadata.graph, name));
  }
  return taking.result();
}

}  // namespace bifrons::cli
