// The order of system calls is the point; every one of them is looked at.
#include "src/batch/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "src/io/durable_file.h"
#include "src/io/quote.h"
#include "src/io/sha256.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path, int error_number) {
  throw Error(ErrorKind::kCannotWrite,
              "cannot write " + quote(path) + ": " + std::system_category().message(error_number));
}

// 0, or the error number of the write that failed.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// All of a file; nothing when it cannot be read.
std::optional<std::string> content_of(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return std::nullopt;
  std::string content;
  std::string block(size_t{1} << 16, '\0');
  while (true) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return content;
    content.append(block, 0, static_cast<size_t>(got));
  }
}

std::optional<struct stat> status_of(const std::string& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

bool same_file(const std::optional<struct stat>& a, const std::optional<struct stat>& b) {
  return a && b && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

// Makes `path` and what is missing above it, each synced into the directory that holds it.
void make_directories(const fs::path& path) {
  if (path.empty() || fs::is_directory(path)) return;
  make_directories(path.parent_path());
  if (mkdir(path.c_str(), 0777) != 0 && !(errno == EEXIST && fs::is_directory(path))) {
    throw Error(ErrorKind::kCannotWrite, "cannot make the directory " + quote(path.string()) +
                                             ": " + std::system_category().message(errno));
  }
  sync_directory(path.has_parent_path() ? path.parent_path().string() : ".");
}

UniqueFd open_lock(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) fail(path, errno);
  return file;
}

bool try_lock(const UniqueFd& file, int kind, const std::string& path) {
  if (flock(file.get(), kind | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) {
    throw Error(ErrorKind::kCannotWrite,
                "cannot lock " + quote(path) + ": " + std::system_category().message(errno));
  }
  return false;
}

[[noreturn]] void refuse_second_writer(const std::string& directory, const std::string& lock) {
  const std::string holder = content_of(lock).value_or("");
  throw Error(ErrorKind::kCannotWrite,
              quote(directory) + " is being written by another bifrons" +
                  (holder.empty() ? std::string() : " (process " + holder.substr(0, 10) + ")") +
                  "; wait for it, or use another directory");
}

}  // namespace

// Where a picture goes, and the part it is made of: its name without directories.
struct Store::Target {
  std::string part, file, directory;
};

void sync_directory(const std::string& path) {
  const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) fail(path, errno);
  if (fsync(directory.get()) != 0 && errno != EINVAL && errno != ENOTSUP) fail(path, errno);
}

