// Sheets are made after drawing. They use only files that a manifest lists with their size and
// hash.
#include "tools/bifrons/contact_sheets.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <unordered_map>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/letters.h"
#include "src/io/quote.h"
#include "src/io/sha256.h"
#include "src/store/listing.h"
#include "src/store/manifest.h"
#include "src/store/store.h"
#include "src/store/store_files.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "vision/pictures/contact_sheet.h"
#include "vision/pictures/picture_file.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostOfASheet = 64;
constexpr int64_t kLongestSheet = int64_t{1} << 30;  // bytes; a longer file is not a sheet of ours
constexpr std::string_view kMark = "A sheet of pictures by bifrons";

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// nullopt if the file cannot be read or differs from its manifest line.
std::optional<Picture> listed_picture(const std::string& directory, const std::string& name,
                                      const ManifestIndex& index) {
  const ManifestIndex::Known* known = index.find(name);
  if (known == nullptr || !stays_inside(directory, name)) return std::nullopt;
  try {
    const std::string file = read_file(directory + "/" + name, kLongestFile);
    if (ManifestIndex::hash(sha256(file)) != known->sha256) return std::nullopt;
    return read_picture(bytes_of(file));
  } catch (const Error&) {
    return std::nullopt;
  }
}

// nullopt if a picture is missing or has another size.
std::vector<Picture> listed_pictures(const std::string& directory,
                                     const std::vector<std::string>& names,
                                     const ManifestIndex& index) {
  std::vector<Picture> pictures;
  for (const std::string& name : names) {
    auto picture = listed_picture(directory, name, index);
    const bool fits = picture && (pictures.empty() || (picture->width == pictures[0].width &&
                                                       picture->height == pictures[0].height));
    if (!fits) return {};
    pictures.push_back(std::move(*picture));
  }
  return pictures;
}

// The name in messages.
std::string shown(const LinePlace& place) {
  return place.file.empty() ? fmt::format("line {}", place.line)
                            : fmt::format("{}:{}", place.file, place.line);
}

bool is_sheet(const std::string& file) {
  try {
    return read_picture_info(bytes_of(file)).metadata.parameters.starts_with(kMark);
  } catch (const Error&) {
    return false;
  }
}

void save_sheet(const std::string& directory, const std::string& name,
                const std::vector<Picture>& pictures, const LineSheets::Options& options) {
  const PictureMetadata metadata{std::string(kMark), ""};
  const std::vector<uint8_t> sheet = encode_picture(contact_sheet(pictures, 0), PictureFormat::kPng,
                                                    options.metadata ? &metadata : nullptr);
  const fs::path path = directory + "/" + name + ".png";
  if (!stays_inside(directory, name)) {
    throw Error(ErrorKind::kCannotWrite,
                quote(path.string()) + " would lie behind a symbolic link, or below a file");
  }
  make_directories(path.parent_path());
  if (status_of(path.string())) {
    const std::string there = content_of(path.string(), kLongestSheet).value_or("");
    if (there == std::string(sheet.begin(), sheet.end())) return;
    if (!options.overwrite && !is_sheet(there)) {
      throw Error(ErrorKind::kCannotWrite,
                  quote(path.string()) +
                      " is there already and no sheet of bifrons; move it away, or --overwrite");
    }
  }
  write_durably(path, sheet, IfExists::kReplace);
}

}  // namespace

fs::path beside_batch(const std::string& directory, std::string_view ending) {
  // An absolute path, because "." has no name.
  std::error_code error;  // the current directory may have been removed
  const fs::path given = directory + "/.", from_root = fs::absolute(given, error);
  const fs::path whole = (error ? given : from_root).lexically_normal().parent_path();
  return whole.parent_path() / (whole.filename().string() + std::string(ending));
}

std::vector<uint8_t> batch_sheet(const std::string& directory) {
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
    Picture picture = read_picture(bytes_of(file));
    const bool fits = pictures.empty() ||
                      (picture.width == pictures[0].width && picture.height == pictures[0].height);
    if (fits) pictures.push_back(std::move(picture));
    if (pictures.size() == kMostOfASheet) break;
  }
  if (pictures.empty()) return {};
  return encode_picture(contact_sheet(pictures), PictureFormat::kPng, nullptr);
}

std::string line_sheets_directory(const std::string& directory) {
  return beside_batch(directory, "-grids").string();
}

void check_line_sheets_place(const std::string& directory) {
  const std::string path = line_sheets_directory(directory);
  const auto status = status_of(path);
  std::error_code error;
  if (status && !fs::is_directory(path, error)) fail_to_write(path, ENOTDIR);
}

void LineSheets::add(const PictureJob& job) {
  const LinePlace place{job.file, job.line};
  const bool is_new = lines_.empty() || job.number == 1 || lines_.back().place != place ||
                      lines_.back().id != job.id;
  if (is_new) lines_.push_back({place, job.id, name_of_line(job), {}});
  Line& line = lines_.back();
  if (line.files.size() < kMostOfASheet) {
    line.files.push_back(job.file_name);
  } else {
    line.cut = true;
  }
}

int64_t LineSheets::save(const Options& options) const {
  const std::string directory = line_sheets_directory(options.directory);
  const ManifestIndex index = read_manifests(options.directory, options.stop);
  std::unordered_map<std::string, const Line*> saved;  // by name
  int64_t incomplete = 0, cut = 0;
  for (const Line& line : lines_) {
    if (options.stop && options.stop()) {
      throw Error(ErrorKind::kInterrupted,
                  "stopped while sheets were made; the same command goes "
                  "on from there");
    }
    const auto [known, is_new] = saved.emplace(fold_case(line.name), &line);
    if (!is_new) {
      if (known->second->files == line.files) continue;
      options.warn(
          fmt::format("{} has no sheet of its own, for that of {} is named {} already; give it "
                      "another id",
                      shown(line.place), shown(known->second->place), quote(line.name, 60)));
      continue;
    }
    const auto pictures = listed_pictures(options.directory, line.files, index);
    if (!pictures.empty()) {
      save_sheet(directory, line.name, pictures, options);
      cut += line.cut;
    } else {
      saved.erase(known);
      ++incomplete;
    }
  }
  if (incomplete > 0) {
    options.warn(
        fmt::format("{} lines have no sheet, because not all of their pictures are "
                    "drawn; the same command makes it when they are",
                    incomplete));
  }
  if (cut > 0) {
    options.warn(fmt::format("{} {} only the first {} pictures of a line that has more", cut,
                             cut == 1 ? "sheet shows" : "sheets show", kMostOfASheet));
  }
  return static_cast<int64_t>(saved.size());
}

}  // namespace bifrons::cli
