// Metadata in two forms: the A1111 text for other tools, and the JSON that we read back.
#include "tools/bifrons/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "src/engine/seeds.h"
#include "src/io/text.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/thought_record.h"
#include "tools/bifrons/untrusted_json.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

constexpr int kMetadataSchema = 1;

// A line of the prompt that begins like the negative prompt of A1111 gets a backslash in front.
std::string escaped_lines(std::string_view prompt) {
  std::string out;
  size_t from = 0;
  while (true) {
    const size_t end = prompt.find('\n', from);
    const std::string_view line =
        prompt.substr(from, end == std::string_view::npos ? end : end - from);
    const size_t first = line.find_first_not_of(" \t\r\v\f");  // readers strip lines first
    if (first != std::string_view::npos && line.substr(first).starts_with(kNegativePrefix)) {
      out += "\\";
      out += line.substr(first);
    } else {
      out += line;
    }
    if (end == std::string_view::npos) return out;
    out += '\n';
    from = end + 1;
  }
}

// A1111 quotes a value as JSON when it holds a character that separates values.
std::string parameter_value(const std::string& value) {
  if (value.find_first_of(",:\n\"") == std::string::npos) return value;
  return json(value).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string device_kind(const std::string& device) { return device.substr(0, device.find(',')); }

// The CFG scale and the seed stand before the size, as in the text of A1111.
bool stands_before_size(Field field) { return field == Field::kGuidance || field == Field::kSeed; }

std::string parameters_text(const DrawRequest& request, RopeMode rope, const ModelInfo& model,
                            const Thought* thought) {
  std::string text = escaped_lines(request.prompt) + "\n";
  if (request.negative_prompt) {
    text += fmt::format("{} {}\n", kNegativePrefix, *request.negative_prompt);
  }
  text +=
      fmt::format("Steps: {}, Sampler: {}, {}: {}, {}: {}, Size: {}x{}, Model: {}",
                  model.image_tokens, request.temperature == 0 ? "greedy" : "multinomial",
                  settings::kGuidance.label, request.guidance, settings::kSeed.label, request.seed,
                  model.image_size, model.image_size, parameter_value(model.name));
  text += fmt::format(", Model hash: {}", model.weights_hash);
  for_each_number([&](const auto& setting) {
    if (stands_before_size(setting.field)) return;
    if (!setting.always_in_text && is_default(setting, request)) return;
    text += fmt::format(", {}: {}", setting.label, request.*setting.value);
  });
  if (rope != RopeMode::kF32) {
    text += fmt::format(", {}: {}", settings::kRope.label, rope_name(rope));
  }
  if (model.kv != KvFormat::kStored) text += fmt::format(", KV cache: {}", kv_name(model.kv));
  if (!request.fixed.empty()) {
    text += fmt::format(", {}: {}", settings::kFixed.label, kept_tokens(request));
  }
  if (thought != nullptr) {
    text += fmt::format(", Think: {}, Thought: {}",
                        parameter_value(options_of(*request.thinking).style.name),
                        parameter_value(harmless(thought->text)));
  }
  text += fmt::format(", RNG: philox4x32-10, Version: bifrons {}", build_info().version);
  return text;
}

std::string text_member(const json& object, const std::string& key, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    throw Error(ErrorKind::kData, fmt::format("{}: {} must be a text", name, key));
  }
  std::string text = found->get<std::string>();
  // All other control characters are possible on a command line, so they may have been drawn.
  if (text.find('\0') != std::string::npos) {
    throw Error(ErrorKind::kData, fmt::format("{}: {} holds a NUL", name, key));
  }
  return text;
}

