// Settings of the command line, and the metadata of pictures: settings out and in.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "src/bifrons.h"
#include "src/settings/settings.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// Settings and where they come from. On the command line: flags over --like over defaults.
struct Settings : PartialRequest {
  std::string model_name;  // of the picture the settings came from; empty: not from a picture
  std::string weights_hash;
};

// Each value of `settings` that is missing is taken from `fallback`.
void fill_from(Settings& settings, const Settings& fallback);

// Everything but the prompt at its default; the prompt stays empty when it is missing.
DrawRequest request_of(const Settings& settings);

// The number of codes that are not sampled.
int64_t kept_tokens(const DrawRequest& request);

// A seed of the command line: a whole number, or -1 for a random one. Throws Error (usage) naming
// `option`.
uint64_t parse_seed(std::string_view option, const std::string& text);

// The settings that all pictures of one call share, as JSON.
nlohmann::json shared_settings(const DrawRequest& request, RopeMode rope);

// The metadata of a picture: A1111 parameters and our JSON. The thread count of `device` is left
// out, because it changes no picture.
PictureMetadata describe(const DrawRequest& request, RopeMode rope, const ModelInfo& model,
                         const std::string& device);

// Reads the settings in a picture's JSON. Throws Error (data) naming `name`.
Settings settings_of_picture(const PictureMetadata& metadata, const std::string& name);

}  // namespace bifrons::cli
