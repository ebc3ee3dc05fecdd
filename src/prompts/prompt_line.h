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

// A missing setting is taken from the defaults of the batch.
struct PromptLine : PartialRequest {
  int64_t number = 0;  // of the line in its file, from 1; in a JSON array, of the entry
  std::string file{};  // where the line stands, as messages name it; empty: there is one file only
  std::optional<int64_t> count{};
  std::optional<int64_t> batch_size{}, batches{};  // settle_count() makes a count of them
  std::string id;                                  // checked by check_id(); empty: none
  std::string output;  // a pattern, checked by check_output_name(); empty: none
  // Names and JSON texts of fields that are not ours; they are copied to the manifest.
  std::vector<std::pair<std::string, std::string>> extras{};
};

// Where a line stands.
struct LinePlace {
  std::string file;  // as messages name it; empty: there is one prompt file only
  int64_t line = 0;
  bool operator==(const LinePlace&) const = default;
};

// Whether the lines of a manifest have a member of that name themselves. A field of a prompt file
// with such a name is not copied.
bool is_manifest_member(std::string_view name);

// The names of the size of the picture, which JobStream checks: "width", "height", "size",
// "resolution", "img_size", "image_size", "image_width", "image_height" or "aspect_ratio".
bool is_size(std::string_view name);
bool is_aspect_ratio(std::string_view name);

// Sets a field from text as it stands in a file; 7.0 is a whole number. A seed of -1 is a random
// one. Throws Error (data) saying what the field takes.
void set_field(PromptLine& line, Field field, std::string_view name, const std::string& text);
// The same from JSON: texts must be strings; numbers may be strings that hold one.
void set_field(PromptLine& line, Field field, std::string_view name, const Json& value);

// Makes a count of a size of batches and their number. Throws Error (data): there is a count beside
// them, or their product is above kMostPicturesOfALine.
void settle_count(PromptLine& line);

}  // namespace bifrons
