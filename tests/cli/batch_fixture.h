// A directory in which `bifrons batch` runs with a toy model.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {

inline std::string toy_model() {
  return std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/toy-f32";
}

inline std::vector<nlohmann::json> json_lines_of(const std::string& text) {
  std::vector<nlohmann::json> found;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    found.push_back(nlohmann::json::parse(text.substr(from, end - from)));
    from = end + 1;
  }
  return found;
}

class CliBatch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(toy_model())) GTEST_SKIP() << "this checkout has no toy model";
  }

  std::vector<std::string> words(const std::string& file, std::vector<std::string> more) const {
    std::vector<std::string> all = {"batch", file, "-m", toy_model(), "-t", "1"};
    if (std::find(more.begin(), more.end(), "-o") == more.end()) {
      more.insert(more.end(), {"-o", "out"});
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome batch(const std::string& file, const std::vector<std::string>& more = {},
                Surroundings where = {}) const {
    where.directory = scratch.path();
    return run_bifrons(words(file, more), where);
  }

  // All pictures below a directory: bytes by file name.
  std::map<std::string, std::string> pictures(const std::string& directory) const {
    std::map<std::string, std::string> found;
    if (!std::filesystem::exists(scratch / directory)) return found;
    // Hidden files are skipped: a running program may remove them during this loop.
    for (std::filesystem::recursive_directory_iterator at(scratch / directory), end; at != end;
         ++at) {
      const std::string name = at->path().lexically_relative(scratch / directory).string();
      if (name.starts_with(".")) {
        at.disable_recursion_pending();
      } else if (at->is_regular_file() && name.find("metadata") == name.npos) {
        found[name] = scratch.read(directory + "/" + name);
      }
    }
    return found;
  }
  std::vector<nlohmann::json> manifest(const std::string& directory = "out") const {
    return json_lines_of(scratch.read(directory + "/metadata.jsonl"));
  }

  const TemporaryDirectory scratch;
};

}  // namespace bifrons::testing
