// Recovery at the start of a writer: manifests, parts of a killed writer, superseded lines.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "src/io/durable_file.h"
#include "src/io/quote.h"
#include "src/store/listing.h"
#include "src/store/random_base.h"
#include "src/store/run_record.h"
#include "src/store/store.h"
#include "src/store/store_files.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

}  // namespace

ManifestIndex read_manifests(const std::string& directory, const std::function<bool()>& stop) {
  ManifestIndex index;
  for (const std::string& name : manifests_in(directory)) {
    read_manifest(directory + "/" + name, [&](const ManifestRow& row) {
      if (stop && stop()) throw Error(ErrorKind::kInterrupted, "stopped");
      if (const auto entry = read_row(row, directory)) index.add(*entry);
    });
  }
  return index;
}

PictureState state_of_picture(const ManifestIndex::Known* known, const std::string& directory,
                              const ManifestEntry& wanted, Resume resume) {
  if (known == nullptr) return PictureState::kNew;
  if (known->key != ManifestIndex::hash(wanted.key) ||
      (!wanted.model.empty() && known->model != ManifestIndex::hash(wanted.model))) {
    return PictureState::kChanged;
  }
  const std::string path = directory + "/" + wanted.file_name;
  const auto status = status_of(path);
  if (!status || !S_ISREG(status->st_mode) || status->st_size != known->bytes) {
    return PictureState::kDamaged;
  }
  if (resume == Resume::kVerify && ManifestIndex::hash(sha256_of_file(path)) != known->sha256) {
    return PictureState::kDamaged;
  }
  return PictureState::kDone;
}

void Store::refuse_other_manifest(const std::string& path) {
  throw Error(
      ErrorKind::kCannotWrite,
      quote(path) + " is not of a batch, or wholly damaged; move it away or use another directory");
}

// Damaged lines are removed. A torn last line, left by a kill, is cut off. Lines of earlier
// versions are converted, so that all lines have the same columns.
void Store::recover_manifest() {
  int64_t good = 0, end_of_good = 0;
  bool good_after_bad = false, others = false, renews = false;
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    const auto entry = read_row(row, options_.directory);
    if (!entry) {
      if (row.torn) {
        history_.torn_line = true;
        others = !can_be_torn_line(row.text);
      } else {
        ++history_.damaged_lines;
      }
      return;
    }
    good_after_bad = good_after_bad || history_.damaged_lines > 0;
    if (index_.find(listing_of(*entry)) != nullptr) superseded_ = true;
    index_.add(*entry);
    renews = renews || renewed_line(row.text) != row.text;
    ++good;
    end_of_good = row.offset + static_cast<int64_t>(row.text.size()) + 1;
  });
  if (good == 0 && (others || history_.damaged_lines > 0)) {
    refuse_other_manifest(manifest_path());
  }
  const bool whole = history_.damaged_lines == 0 && !history_.torn_line;
  if ((whole && !renews) || !options_.draws) return;
  if (!good_after_bad && !renews) {
    const UniqueFd file = open_own(manifest_path(), O_WRONLY);
    if (ftruncate(file.get(), end_of_good) != 0 || fsync(file.get()) != 0) {
      fail_to_write(manifest_path(), errno);
    }
    return;
  }
  std::string kept;
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    if (read_row(row, options_.directory)) kept.append(renewed_line(row.text)).push_back('\n');
  });
  write_durably(manifest_path(), {reinterpret_cast<const uint8_t*>(kept.data()), kept.size()},
                IfExists::kReplace);
}

