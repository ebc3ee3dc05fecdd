// The folder of wildcard files: names, patterns and lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

class WildcardFiles {
 public:
  explicit WildcardFiles(std::string directory) : directory_(std::move(directory)) {}

  // The names (paths below the folder, without .txt) that `name` stands for, sorted: itself; those
  // that it matches as a pattern of * ? and [...], where * matches slashes too; else those of
  // the name in any folder below. Throws Error (data): none, a path that leads out of the folder,
  // or a YAML or JSON file that would count in sd-dynamic-prompts.
  std::vector<std::string> matching(const std::string& name);

  // The values of a file, without blanks around them, empty ones and lines that begin with #.
  // Throws Error (data) with a sentence that names the file.
  std::vector<std::string> lines_of(const std::string& name) const;

 private:
  void list();

  std::string directory_;
  bool listed_ = false;
  std::string problem_;                          // why the folder could not be listed
  std::vector<std::string> names_, structured_;  // .txt files without the ending; YAML and JSON
};

}  // namespace bifrons
