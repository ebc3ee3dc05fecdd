// One line of a prompt file: a prompt, its settings and further fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/io/json.h"
#include "src/prompts/setting_names.h"

namespace bifrons {

constexpr int64_t kMostPicturesOfALine = 100'000;

// The picture that a line changes (docs/edit.md). A missing setting gets the default of the batch.
struct EditedImage {
  std::string image;  // a path; one that is not absolute begins at PromptLine::folder
  std::optional<std::string> style{};
  std::optional<double> image_guidance{};
  std::optional<bool> apply_orientation{};
};

// A missing setting gets the default of the batch.
struct PromptLine : PartialRequest {
  int64_t number = 0;    // of the line in its file, or of the entry in a JSON array; from 1
  std::string file{};    // file name for messages; empty: there is only one file
  std::string folder{};  // of the prompt file; empty: the working directory
  std::optional<EditedImage> edit{};  // not set: the prompt alone is drawn
  std::optional<int64_t> count{};
  std::optional<int64_t> batch_size{}, batches{};  // settle_count() turns these into a count
  std::string id;                                  // checked by check_id(); empty: none
  std::string output;  // a pattern, checked by check_output_name(); empty: none
  // Names and JSON texts of unknown fields. They are copied to the manifest.
  std::vector<std::pair<std::string, std::string>> extras{};
};

// The position of a line.
struct LinePlace {
  std::string file;  // file name for messages; empty: there is only one prompt file
  int64_t line = 0;
  bool operator==(const LinePlace&) const = default;
};

// Whether a manifest has a member of that name itself. A field of a prompt file with such a name is
// not copied.
bool is_manifest_member(std::string_view name);

// The field names for the size of the picture: "width", "height", "size", "resolution", "img_size",
// "image_size", "image_width", "image_height" and "aspect_ratio". JobStream checks their values.
bool is_size(std::string_view name);
bool is_aspect_ratio(std::string_view name);

// Sets a field from the text in a file. 7.0 is a whole number. A seed of -1 means a random seed.
// Throws Error (data) that says which values the field takes.
void set_field(PromptLine& line, Field field, std::string_view name, const std::string& text);
// Sets a field from JSON. Text fields need strings. Numbers may be strings that hold a number.
void set_field(PromptLine& line, Field field, std::string_view name, const Json& value);

// Sets the count to batch size times number of batches. Throws Error (data) if there is also a
// count, or if the product is above kMostPicturesOfALine.
void settle_count(PromptLine& line);

}  // namespace bifrons
