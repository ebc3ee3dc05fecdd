// What decides a picture, as the command line, a picture's metadata and a record of it say it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/bifrons.h"
#include "src/prompts/prompt_line.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// Settings that may be left to someone else: flags over --like over defaults.
struct Settings {
  std::optional<std::string> prompt;
  std::optional<std::string> negative_prompt;
  std::optional<uint64_t> seed;
  bool random_seed = false;  // of a command line: `seed` was drawn by chance, for -1
  std::optional<double> guidance;
  std::optional<double> temperature;
  std::optional<int64_t> top_k;
  std::optional<double> top_p;
  std::optional<RopeMode> rope;
  std::optional<bool> allow_special;
  std::optional<std::vector<int32_t>> fixed;  // DrawRequest::fixed
  std::string model_name;  // of the picture the settings came from; empty: not from a picture
  std::string weights_hash;
};

// Each value of `settings` that is not there is taken from `fallback`.
void fill_from(Settings& settings, const Settings& fallback);

// Everything but the prompt at its default; the prompt stays empty when it is not there.
DrawRequest request_of(const Settings& settings);

// How many of the picture's codes are not drawn.
int64_t kept_tokens(const DrawRequest& request);

// A seed as a command line says it: a whole number, or -1 for one drawn by chance. Throws Error
// (usage) naming `option`.
uint64_t parse_seed(std::string_view option, const std::string& text);

// Of "f32" or "bf16"; nothing for any other text.
std::optional<RopeMode> rope_mode(std::string_view name);

// What all pictures of one call share, by the names of a picture's record.
nlohmann::json shared_settings(const DrawRequest& request, RopeMode rope);

// What a picture says about itself: A1111 parameters and our JSON. The device is left without its
// thread count, which changes no picture.
PictureMetadata describe(const DrawRequest& request, RopeMode rope, const ModelInfo& model,
                         const std::string& device);

// The settings in a picture's JSON. Throws Error (data) naming `name`.
Settings settings_of_picture(const PictureMetadata& metadata, const std::string& name);

}  // namespace bifrons::cli
