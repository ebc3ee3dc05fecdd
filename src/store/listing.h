// What the manifests of a directory list, all of it at once: about a kilobyte a picture.
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

// Every name once, and once more for each repeat of it, by index and then name. Where several lines
// name one file, the one whose checksum the file has counts. What is wrong with the manifests
// themselves is left out of it and a sentence in `problems`: lines that are damaged or torn, each
// with its number, and lines that are not there any more, by the number that a finished run left.
std::vector<ListedPicture> list_pictures(const std::string& directory,
                                         std::vector<std::string>* problems = nullptr);

// SHA-256 of a regular file; empty when it is none, or cannot be read.
std::string sha256_of_file(const std::string& path);

}  // namespace bifrons
