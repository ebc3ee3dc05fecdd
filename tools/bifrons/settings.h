// Settings of the command line, and the metadata of pictures: written and read.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "src/bifrons.h"
#include "src/settings/settings.h"
#include "src/think.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// Begins the line of the negative prompt in A1111's text.
inline constexpr std::string_view kNegativePrefix = "Negative prompt:";

// What a picture says of the edit that made it.
struct RecordedEdit {
  std::string style;
  std::optional<double> image_guidance{};
  bool apply_orientation = false;
  std::string sha256;  // of the picture that was changed
};

// Settings and their origin. On the command line, flags have priority over --like, and --like over
// defaults.
struct Settings : PartialRequest {
  std::string model_name;  // of the picture with these settings; empty: not from a picture
  std::string weights_hash;
  std::optional<KvFormat> kv{};          // of the engine that drew it; not set: not from a picture
  std::optional<ThinkOptions> think{};   // of the picture with these settings
  std::optional<RecordedEdit> edited{};  // of a picture that was made from another one
};

// Copies each missing value of `settings` from `fallback`.
void fill_from(Settings& settings, const Settings& fallback);

// Missing settings get their defaults. A missing prompt stays empty.
DrawRequest request_of(const Settings& settings);

// The number of codes that are not sampled.
int64_t kept_tokens(const DrawRequest& request);

// Parses a seed of the command line: an integer, or -1 for a random one. Throws Error (usage) that
// names `option`.
uint64_t parse_seed(std::string_view option, const std::string& text);

// The settings that all pictures of one call share, as JSON.
nlohmann::json shared_settings(const DrawRequest& request, RopeMode rope);

// The model in metadata and reports: name, hash, and the format of keys and values if they were not
// stored as they are.
nlohmann::json model_record(const ModelInfo& model);

// The metadata of a picture: A1111 parameters and our JSON. The thread count of `device` is left
// out, because it does not change the picture.
// `thought`: null if the request does not think.
PictureMetadata describe(const DrawRequest& request, RopeMode rope, const ModelInfo& model,
                         const std::string& device, const Thought* thought = nullptr);

// Reads the settings from a picture's JSON. Throws Error (data) that names `name`.
Settings settings_of_picture(const PictureMetadata& metadata, const std::string& name);

}  // namespace bifrons::cli