// A number in the range of `setting`.
template <Number T>
T number_member(const Setting<T>& setting, const json& object, const std::string& name) {
  const std::string key(setting.name);
  const Limits<T>& limits = setting.limits;
  if constexpr (!std::same_as<T, double>) {
    return static_cast<T>(whole_member(object, key, static_cast<uint64_t>(limits.most), name));
  } else {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number() || !(found->get<T>() >= limits.least) ||
        found->get<T>() > limits.most) {
      throw Error(ErrorKind::kData, fmt::format("{}: {} must be a number from {} to {}", name, key,
                                                limits.least, limits.most));
    }
    if (limits.above && found->get<T>() == limits.least) {
      throw Error(ErrorKind::kData,
                  fmt::format("{}: {} must be above {}", name, key, limits.least));
    }
    return found->get<T>();
  }
}

// Codes of a varied picture; -1: sampled.
std::vector<int32_t> fixed_member(const json& array, const std::string& name) {
  constexpr size_t kMost = 1 << 20;
  const Error fault(ErrorKind::kData, name + ": fixed must be an array of image codes and -1");
  if (!array.is_array() || array.size() > kMost) throw fault;
  std::vector<int32_t> fixed;
  for (const json& value : array) {
    if (!value.is_number_integer()) throw fault;
    const bool code = value.is_number_unsigned()
                          ? value.get<uint64_t>() <= std::numeric_limits<int32_t>::max()
                          : value.get<int64_t>() == -1;
    if (!code) throw fault;
    fixed.push_back(value.get<int32_t>());
  }
  return fixed;
}

// Earlier versions wrote no `apply_orientation`.
RecordedEdit recorded_edit(const json& edit, const std::string& name) {
  const Error fault(ErrorKind::kData, name + ": edit must say the style and the picture's sha256");
  if (!edit.is_object()) throw fault;
  RecordedEdit found{.style = text_member(edit, "style", name)};
  found.sha256 = text_member(edit, "sha256", name);
  if (const auto weight = edit.find("image_guidance"); weight != edit.end()) {
    if (!weight->is_number()) throw fault;
    found.image_guidance = weight->get<double>();
  }
  const auto turned = edit.find("apply_orientation");
  found.apply_orientation = turned != edit.end() && turned->is_boolean() && turned->get<bool>();
  return found;
}

// Puts the settings of a picture's JSON into a PartialRequest, each by the type of its value.
struct SettingReader {
  PartialRequest& settings;
  const json& object;
  const std::string& name;  // of the picture, for errors

  template <Number T>
  void operator()(const Setting<T>& setting) const {
    if (!setting.always_in_records && !has(setting.name)) return;
    settings.*setting.given = number_member(setting, object, name);
  }
  void operator()(const Setting<std::string>& setting) const {
    settings.*setting.given = text_member(object, std::string(setting.name), name);
  }
  void operator()(const Setting<std::string, std::optional<std::string>>& setting) const {
    if (!has(setting.name)) return;
    settings.*setting.given = text_member(object, std::string(setting.name), name);
  }
  void operator()(const Setting<RopeMode>& setting) const {
    settings.*setting.given = rope_mode(text_member(object, std::string(setting.name), name));
    if (settings.*setting.given) return;
    throw Error(ErrorKind::kData, name + ": rope must be f32 or bf16");
  }
  void operator()(const Setting<bool>& setting) const {
    const auto found = object.find(setting.name);
    settings.*setting.given = found != object.end() && found->is_boolean() && found->get<bool>();
  }
  void operator()(const Setting<std::vector<int32_t>>& setting) const {
    if (!has(setting.name)) return;
    settings.*setting.given = fixed_member(object[std::string(setting.name)], name);
  }
  bool has(std::string_view key) const { return object.contains(key); }
};

}  // namespace

int64_t kept_tokens(const DrawRequest& request) {
  return std::count_if(request.fixed.begin(), request.fixed.end(),
                       [](int32_t code) { return code >= 0; });
}