ManifestIndex read_manifests(const std::string& directory) {
  ManifestIndex index;
  for (const std::string& name : manifests_in(directory)) {
    read_manifest(directory + "/" + name, [&](const ManifestRow& row) {
      if (const auto entry = read_manifest_line(row.text)) index.add(*entry);
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
  if (resume == Resume::kVerify) {
    const auto content = content_of(path);
    if (!content || ManifestIndex::hash(sha256(*content)) != known->sha256) {
      return PictureState::kDamaged;
    }
  }
  return PictureState::kDone;
}

Store::Store(StoreOptions options) : options_(std::move(options)) {
  while (options_.directory.size() > 1 && options_.directory.ends_with('/')) {
    options_.directory.pop_back();
  }
  hidden_ = options_.directory + "/.bifrons";
  if (options_.shards > 1) {
    suffix_ = fmt::format(".{:05}-of-{:05}", options_.shard, options_.shards);
  }
  make_directories(hidden_ + "/parts" + suffix_);
  lock();
  recover_manifest();
  sweep_parts();
  if (options_.resume == Resume::kFresh) remove_listed();
  read_other_manifests();
  history_.listed = static_cast<int64_t>(index_.size());
  if (unlink(run_path().c_str()) != 0 && errno != ENOENT) fail(run_path(), errno);
  errors_ = UniqueFd(open(errors_path().c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (errors_.get() < 0) fail(errors_path(), errno);
  manifest_ = UniqueFd(
      open(manifest_path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (manifest_.get() < 0) fail(manifest_path(), errno);
  manifest_bytes_ = lseek(manifest_.get(), 0, SEEK_END);
  if (manifest_bytes_ < 0) fail(manifest_path(), errno);
  sync_directory(options_.directory);
}

Store::~Store() = default;

std::string Store::manifest_path() const {
  return options_.directory + "/metadata" + suffix_ + ".jsonl";
}
std::string Store::errors_path() const { return hidden_ + "/errors" + suffix_ + ".jsonl"; }

// Shards share the directory with each other, but not with a writer of the whole.
void Store::lock() {
  const std::string shared = hidden_ + "/lock", own = hidden_ + "/lock" + suffix_;
  shared_lock_ = open_lock(shared);
  const bool whole = suffix_.empty();
  if (!try_lock(shared_lock_, whole ? LOCK_EX : LOCK_SH, shared)) {
    refuse_second_writer(options_.directory, shared);
  }
  if (!whole) {
    own_lock_ = open_lock(own);
    if (!try_lock(own_lock_, LOCK_EX, own)) refuse_second_writer(options_.directory, own);
  }
  const UniqueFd& mine = whole ? shared_lock_ : own_lock_;
  const std::string pid = std::to_string(getpid());  // for the sentence of a second writer only
  if (ftruncate(mine.get(), 0) != 0 ||
      pwrite(mine.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    fail(own, errno);
  }
}

// Lines that are damaged go; a torn last one, which is what a kill leaves, is cut off.
void Store::recover_manifest() {
  int64_t good = 0, end_of_good = 0;
  bool good_after_bad = false;
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    const auto entry = row.torn ? std::nullopt : read_manifest_line(row.text);
    if (!entry) {
      if (row.torn) {
        history_.torn_line = true;
      } else {
        ++history_.damaged_lines;
      }
      return;
    }
    good_after_bad = good_after_bad || history_.damaged_lines > 0;
    if (index_.find(entry->file_name) != nullptr) superseded_ = true;
    index_.add(*entry);
    ++good;
    end_of_good = row.offset + static_cast<int64_t>(row.text.size()) + 1;
  });
  if (good == 0 && history_.damaged_lines > 0) {
    throw Error(ErrorKind::kCannotWrite,
                quote(manifest_path()) +
                    " is not from bifrons, or wholly damaged; move it away "
                    "or use another directory");
  }
  if (history_.damaged_lines == 0 && !history_.torn_line) return;
  if (!good_after_bad) {
    const UniqueFd file(open(manifest_path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0 || ftruncate(file.get(), end_of_good) != 0 || fsync(file.get()) != 0) {
      fail(manifest_path(), errno);
    }
    return;
  }
  std::string kept;
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    if (!row.torn && read_manifest_line(row.text)) kept.append(row.text).push_back('\n');
  });
  write_durably(manifest_path(), {reinterpret_cast<const uint8_t*>(kept.data()), kept.size()},
                IfExists::kReplace);
}

// A part that is left means that its picture was not listed, or that it was and only the part did
// not go any more.
void Store::sweep_parts() {
  const std::string parts = hidden_ + "/parts" + suffix_;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parts, error)) {
    const std::string part = entry.path().string();
    std::string name = entry.path().filename().string();
    std::replace(name.begin(), name.end(), '!', '/');
    const std::string file = options_.directory + "/" + name;
    if (same_file(status_of(part), status_of(file))) {
      const ManifestIndex::Known* known = index_.find(name);
      const auto content = content_of(file);
      if (!content) throw Error(ErrorKind::kCannotWrite, "cannot read " + quote(file));
      const bool listed =
          known != nullptr && known->sha256 == ManifestIndex::hash(sha256(*content));
      if (!listed) {
        if (unlink(file.c_str()) != 0) fail(file, errno);
        ++history_.swept;
      }
    }
    if (unlink(part.c_str()) != 0) fail(part, errno);
  }
  if (error) fail(parts, error.value());
}

// The writer of the whole begins again with the shards' pictures too; a shard with its own.
void Store::remove_listed() {
  std::vector<std::string> paths{manifest_path()};
  if (suffix_.empty()) {
    for (const std::string& name : manifests_in(options_.directory)) {
      if (name != kManifestName) paths.push_back(options_.directory + "/" + name);
    }
  }
  for (const std::string& path : paths) {
    read_manifest(path, [&](const ManifestRow& row) {
      const auto entry = read_manifest_line(row.text);
      const std::string file = entry ? options_.directory + "/" + entry->file_name : "";
      if (!entry || !status_of(file)) return;
      if (unlink(file.c_str()) != 0) fail(file, errno);
      ++history_.removed;
    });
    if (unlink(path.c_str()) != 0 && errno != ENOENT) fail(path, errno);
  }
  index_ = {};
  superseded_ = false;
}

// Other shards' lines count as done too, so that the number of shards may change between runs.
void Store::read_other_manifests() {
  for (const std::string& name : manifests_in(options_.directory)) {
    const std::string path = options_.directory + "/" + name;
    if (path == manifest_path()) continue;
    read_manifest(path, [&](const ManifestRow& row) {
      if (const auto entry = read_manifest_line(row.text)) {
        if (index_.find(entry->file_name) == nullptr) index_.add(*entry);
      }
    });
  }
}

PictureState Store::state_of(const ManifestEntry& wanted) const {
  std::optional<ManifestIndex::Known> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto* found = index_.find(wanted.file_name)) known = *found;
  }
  return state_of_picture(known ? &*known : nullptr, options_.directory, wanted, options_.resume);
}

void Store::write_part(const std::string& part, std::span<const uint8_t> file) const {
  // A failed fsync leaves pages that pretend to be clean: the file is written anew, once.
  for (int attempt = 1;; ++attempt) {
    unlink(part.c_str());
    UniqueFd out(open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (out.get() < 0) fail(part, errno);
    int error_number = write_all(out.get(), text_of(file));
    if (error_number == 0 && fsync(out.get()) == 0) return;
    const bool sync_failed = error_number == 0;
    if (sync_failed) error_number = errno;
    unlink(part.c_str());
    if (!sync_failed || error_number == ENOSPC || attempt == 2) fail(part, error_number);
  }
}

// Gives the part its name.
void Store::place(const Target& target, std::span<const uint8_t> file, bool replace) const {
  if (replace) {
    // The part must stay, so that a kill from here on leaves something to know the file by.
    const std::string twin = target.part + "~";
    unlink(twin.c_str());
    const bool linked = link(target.part.c_str(), twin.c_str()) == 0;
    if (rename((linked ? twin : target.part).c_str(), target.file.c_str()) != 0) {
      const int error_number = errno;
      unlink(twin.c_str());
      fail(target.file, error_number);
    }
    return;
  }
  if (link(target.part.c_str(), target.file.c_str()) == 0) return;
  if (errno == EPERM || errno == ENOTSUP || errno == ENOSYS) {  // a file system without hard links
    if (renameat2(AT_FDCWD, target.part.c_str(), AT_FDCWD, target.file.c_str(), RENAME_NOREPLACE) ==
        0) {
      return;
    }
    if ((errno == EINVAL || errno == ENOSYS) && !status_of(target.file)) {
      if (rename(target.part.c_str(), target.file.c_str()) == 0) return;
    }
  }
  if (errno != EEXIST && !status_of(target.file)) fail(target.file, errno);
  // What was drawn before and lost its line is the same bytes as now; anything else is not ours.
  if (content_of(target.file) == std::string(text_of(file))) return;
  throw NameTaken(ErrorKind::kCannotWrite,
                  quote(target.file) +
                      " is there already and not from this batch; move it away, or --overwrite");
}

void Store::add(ManifestEntry entry, std::string_view members, std::span<const uint8_t> file) {
  Target target;
  std::string flat = entry.file_name;
  std::replace(flat.begin(), flat.end(), '/', '!');
  target.part = hidden_ + "/parts" + suffix_ + "/" + flat;
  target.file = options_.directory + "/" + entry.file_name;
  target.directory = fs::path(target.file).parent_path().string();
  if (flat != entry.file_name) make_directories(target.directory);

  entry.bytes = static_cast<int64_t>(file.size());
  entry.sha256 = sha256(file);
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    known = index_.find(entry.file_name) != nullptr;
  }
  write_part(target.part, file);
  try {
    place(target, file, known || options_.overwrite);
    sync_directory(target.directory);
  } catch (...) {
    if (same_file(status_of(target.part), status_of(target.file))) unlink(target.file.c_str());
    unlink(target.part.c_str());
    throw;
  }
  {
    const std::lock_guard lock(mutex_);
    append(manifest_line(entry, members));
    superseded_ = superseded_ || known;
    index_.add(entry);
  }
  unlink(target.part.c_str());
}

void Store::append(std::string_view line) {
  int error_number = write_all(manifest_.get(), line);
  if (error_number == 0 && fdatasync(manifest_.get()) != 0) error_number = errno;
  if (error_number != 0) {
    // A torn line is cut off here if that still works, and else by the next run.
    if (ftruncate(manifest_.get(), manifest_bytes_) != 0) error_number = errno;
    fail(manifest_path(), error_number);
  }
  manifest_bytes_ += static_cast<int64_t>(line.size());
}

void Store::add_error(std::string_view line) {
  const std::lock_guard lock(mutex_);
  const int error_number = write_all(errors_.get(), std::string(line) + "\n");
  if (error_number != 0) fail(errors_path(), error_number);
}

void Store::finish(int64_t failed) {
  const std::lock_guard lock(mutex_);
  if (superseded_) drop_superseded();
  mark_finished(failed);
}

void Store::mark_finished(int64_t failed) {
  const std::string text = fmt::format("{{\"shard\":{},\"shards\":{},\"failed\":{}}}\n",
                                       options_.shard, options_.shards, failed);
  write_durably(run_path(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                IfExists::kReplace);
}

void Store::drop_superseded() {
  std::unordered_map<uint64_t, int64_t> last;  // by name: the offset of its line
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    if (const auto entry = read_manifest_line(row.text)) {
      last[ManifestIndex::hash(entry->file_name)] = row.offset;
    }
  });
  std::string kept;
  read_manifest(manifest_path(), [&](const ManifestRow& row) {
    const auto entry = read_manifest_line(row.text);
    if (entry && last[ManifestIndex::hash(entry->file_name)] == row.offset) {
      kept.append(row.text).push_back('\n');
    }
  });
  write_durably(manifest_path(), {reinterpret_cast<const uint8_t*>(kept.data()), kept.size()},
                IfExists::kReplace);
  superseded_ = false;
}

}  // namespace bifrons
