// The table of all settings that determine a picture. Command-line options, fields of prompt files,
// metadata, manifests, keys, axes of a grid, the gallery and error messages use this table.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

// A request with optional parts, from a command line, a line of a prompt file or the metadata of a
// picture.
struct PartialRequest {
  std::optional<std::string> prompt{};
  std::optional<std::string> negative_prompt{};
  std::optional<uint64_t> seed{};
  bool random_seed = false;  // the seed was given as -1
  std::optional<double> guidance{};
  std::optional<double> temperature{};
  std::optional<int64_t> top_k{};
  std::optional<double> top_p{};
  std::optional<RopeMode> rope{};
  std::optional<bool> allow_special{};
  std::optional<std::vector<int32_t>> fixed{};
};

// A field of a prompt line: a setting, or one of five fields that change no pixels.
enum class Field {
  kPrompt,
  kNegativePrompt,
  kSeed,
  kGuidance,
  kTemperature,
  kTopK,
  kTopP,
  kRope,          // not a field of a prompt line: one engine draws all lines
  kAllowSpecial,  // not a field of a prompt line
  kFixed,         // not a field of a prompt line
  kCount,
  kBatchSize,  // pictures of one batch; times kBatches it gives the count
  kBatches,
  kId,
  kOutput
};
constexpr size_t kFields = static_cast<size_t>(Field::kOutput) + 1;

template <typename T>
concept Number = std::same_as<T, uint64_t> || std::same_as<T, int64_t> || std::same_as<T, double>;

// Only numbers have limits. With a string as a member, clang would not accept the table as a
// constant.
template <typename T>
struct Limits {};

// Values in [least, most], or in (least, most] with `above`.
template <Number T>
struct Limits<T> {
  T least{}, most{};
  bool above = false;
};

// One setting. T is the type of its value, Stored the type of the member of DrawRequest.
template <typename T, typename Stored = T>
struct Setting {
  using Value = T;
  Field field{};
  std::string_view name{};  // in metadata, manifests and keys
  // Names in prompt files and in the metadata of other programs, separated by blanks. Underscores
  // join the words of a name. Empty: a prompt file cannot set it.
  std::string_view names{};
  // Prefixes of unknown names that mean this setting, separated by blanks.
  std::string_view beginnings{};
  std::string_view label{};    // in the A1111 text
  std::string_view flags{};    // on the command line; messages use option_of()
  std::string_view help{};     // {} stands for the default
  std::string_view example{};  // values in the help for an axis of a grid
  Limits<T> limits{};          // of a number
  // True for settings that every version since 0.1.0 writes, even at the default. A newer setting
  // is written only if it differs from its default, so that older keys and records stay valid.
  bool always_in_records = false;
  bool always_in_text = false;  // the same for the A1111 text
  bool in_manifest = true;
  Stored DrawRequest::*value = nullptr;  // null: the setting is in EngineOptions
  std::optional<T> PartialRequest::*given = nullptr;
};