void fill_from(Settings& settings, const Settings& fallback) {
  fill_from(static_cast<PartialRequest&>(settings), static_cast<const PartialRequest&>(fallback));
  if (settings.model_name.empty()) settings.model_name = fallback.model_name;
  if (settings.weights_hash.empty()) settings.weights_hash = fallback.weights_hash;
  if (!settings.kv) settings.kv = fallback.kv;
  if (!settings.think) settings.think = fallback.think;
  if (!settings.edited) settings.edited = fallback.edited;
}

DrawRequest request_of(const Settings& settings) {
  DrawRequest request;
  apply(settings, request);
  return request;
}

uint64_t parse_seed(std::string_view option, const std::string& text) {
  if (text == "-1") return random_seed();
  try {
    return parse_setting(settings::kSeed, option, text);
  } catch (const Error& error) {
    throw Error(error.kind(), std::string(error.what()) + "; -1 is a random one");
  }
}

json shared_settings(const DrawRequest& request, RopeMode rope) {
  json settings = {{"schema", kMetadataSchema},
                   {settings::kPrompt.name, request.prompt},
                   {settings::kAllowSpecial.name, request.allow_special},
                   {settings::kRope.name, rope_name(rope)}};
  for_each_number([&](const auto& setting) {
    if (setting.field == Field::kSeed) return;
    if (!setting.always_in_records && is_default(setting, request)) return;
    settings[std::string(setting.name)] = request.*setting.value;
  });
  if (request.negative_prompt) {
    settings[std::string(settings::kNegativePrompt.name)] = *request.negative_prompt;
  }
  return settings;
}

json model_record(const ModelInfo& model) {
  json record = {{"name", model.name}, {"hash", model.weights_hash}};
  if (model.kv != KvFormat::kStored) record["kv"] = kv_name(model.kv);
  return record;
}

PictureMetadata describe(const DrawRequest& request, RopeMode rope, const ModelInfo& model,
                         const std::string& device, const Thought* thought) {
  json settings = shared_settings(request, rope);
  settings["program"] = "bifrons " + build_info().version;
  settings["seed"] = request.seed;
  settings["rng"] = "philox4x32-10";
  if (!request.fixed.empty()) settings["fixed"] = request.fixed;
  if (thought != nullptr) add_thought(settings, *request.thinking, *thought);
  settings["device"] = device_kind(device);
  json& record = settings["model"] = model_record(model);
  record["form"] = model.form;
  record["dtype"] = model.weights_dtype;
  record["image_size"] = model.image_size;
  record["image_tokens"] = model.image_tokens;
  return {parameters_text(request, rope, model, thought),
          settings.dump(-1, ' ', true, json::error_handler_t::replace)};
}

Settings settings_of_picture(const PictureMetadata& metadata, const std::string& name) {
  if (metadata.settings.empty()) {
    throw Error(ErrorKind::kData, name + ": this picture carries no bifrons settings");
  }
  const json object = parse_untrusted_json(metadata.settings, name);
  if (!object.is_object() || whole_member(object, "schema", 1u << 30, name) != kMetadataSchema) {
    throw Error(ErrorKind::kData, name +
                                      ": its settings are of a schema this bifrons is too old "
                                      "to know");
  }
  if (object.contains("grid")) {
    throw Error(ErrorKind::kData,
                name +
                    ": this is a grid, whose pictures have settings of their own; "
                    "bifrons info --json lists them, --like takes one picture");
  }
  Settings settings;
  for_each_setting(SettingReader{settings, object, name});
  settings.think = recorded_thinking(object, name);
  if (object.contains("edit")) settings.edited = recorded_edit(object["edit"], name);
  if (const auto model = object.find("model"); model != object.end() && model->is_object()) {
    settings.model_name = text_member(*model, "name", name);
    settings.weights_hash = text_member(*model, "hash", name);
    settings.kv =
        model->contains("kv") ? kv_format(text_member(*model, "kv", name)) : KvFormat::kStored;
    if (!settings.kv) throw Error(ErrorKind::kData, name + ": kv must be stored or int8");
  }
  return settings;
}

}  // namespace bifrons::cli
