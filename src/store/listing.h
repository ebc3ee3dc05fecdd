// Everything that the manifests of a directory list, in memory: about a kilobyte for each picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/store/manifest.h"

namespace bifrons {

struct ListedPicture {
  ManifestEntry entry;
  int64_t index = 0;      // among the pictures of the prompt file
  std::string directory;  // of the manifest, which file_name is relative to
  std::string line;       // of the manifest, without line end
};

// Every name once, and once more for each repeat of it, sorted by index, then by name. If several
// lines name one file, the one with the file's checksum counts. Damaged or torn lines are left out
// and reported in `problems` with their numbers; so are missing lines, by the count in the record
// of a finished run.
std::vector<ListedPicture> list_pictures(const std::string& directory,
                                         std::vector<std::string>* problems = nullptr);

// SHA-256 of a regular file; empty for anything else.
std::string sha256_of_file(const std::string& path);

}  // namespace bifrons