namespace settings {

inline constexpr Setting<std::string> kPrompt{.field = Field::kPrompt,
                                              .name = "prompt",
                                              .names = "prompt text caption positive_prompt",
                                              .in_manifest = false,  // the manifest calls it "text"
                                              .value = &DrawRequest::prompt,
                                              .given = &PartialRequest::prompt};

inline constexpr Setting<std::string, std::optional<std::string>> kNegativePrompt{
    .field = Field::kNegativePrompt,
    .name = "negative_prompt",
    .names =
        "negative_prompt negative neg_prompt neg negative_text negative_caption uncond "
        "uncond_prompt unconditional_prompt",
    .beginnings = "negative neg_prompt",
    .flags = "-n,--negative-prompt",
    .help = "What to steer away from",
    .value = &DrawRequest::negative_prompt,
    .given = &PartialRequest::negative_prompt};

inline constexpr Setting<uint64_t> kSeed{
    .field = Field::kSeed,
    .name = "seed",
    // The last name is for manifests: it is used when a seed does not fit the readers' integers.
    .names = "seed random_seed rng_seed noise_seed manual_seed generator_seed large_seed",
    .beginnings = "seed",
    .label = "Seed",
    .flags = "-s,--seed",
    .example = "1..4",
    .limits = {0, std::numeric_limits<uint64_t>::max()},
    .always_in_records = true,
    .always_in_text = true,
    .value = &DrawRequest::seed,
    .given = &PartialRequest::seed};

inline constexpr Setting<double> kGuidance{
    .field = Field::kGuidance,
    .name = "cfg",
    .names =
        "cfg cfg_scale cfg_weight cfg_guidance cfg_guidance_scale cfg_strength guidance "
        "guidance_scale guidance_weight guidance_strength classifier_free_guidance "
        "classifier_free_guidance_scale",
    .beginnings = "cfg guidance",
    .label = "CFG scale",
    .flags = "--cfg,--cfg-scale,--guidance",
    .help = "How hard the prompt steers (default {})",
    .example = "3,5,7",
    .limits = {0, 100},
    .always_in_records = true,
    .always_in_text = true,
    .value = &DrawRequest::guidance,
    .given = &PartialRequest::guidance};

inline constexpr Setting<double> kTemperature{
    .field = Field::kTemperature,
    .name = "temperature",
    .names = "temperature temp sampling_temperature",
    .beginnings = "temperature",
    .label = "Temperature",
    .flags = "--temp,--temperature",
    .help = "1 draws as trained, 0 takes the likeliest (default {})",
    .example = "0.5,1",
    .limits = {0, 100},
    .always_in_records = true,
    .always_in_text = true,
    .value = &DrawRequest::temperature,
    .given = &PartialRequest::temperature};

inline constexpr Setting<int64_t> kTopK{
    .field = Field::kTopK,
    .name = "top_k",
    .names = "top_k",
    .beginnings = "top_k topk",
    .label = "Top K",
    .flags = "--top-k",
    .help = "Draw among the K likeliest codes; 0 is off (default)",
    .example = "...",
    .limits = {0, 1'000'000},
    .always_in_records = true,
    .value = &DrawRequest::top_k,
    .given = &PartialRequest::top_k};

inline constexpr Setting<double> kTopP{.field = Field::kTopP,
                                       .name = "top_p",
                                       .names = "top_p",
                                       .beginnings = "top_p topp",
                                       .label = "Top P",
                                       .flags = "--top-p",
                                       .help = "Draw among the likeliest codes of mass P; 1 is off",
                                       .example = "...",
                                       .limits = {0, 1, true},
                                       .always_in_records = true,
                                       .value = &DrawRequest::top_p,
                                       .given = &PartialRequest::top_p};

inline constexpr Setting<RopeMode> kRope{
    .field = Field::kRope,
    .name = "rope",
    .label = "Rope",
    .flags = "--rope",
    .help = "Precision of rotary frequencies: f32 or bf16 (default f32)",
    .given = &PartialRequest::rope};

inline constexpr Setting<bool> kAllowSpecial{
    .field = Field::kAllowSpecial,
    .name = "allow_special",
    .flags = "--allow-special",
    .help = "Special tokens written in the prompt count as such",
    .value = &DrawRequest::allow_special,
    .given = &PartialRequest::allow_special};

inline constexpr Setting<std::vector<int32_t>> kFixed{.field = Field::kFixed,
                                                      .name = "fixed",
                                                      .label = "Kept tokens",
                                                      .in_manifest = false,  // not used in a batch
                                                      .value = &DrawRequest::fixed,
                                                      .given = &PartialRequest::fixed};

}  // namespace settings

// In the order of the help, keys and manifests.
inline constexpr std::tuple kSettings{
    settings::kPrompt,       settings::kNegativePrompt, settings::kSeed, settings::kGuidance,
    settings::kTemperature,  settings::kTopK,           settings::kTopP, settings::kRope,
    settings::kAllowSpecial, settings::kFixed};

// Calls visit(setting) for each.
template <typename F>
constexpr void for_each_setting(F&& visit) {
  std::apply([&](const auto&... each) { (visit(each), ...); }, kSettings);
}

// Calls visit(setting) for each whose value is a number: seed, guidance, temperature, ...
template <typename F>
constexpr void for_each_number(F&& visit) {
  for_each_setting([&]<typename T, typename Stored>(const Setting<T, Stored>& setting) {
    if constexpr (Number<T>) visit(setting);
  });
}

// The option name for messages, such as "--top-k": the first of `flags` with two hyphens. Empty if
// there is none.
constexpr std::string_view option_of(std::string_view flags) {
  const size_t from = flags.find("--");
  if (from == flags.npos) return {};
  return flags.substr(from, flags.find(',', from) - from);
}

// Whether a request has the default value of a setting.
template <typename T, typename Stored>
bool is_default(const Setting<T, Stored>& setting, const DrawRequest& request) {
  return request.*setting.value == DrawRequest{}.*setting.value;
}

// Parses a number. Throws Error (usage) that names `option` and the range.
template <Number T>
T parse_setting(const Setting<T>& setting, std::string_view option, const std::string& text);

// Throws Error (usage) if `value` is out of range or not a number.
template <Number T>
void check_range(const Setting<T>& setting, T value);
// Does this check for every number of a request.
void check_ranges(const DrawRequest& request);

// Copies each setting that `partial` lacks from `fallback`.
void fill_from(PartialRequest& partial, const PartialRequest& fallback);

// Replaces the settings of `request` by those that `partial` has.
void apply(const PartialRequest& partial, DrawRequest& request);

// "f32" or "bf16".
std::string_view rope_name(RopeMode rope);
// nullopt for any other text.
std::optional<RopeMode> rope_mode(std::string_view name);

// "stored" or "int8".
std::string_view kv_name(KvFormat kv);
// nullopt for any other text.
std::optional<KvFormat> kv_format(std::string_view name);

}  // namespace bifrons
