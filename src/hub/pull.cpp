// A file is downloaded under its digest, checked, and only then given its name.
#include "src/hub/pull.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "kernels/error.h"
#include "src/hub/cache_layout.h"
#include "src/hub/download.h"
#include "src/hub/file_lock.h"
#include "src/hub/known_models.h"
#include "src/hub/part_file.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons::hub {
namespace {

namespace fs = std::filesystem;

// Bytes of a regular file; -1 if there is none. Links are followed.
int64_t size_at(const fs::path& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) ? int64_t{status.st_size} : -1;
}

// Bytes for an ordinary user at a place that may not exist yet.
int64_t free_at(fs::path place) {
  struct statvfs status = {};
  while (statvfs(place.empty() ? "." : place.c_str(), &status) != 0) {
    if (place.empty() || place == place.parent_path()) return INT64_MAX;
    place = place.parent_path();
  }
  const auto blocks = static_cast<int64_t>(status.f_bavail);
  const auto block = static_cast<int64_t>(status.f_frsize);
  return blocks > INT64_MAX / std::max<int64_t>(block, 1) ? INT64_MAX : blocks * block;
}

// Throws Error (cannot write) if a directory between `base` and the file is a link: it could lead
// anywhere.
void refuse_links(const fs::path& base, const std::string& path) {
  fs::path at = base;
  const fs::path parents = fs::path(path).parent_path();
  for (const fs::path& part : parents) {
    at /= part;
    std::error_code error;
    if (!fs::is_symlink(at, error)) continue;
    throw Error(ErrorKind::kCannotWrite,
                fmt::format("cannot write below {}: it is a link", quote(at.string())));
  }
}

bool has_checksum(const fs::path& path, const RemoteFile& file, const std::function<void()>& heed) {
  const RegularFile opened = open_regular(path.string(), O_RDONLY);
  if (!opened.problem.empty()) return false;
  ContentDigest digest(file.kind, file.bytes);
  return add_file(digest, opened.file.get(), file.bytes, heed) && digest.finish() == file.digest;
}

// Where the files of a pull go.
class Place {
 public:
  Place(const PullOptions& options, std::string commit)
      : options_(options), layout_(options.cache, options.model.id), commit_(std::move(commit)) {}

  bool is_cache() const { return options_.directory.empty(); }
  fs::path directory() const { return is_cache() ? layout_.snapshot(commit_) : options_.directory; }
  fs::path file(const RemoteFile& file) const { return directory() / file.path; }
  fs::path part(const RemoteFile& file) const {
    return is_cache() ? layout_.part(file.digest) : own_files() / (file.digest + ".incomplete");
  }
  fs::path lock(const RemoteFile& file) const {
    return is_cache() ? layout_.lock(file.digest) : own_files() / (file.digest + ".lock");
  }
  bool has_blob(const RemoteFile& file) const {
    return is_cache() && size_at(layout_.blob(file.digest)) == file.bytes;
  }

  // Blobs are named by their contents, so in the cache the size is enough.
  bool has(const RemoteFile& wanted, const std::function<void()>& heed) const {
    const fs::path path = file(wanted);
    if (size_at(path) != wanted.bytes) return false;
    return is_cache() || has_checksum(path, wanted, heed);
  }

  // Moves a whole part to where it belongs.
  void keep(const RemoteFile& wanted, PartFile& part) const {
    if (is_cache()) {
      part.rename_to(layout_.blob(wanted.digest));
      give_name(wanted);
    } else {
      part.rename_to(file(wanted));
      note_origin(wanted);
    }
  }

  // Gives a blob its name in the snapshot.
  void give_name(const RemoteFile& wanted) const {
    refuse_links(directory(), wanted.path);
    if (options_.links && layout_.link_to_blob(commit_, wanted.path, wanted.digest)) return;
    const fs::path name = file(wanted);
    make_directories(name.parent_path());
    refuse_obstacles(name);
    if (rename(layout_.blob(wanted.digest).c_str(), name.c_str()) != 0) {
      throw Error(ErrorKind::kCannotWrite,
                  fmt::format("cannot write {}: {}", quote(name.string()), reason_of(errno)));
    }
    sync_directory(name.parent_path().string(), name.string());
  }

  void write_reference(const std::string& revision) const {
    if (!is_cache()) return;
    layout_.write_reference(revision, commit_);
    // Hugging Face's tools look for "main". A hub with another name for it does not replace theirs.
    if (options_.model.kind == HubKind::kModelScope && !layout_.commit_of("main")) {
      layout_.write_reference("main", commit_);
    }
  }

