// Loads the manifests of a directory into memory: about one kilobyte for each picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/store/manifest.h"

namespace bifrons {

struct ListedPicture {
  ManifestEntry entry;
  int64_t index = 0;      // position among the pictures of the prompt file
  std::string directory;  // of the manifest; file_name is relative to it
  std::string line;       // of the manifest, without its line end
};

// Lists every name once, and once more for each repeat, sorted by index, then by name. If several
// lines name one file, the line with the checksum of the file counts. Damaged and torn lines are
// left out; `problems` reports them with their line numbers. It also reports missing lines, by the
// count in the record of a finished run.
std::vector<ListedPicture> list_pictures(const std::string& directory,
                                         std::vector<std::string>* problems = nullptr);

// SHA-256 of a regular file; empty if the path is not a regular file.
std::string sha256_of_file(const std::string& path);

}  // namespace bifrons