// A remaining part means that its picture was not listed, or that the writer was killed after
// listing it and before removing the part.
void Store::sweep_parts() {
  const std::string parts = hidden_ + "/parts" + suffix_;
  std::error_code error;
  for (fs::directory_iterator at(parts, error), end; !error && at != end; at.increment(error)) {
    const std::string part = at->path().string();
    std::string name = at->path().filename().string();
    std::replace(name.begin(), name.end(), '!', '/');
    const std::string file = options_.directory + "/" + name;
    const bool ours = is_picture_name(name) && stays_inside(options_.directory, name);
    if (ours && same_file(status_of(part), status_of(file))) {
      const ManifestIndex::Known* known = index_.find(name);
      const std::string sum = sha256_of_file(file);
      if (sum.empty()) throw Error(ErrorKind::kCannotWrite, "cannot read " + quote(file));
      const bool listed = known != nullptr && known->sha256 == ManifestIndex::hash(sum);
      if (!listed) {
        if (unlink(file.c_str()) != 0) fail_to_write(file, errno);
        ++history_.swept;
      }
    }
    if (unlink(part.c_str()) != 0) fail_to_write(part, errno);
  }
  if (error) fail_to_write(parts, error.value());
  for (const std::string& whole :
       {manifest_path(), run_path(options_.directory, options_.shard, options_.shards),
        options_.directory + "/index.html"}) {
    sweep_part(whole);
  }
  sweep_random_base(options_.directory, suffix_.empty());
}

// The writer of the whole batch also removes the shards' pictures, a shard only its own.
void Store::remove_listed() {
  std::vector<std::string> paths{manifest_path()};
  if (suffix_.empty()) {
    for (const std::string& name : manifests_in(options_.directory)) {
      const std::string path = options_.directory + "/" + name;
      if (name != kManifestName && is_of_batch(path)) paths.push_back(path);
    }
  }
  for (const std::string& path : paths) {
    read_manifest(path, [&](const ManifestRow& row) {
      const auto entry = read_row(row, options_.directory);
      const std::string file = entry ? options_.directory + "/" + entry->file_name : "";
      if (!entry || !status_of(file)) return;
      if (unlink(file.c_str()) != 0) fail_to_write(file, errno);
      ++history_.removed;
    });
    if (unlink(path.c_str()) != 0 && errno != ENOENT) fail_to_write(path, errno);
  }
  if (suffix_.empty()) {  // the records of the shards
    remove_random_base(options_.directory);
    std::vector<std::string> damaged;
    for (const RunRecord& run : read_runs(options_.directory, damaged)) {
      const std::string path = run_path(options_.directory, run.shard, run.shards);
      if (run.shards > 1 && unlink(path.c_str()) != 0) fail_to_write(path, errno);
    }
  }
  index_ = {};
  superseded_ = false;
}

// Lines of other shards also count as done, because the number of shards may change between runs.
void Store::read_other_manifests() {
  for (const std::string& name : manifests_in(options_.directory)) {
    const std::string path = options_.directory + "/" + name;
    if (path == manifest_path()) continue;
    read_manifest(path, [&](const ManifestRow& row) {
      if (const auto entry = read_row(row, options_.directory)) {
        if (index_.find(listing_of(*entry)) == nullptr) index_.add(*entry);
      }
    });
  }
}

// Counts the listed names. Also removes repeats of an earlier version of a picture.
int64_t Store::drop_superseded() {
  std::unordered_map<uint64_t, int64_t> last;  // by name: the offset of its last line
  const auto is_stale = [this](const ManifestEntry& entry) {
    if (entry.repeat == 0) return false;
    const auto* picture = index_.find(entry.file_name);
    return picture == nullptr || picture->sha256 != ManifestIndex::hash(entry.sha256);
  };
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    if (const auto entry = read_row(row, options_.directory); entry && !is_stale(*entry)) {
      last[ManifestIndex::hash(listing_of(*entry))] = row.offset;
    }
  });
  const auto listed = static_cast<int64_t>(last.size());
  if (!superseded_) return listed;
  std::string kept;
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    const auto entry = read_row(row, options_.directory);
    if (!entry || is_stale(*entry)) return;
    if (last[ManifestIndex::hash(listing_of(*entry))] == row.offset) {
      kept.append(row.text).push_back('\n');
    }
  });
  write_durably(manifest_path(), {reinterpret_cast<const uint8_t*>(kept.data()), kept.size()},
                IfExists::kReplace);
  superseded_ = false;
  return listed;
}

}  // namespace bifrons
