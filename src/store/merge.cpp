// Order: first the files, then the new manifest. The old manifests are removed last.
#include "src/store/merge.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/store/completeness.h"
#include "src/store/listing.h"
#include "src/store/random_base.h"
#include "src/store/store.h"
#include "src/store/store_files.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostProblems = 1000;

std::string shown(const ListedPicture& picture) {
  return quote(picture.directory + "/" + picture.entry.file_name, 160);
}

// How a listed file differs from its line; empty if it does not.
std::string fault_of(const ListedPicture& picture) {
  const std::string path = picture.directory + "/" + picture.entry.file_name;
  const auto status = status_of(path);
  if (!status || !S_ISREG(status->st_mode)) return shown(picture) + " is missing";
  if (status->st_size != picture.entry.bytes) {
    return shown(picture) + " has another size than listed";
  }
  if (sha256_of_file(path) != picture.entry.sha256) {
    return shown(picture) + " has another SHA-256 than listed";
  }
  return {};
}

void heed(const std::function<bool()>& stop) {
  if (stop && stop()) {
    throw Error(ErrorKind::kInterrupted, "stopped; the same command begins again");
  }
}

void complain(MergeReport& report, std::string problem) {
  if (report.problems.size() < kMostProblems) report.problems.push_back(std::move(problem));
}

// Takes the lock of the whole directory if possible, so that no other process writes meanwhile.
UniqueFd hold(const std::string& directory) {
  const std::string path = directory + "/.bifrons/lock";
  UniqueFd file = std::move(open_regular(path, O_RDWR | O_NOFOLLOW).file);
  if (file.get() >= 0 && flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw Error(ErrorKind::kCannotWrite,
                quote(directory) + " is being written by a bifrons; wait for it");
  }
  return file;
}

// Links or copies the file to `output`. Returns false if another picture has its name there, or if
// the name leads out of `output`.
bool bring(const ListedPicture& picture, const std::string& output) {
  const std::string from = picture.directory + "/" + picture.entry.file_name;
  const fs::path to = output + "/" + picture.entry.file_name;
  if (!stays_inside(output, picture.entry.file_name)) return false;
  make_directories(to.parent_path());
  if (link(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST) {  // a symbolic link to the picture does not count
    const auto there = status_of(to.string());
    return there && S_ISREG(there->st_mode) && sha256_of_file(to.string()) == picture.entry.sha256;
  }
  const auto content = content_of(from, picture.entry.bytes);
  if (!content) throw Error(ErrorKind::kMissing, "cannot read " + quote(from));
  return write_durably(to, {reinterpret_cast<const uint8_t*>(content->data()), content->size()},
                       IfExists::kRefuse);
}

// Copies the number for random seeds to `target`, if all sources have the same one, so that a batch
// resumed there has the same seeds.
void carry_random_base(const std::vector<std::string>& sources, const std::string& target) {
  std::set<uint64_t> bases;
  for (const std::string& source : sources) {
    try {
      if (const auto base = read_random_base(source)) bases.insert(*base);
    } catch (const Error&) {
      return;  // a damaged file is reported when it is needed
    }
  }
  if (bases.size() == 1) keep_random_base(target, *bases.begin());
}

bool same_directory(const std::string& a, const std::string& b) {
  std::error_code error;
  return fs::equivalent(a, b, error);
}

}  // namespace

MergeReport check_batches(const std::vector<std::string>& directories,
                          const std::function<bool()>& stop) {
  MergeReport report;
  std::map<std::string, std::string> sums;  // by name
  std::set<fs::path> checked;
  for (const std::string& each : directories) {
    if (!checked.insert(canonical_path(each)).second) continue;
    std::vector<std::string> problems;
    const auto pictures = list_pictures(without_slashes(each), &problems);
    for (std::string& problem : problems) complain(report, std::move(problem));
    for (const ListedPicture& picture : pictures) {
      heed(stop);
      ++report.pictures;
      if (std::string fault = fault_of(picture); !fault.empty()) complain(report, std::move(fault));
      const auto [known, is_new] = sums.emplace(picture.entry.file_name, picture.entry.sha256);
      if (!is_new && known->second != picture.entry.sha256) {
        complain(report, shown(picture) + " has the name of another picture");
      }
    }
  }
  std::vector<std::string> parts;
  for (const std::string& each : directories) parts.push_back(without_slashes(each));
  for (std::string& each : missing_parts(parts)) complain(report, std::move(each));
  return report;
}

MergeReport merge_batches(const std::vector<std::string>& directories, const std::string& output,
                          const std::function<bool()>& stop) {
  MergeReport report;
  const std::string target = without_slashes(output);
  std::vector<std::string> sources{target};
  bool in_place = false;
  std::set<fs::path> taken;  // a directory named twice would wait for its own lock
  for (const std::string& each : directories) {
    if (same_directory(each, target)) {
      in_place = true;
    } else if (taken.insert(canonical_path(each)).second) {
      sources.push_back(without_slashes(each));
    }
  }
  // Pictures of an earlier merge are checked in the directories they came from.
  std::vector<std::string> parts = sources;
  if (!in_place && is_merge_of_others(target)) parts.erase(parts.begin());
  for (std::string& each : missing_parts(parts)) complain(report, std::move(each));
  // Takes the lock and cleans up after a killed writer. The manifest stays unchanged until the new
  // one exists, so its problems are reported again after an interrupted merge.
  Store store({.directory = target, .draws = false});
  std::vector<UniqueFd> held;
  for (const std::string& source : sources) {
    if (source != target) held.push_back(hold(source));
  }
  std::vector<ListedPicture> all;
  std::set<std::string> names;
  std::set<fs::path> places;
  bool lost = false;  // the target itself lost pictures
  for (const std::string& source : sources) {
    std::vector<std::string> problems;
    auto pictures = list_pictures(source, &problems);
    lost = lost || (source == target && !problems.empty());
    for (std::string& problem : problems) complain(report, std::move(problem));
    for (ListedPicture& picture : pictures) {
      heed(stop);
      if (std::string fault = fault_of(picture); !fault.empty()) {
        complain(report, std::move(fault));
        lost = lost || source == target;
      } else if (source != target && !bring(picture, target)) {
        complain(report,
                 shown(picture) + " has the name of something else in " + quote(target, 160));
      } else if (names.insert(listing_of(picture.entry)).second) {
        places.insert((fs::path(target) / picture.entry.file_name).parent_path());
        all.push_back(std::move(picture));
      }
    }
  }
  for (const fs::path& place : places) sync_directory(place.string());
  std::sort(all.begin(), all.end(), [](const ListedPicture& a, const ListedPicture& b) {
    return std::tie(a.index, a.entry.file_name, a.entry.repeat) <
           std::tie(b.index, b.entry.file_name, b.entry.repeat);
  });
  std::string text;
  for (const ListedPicture& picture : all) text.append(renewed_line(picture.line)).push_back('\n');
  write_durably(store.manifest_path(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                IfExists::kReplace);
  const auto listed = static_cast<int64_t>(all.size());
  carry_random_base(sources, target);
  record_merge(target, listed,
               report.problems.empty() ? MergeOutcome::kWhole
               : lost                  ? MergeOutcome::kLost
                                       : MergeOutcome::kIncomplete);
  for (const std::string& name : manifests_in(target)) {
    const std::string path = target + "/" + name;
    if (name != kManifestName && is_of_batch(path) && unlink(path.c_str()) != 0) {
      fail_to_write(path, errno);
    }
  }
  report.pictures = listed;
  return report;
}

}  // namespace bifrons
