// The folder of wildcard files: their names, patterns and lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

class WildcardFiles {
 public:
  explicit WildcardFiles(std::string directory) : directory_(std::move(directory)) {}

  // The sorted names (paths below the folder, without .txt) that `name` stands for: itself; or
  // those that match it as a pattern of * ? and [...], where * also matches slashes; or the files
  // of that name in any folder below. Throws Error (data) if there is none, if the path leads out
  // of the folder, or for a YAML or JSON file that sd-dynamic-prompts would use.
  std::vector<std::string> matching(const std::string& name);

  // The values of a file, without blanks at both ends. Empty lines and lines that begin with # are
  // left out. Throws Error (data) that names the file.
  std::vector<std::string> lines_of(const std::string& name) const;

 private:
  void list();

  std::string directory_;
  bool listed_ = false;
  std::string problem_;                          // why the folder could not be listed
  std::vector<std::string> names_, structured_;  // .txt files without the ending; YAML and JSON
};

}  // namespace bifrons
