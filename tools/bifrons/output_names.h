// Where pictures go: names from patterns, never over an existing file unless told to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// What a name may speak of.
struct NameFacts {
  uint64_t seed = 0;  // of this picture
  int64_t index = 1;  // from 1
  std::string slug;
  std::string model;
};

// `pattern` with {seed} {slug} {model} {index} {index:04} and %d %04d filled in; {{ }} and %% stand
// for themselves. Throws Error (usage) for an unknown field.
std::string expand_name(std::string_view pattern, const NameFacts& facts);

struct OutputPlan {
  bool to_stdout = false;
  bool replace = false;                      // existing files may be overwritten
  std::vector<std::filesystem::path> files;  // one a picture
  std::filesystem::path sheet;               // of all pictures together; empty: none wanted
  // Of picture `i`; empty for stdout.
  std::filesystem::path file(size_t i) const {
    return to_stdout ? std::filesystem::path() : files[i];
  }
};

struct OutputWish {
  std::string output;  // "" default name, "-" stdout, "dir/", a name or a pattern
  bool overwrite = false;
  bool sheet = false;
};

// Names for the pictures `facts` describes. Makes "dir/". A default name moves aside for an
// existing file (-2, -3, ...); a name that was asked for throws Error (cannot write). Every name is
// tried for being writable.
OutputPlan plan_outputs(const OutputWish& wish, std::vector<NameFacts> facts);

// One further file a command was asked to write, under the same rules.
void check_output_file(const std::filesystem::path& path, bool overwrite);

// By its ending; throws Error (usage) for a name whose ending says no picture format.
PictureFormat format_of_output(const std::filesystem::path& path);

// Writes a planned file and returns where it went: a file that appeared since the plan was made is
// left alone, and the picture goes beside it.
std::filesystem::path save_output(const std::filesystem::path& path, bool replace,
                                  std::span<const uint8_t> bytes);
std::string save_text(const std::string& path, bool replace, std::string_view text);

}  // namespace bifrons::cli