  void refuse_bad_paths(const RemoteFile& wanted) const {
    if (is_cache()) return;
    if (wanted.path.starts_with(".cache/")) {
      throw Error(ErrorKind::kData, fmt::format("{} lies where parts of downloads are kept; leave "
                                                "it out with --exclude",
                                                quote(wanted.path, 80)));
    }
    refuse_links(directory(), wanted.path);
  }

  // Throws Error (cannot write) if the name of a file that has to be loaded is taken by something
  // that no earlier pull has written.
  void refuse_foreign_file(const RemoteFile& wanted) const {
    if (is_cache() || options_.overwrite) return;
    const fs::path path = file(wanted);
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) return;
    if (S_ISREG(status.st_mode) && size_at(note_of(wanted)) >= 0) return;
    throw Error(ErrorKind::kCannotWrite,
                fmt::format("{} is {} and no earlier pull has written it; move it away, or replace "
                            "it with --overwrite; nothing was downloaded",
                            quote(path.string()),
                            S_ISLNK(status.st_mode)   ? "a link"
                            : S_ISDIR(status.st_mode) ? "a directory"
                                                      : "not the published file"));
  }

 private:
  // Where Hugging Face's own tools keep such files.
  fs::path own_files() const { return options_.directory / ".cache" / "huggingface" / "download"; }

  fs::path note_of(const RemoteFile& wanted) const {
    return own_files() / (wanted.path + ".metadata");
  }

  // Tells Hugging Face's tools that the file is this one: commit, digest and time, a line each.
  void note_origin(const RemoteFile& wanted) const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string text = fmt::format("{}\n{}\n{:.3f}\n", commit_, wanted.digest,
                                         std::chrono::duration<double>(now).count());
    const fs::path path = note_of(wanted);
    make_directories(path.parent_path());
    write_durably(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                  IfExists::kReplace);
  }

  const PullOptions& options_;
  CacheLayout layout_;
  std::string commit_;
};

void pull_file(HubRequests& requests, const PullOptions& options, const Place& place,
               const RemoteFile& file, PullWatch& watch) {
  const auto& heed = requests.settings().http.heed;
  const FileLock lock(place.lock(file), heed, [&] {
    watch.note(fmt::format("waiting: another process downloads {}", quote_if_needed(file.path)));
  });
  if (place.has(file, heed)) return;  // by that process
  if (place.has_blob(file)) {
    place.give_name(file);
    return;
  }
  PartFile part(place.part(file), file);
  download(requests, options.model, file, part, [&](int64_t bytes) { watch.progress(bytes); });
  place.keep(file, part);
}

}  // namespace

PullPlan plan_pull(HubRequests& requests, const PullOptions& options) {
  const Listing listing = list_files(requests, options.model);
  PullPlan plan{.model = listing.model, .commit = listing.commit};
  const Place place(options, listing.commit);
  plan.place = place.directory();
  for (RemoteFile& file : choose_files(listing, options.choice)) {
    place.refuse_bad_paths(file);
    PlannedFile planned{.file = std::move(file)};
    planned.present = place.has(planned.file, requests.settings().http.heed);
    if (!planned.present) place.refuse_foreign_file(planned.file);
    if (planned.present || place.has_blob(planned.file)) {
      planned.there = planned.file.bytes;
    } else {
      const int64_t part = size_at(place.part(planned.file));
      planned.there = part > planned.file.bytes ? 0 : std::max<int64_t>(part, 0);
    }
    plan.bytes += planned.file.bytes;  // at most 10,000 files of 2^40 bytes
    plan.bytes_to_load += planned.file.bytes - planned.there;
    plan.files.push_back(std::move(planned));
  }
  plan.bytes_free = free_at(plan.place);
  return plan;
}

void check_room(const PullPlan& plan) {
  if (plan.bytes_to_load <= plan.bytes_free) return;
  throw Error(ErrorKind::kCannotWrite,
              fmt::format("{} to download but only {} free at {}; make room, or name another place "
                          "with HF_HOME or --local-dir",
                          bytes_text(plan.bytes_to_load), bytes_text(plan.bytes_free),
                          quote(plan.place.string())));
}

void run_pull(HubRequests& requests, const PullOptions& options, const PullPlan& plan,
              PullWatch& watch) {
  const Place place(options, plan.commit);
  for (const PlannedFile& planned : plan.files) {
    watch.begin(planned);
    if (!planned.present) pull_file(requests, options, place, planned.file, watch);
    watch.end(planned);
  }
  place.write_reference(plan.model.revision);
}

}  // namespace bifrons::hub
