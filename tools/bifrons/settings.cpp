// Two dialects of the same facts: the text that other tools read and the JSON that we read back.
#include "tools/bifrons/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "src/engine/seeds.h"
#include "src/io/text.h"
#include "tools/bifrons/untrusted_json.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr std::string_view kNegativePrefix = "Negative prompt:";

template <typename T>
void fill(std::optional<T>& value, const std::optional<T>& fallback) {
  if (!value) value = fallback;
}

// A prompt's line that would begin the negative part for an A1111 reader gets a backslash.
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

// A1111 quotes a value as JSON when it holds one of the signs that separate values.
std::string parameter_value(const std::string& value) {
  if (value.find_first_of(",:\n\"") == std::string::npos) return value;
  return json(value).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string rope_name(RopeMode rope) { return rope == RopeMode::kBf16 ? "bf16" : "f32"; }

std::string device_kind(const std::string& device) { return device.substr(0, device.find(',')); }

std::string parameters_text(const DrawRequest& request, RopeMode rope, const ModelInfo& model) {
  std::string text = escaped_lines(request.prompt) + "\n";
  if (request.negative_prompt) {
    text += fmt::format("{} {}\n", kNegativePrefix, *request.negative_prompt);
  }
  text += fmt::format("Steps: {}, Sampler: {}, CFG scale: {}, Seed: {}, Size: {}x{}, Model: {}",
                      model.image_tokens, request.temperature == 0 ? "greedy" : "multinomial",
                      request.guidance, request.seed, model.image_size, model.image_size,
                      parameter_value(model.name));
  text += fmt::format(", Model hash: {}, Temperature: {}", model.weights_hash, request.temperature);
  if (request.top_k != 0) text += fmt::format(", Top K: {}", request.top_k);
  if (request.top_p != 1) text += fmt::format(", Top P: {}", request.top_p);
  if (rope == RopeMode::kBf16) text += ", Rope: bf16";
  if (!request.fixed.empty()) text += fmt::format(", Kept tokens: {}", kept_tokens(request));
  text += fmt::format(", RNG: philox4x32-10, Version: bifrons {}", build_info().version);
  return text;
}

std::string text_member(const json& object, const std::string& key, const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    throw Error(ErrorKind::kData, fmt::format("{}: {} must be a text", name, key));
  }
  std::string text = found->get<std::string>();
  if (const auto control = control_character(text, true)) {
    throw Error(ErrorKind::kData, fmt::format("{}: {} holds a control character (0x{:02x})", name,
                                              key, control->code));
  }
  return text;
}

double real_member(const json& object, const std::string& key, double most,
                   const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number() || !(found->get<double>() >= 0) ||
      found->get<double>() > most) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: {} must be a number from 0 to {}", name, key, most));
  }
  return found->get<double>();
}

// Codes of a varied picture, -1 where it was drawn.
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

}  // namespace

int64_t kept_tokens(const DrawRequest& request) {
  return std::count_if(request.fixed.begin(), request.fixed.end(),
                       [](int32_t code) { return code >= 0; });
}

void fill_from(Settings& settings, const Settings& fallback) {
  fill(settings.prompt, fallback.prompt);
  fill(settings.negative_prompt, fallback.negative_prompt);
  fill(settings.seed, fallback.seed);
  fill(settings.guidance, fallback.guidance);
  fill(settings.temperature, fallback.temperature);
  fill(settings.top_k, fallback.top_k);
  fill(settings.top_p, fallback.top_p);
  fill(settings.rope, fallback.rope);
  fill(settings.allow_special, fallback.allow_special);
  fill(settings.fixed, fallback.fixed);
  if (settings.model_name.empty()) settings.model_name = fallback.model_name;
  if (settings.weights_hash.empty()) settings.weights_hash = fallback.weights_hash;
}

