// Reads pictures back: only files that the manifest vouches for, by size and hash.
#include "tools/bifrons/batch_sheet.h"

#include <system_error>

#include "src/io/sha256.h"
#include "src/store/listing.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "vision/pictures/grid.h"
#include "vision/pictures/picture_file.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::cli {

namespace fs = std::filesystem;

fs::path beside_batch(const std::string& directory, std::string_view ending) {
  // Absolute: "." has no name of its own.
  std::error_code error;  // the current directory may be gone
  const fs::path given = directory + "/.", from_root = fs::absolute(given, error);
  const fs::path whole = (error ? given : from_root).lexically_normal().parent_path();
  return whole.parent_path() / (whole.filename().string() + std::string(ending));
}

std::vector<uint8_t> batch_sheet(const std::string& directory) {
  constexpr size_t kMost = 64;
  std::vector<Picture> pictures;
  for (const ListedPicture& listed : list_pictures({directory})) {
    if (listed.entry.repeat > 0) continue;
    const std::string path = directory + "/" + listed.entry.file_name;
    std::string file;
    try {
      file = read_file(path, kLongestFile);
    } catch (const Error&) {
      continue;
    }
    if (sha256(file) != listed.entry.sha256) continue;
    Picture picture = read_picture({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
    const bool fits = pictures.empty() ||
                      (picture.width == pictures[0].width && picture.height == pictures[0].height);
    if (fits) pictures.push_back(std::move(picture));
    if (pictures.size() == kMost) break;
  }
  if (pictures.empty()) return {};
  return encode_picture(contact_sheet(pictures), PictureFormat::kPng, nullptr);
}

}  // namespace bifrons::cli
