// File names of pictures, made from patterns. Existing files are not replaced without permission.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// The values that a name can contain.
struct NameFacts {
  uint64_t seed = 0;  // of this picture
  int64_t index = 1;  // from 1
  std::string slug;
  std::string model;
};

// Fills in {seed} {slug} {model} {index} {index:04} and %d %04d in `pattern`; {{ }} and %% are
// escapes. Throws Error (usage) for an unknown field.
std::string expand_name(std::string_view pattern, const NameFacts& facts);

struct OutputPlan {
  bool to_stdout = false;
  bool replace = false;                      // existing files may be overwritten
  std::vector<std::filesystem::path> files;  // one for each picture
  std::filesystem::path sheet;               // of all pictures together; empty: no sheet
  // The file of picture `i`; empty for stdout.
  std::filesystem::path file(size_t i) const {
    return to_stdout ? std::filesystem::path() : files[i];
  }
};

struct OutputWish {
  std::string output;  // "" for the default name, "-" for stdout, "dir/", a name or a pattern
  bool overwrite = false;
  bool sheet = false;
};

// File names for the pictures that `facts` describes. Creates "dir/". If a default name exists, a
// number is appended (-2, -3, ...); if a requested name exists, throws Error (cannot write). Every
// name is tested for write access.
OutputPlan plan_outputs(const OutputWish& wish, std::vector<NameFacts> facts);

// Plans one further output file of a command, by the same rules.
void check_output_file(const std::filesystem::path& path, bool overwrite);

// The format for the ending of the name. Throws Error (usage) if the ending is not that of a
// picture format.
PictureFormat format_of_output(const std::filesystem::path& path);

// Writes a planned file and returns its path. A file that was created since the plan is not
// replaced: the picture gets another name next to it.
std::filesystem::path save_output(const std::filesystem::path& path, bool replace,
                                  std::span<const uint8_t> bytes);
std::string save_text(const std::string& path, bool replace, std::string_view text);

}  // namespace bifrons::cli