DrawRequest request_of(const Settings& settings) {
  DrawRequest request;
  request.prompt = settings.prompt.value_or("");
  request.negative_prompt = settings.negative_prompt;
  request.seed = settings.seed.value_or(request.seed);
  request.guidance = settings.guidance.value_or(request.guidance);
  request.temperature = settings.temperature.value_or(request.temperature);
  request.top_k = settings.top_k.value_or(request.top_k);
  request.top_p = settings.top_p.value_or(request.top_p);
  request.allow_special = settings.allow_special.value_or(request.allow_special);
  request.fixed = settings.fixed.value_or(request.fixed);
  return request;
}

uint64_t parse_seed(std::string_view option, const std::string& text) {
  if (text == "-1") return random_seed();
  try {
    return parse_whole(option, text, 0, kLargestSeed);
  } catch (const Error& error) {
    throw Error(error.kind(), std::string(error.what()) + "; -1 is a random one");
  }
}

std::optional<RopeMode> rope_mode(std::string_view name) {
  for (const RopeMode rope : {RopeMode::kF32, RopeMode::kBf16}) {
    if (name == rope_name(rope)) return rope;
  }
  return std::nullopt;
}

json shared_settings(const DrawRequest& request, RopeMode rope) {
  json settings = {{"schema", kSchema},
                   {"prompt", request.prompt},
                   {"cfg", request.guidance},
                   {"temperature", request.temperature},
                   {"top_k", request.top_k},
                   {"top_p", request.top_p},
                   {"allow_special", request.allow_special},
                   {"rope", rope_name(rope)}};
  if (request.negative_prompt) settings["negative_prompt"] = *request.negative_prompt;
  return settings;
}

PictureMetadata describe(const DrawRequest& request, RopeMode rope, const ModelInfo& model,
                         const std::string& device) {
  json settings = shared_settings(request, rope);
  settings["program"] = "bifrons " + build_info().version;
  settings["seed"] = request.seed;
  settings["rng"] = "philox4x32-10";
  if (!request.fixed.empty()) settings["fixed"] = request.fixed;
  settings["device"] = device_kind(device);
  settings["model"] = {{"name", model.name},
                       {"hash", model.weights_hash},
                       {"form", model.form},
                       {"dtype", model.weights_dtype},
                       {"image_size", model.image_size},
                       {"image_tokens", model.image_tokens}};
  return {parameters_text(request, rope, model),
          settings.dump(-1, ' ', true, json::error_handler_t::replace)};
}

Settings settings_of_picture(const PictureMetadata& metadata, const std::string& name) {
  if (metadata.settings.empty()) {
    throw Error(ErrorKind::kData, name + ": this picture carries no bifrons settings");
  }
  const json object = parse_untrusted_json(metadata.settings, name);
  if (!object.is_object() || whole_member(object, "schema", 1u << 30, name) != kSchema) {
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
  settings.prompt = text_member(object, "prompt", name);
  if (object.contains("negative_prompt")) {
    settings.negative_prompt = text_member(object, "negative_prompt", name);
  }
  settings.seed = whole_member(object, "seed", std::numeric_limits<uint64_t>::max(), name);
  settings.guidance = real_member(object, "cfg", kLargestGuidance, name);
  settings.temperature = real_member(object, "temperature", kLargestTemperature, name);
  settings.top_k = static_cast<int64_t>(whole_member(object, "top_k", kLargestTopK, name));
  settings.top_p = real_member(object, "top_p", 1, name);
  if (*settings.top_p == 0) throw Error(ErrorKind::kData, name + ": top_p must be above 0");
  settings.rope = rope_mode(text_member(object, "rope", name));
  if (!settings.rope) throw Error(ErrorKind::kData, name + ": rope must be f32 or bf16");
  const auto special = object.find("allow_special");
  settings.allow_special = special != object.end() && special->is_boolean() && special->get<bool>();
  if (object.contains("fixed")) settings.fixed = fixed_member(object["fixed"], name);
  if (const auto model = object.find("model"); model != object.end() && model->is_object()) {
    settings.model_name = text_member(*model, "name", name);
    settings.weights_hash = text_member(*model, "hash", name);
  }
  return settings;
}

}  // namespace bifrons::cli
