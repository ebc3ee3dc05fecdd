// The order of system calls gives the guarantees of store.h. Every result is checked.
#include "src/store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "src/io/descriptor.h"
#include "src/io/durable_file.h"
#include "src/io/quote.h"
#include "src/io/sha256.h"
#include "src/store/random_base.h"
#include "src/store/run_record.h"
#include "src/store/store_files.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whether the name still refers to the open file.
bool is_at(const UniqueFd& held, const std::string& path) {
  struct stat status = {};
  return fstat(held.get(), &status) == 0 && same_file(status, status_of(path));
}

[[noreturn]] void refuse_own_directory(const std::string& path) {
  throw Error(
      ErrorKind::kCannotWrite,
      quote(path) + " is a symbolic link; take it away, for what is in it would be removed");
}

// A symbolic link is refused, because recovery would remove files of other programs behind it.
void make_own_directory(const std::string& path) {
  make_directories(path);
  const auto status = status_of(path);
  if (!status || !S_ISDIR(status->st_mode)) refuse_own_directory(path);
}

// The path of the part of a picture. It contains the file name without directories, so that
// recovery finds the picture of a part. If it would be too long, it contains only a hash, and
// recovery removes the part.
std::string part_of(const StoreOptions& options, const std::string& file_name) {
  constexpr size_t kLongest = 250;  // file systems allow 255; "~" may be added
  std::string flat = file_name;
  std::replace(flat.begin(), flat.end(), '/', '!');
  if (flat.size() > kLongest) flat = fmt::format("~{:016x}", ManifestIndex::hash(file_name));
  return options.directory + "/.bifrons/parts" + shard_suffix(options.shard, options.shards) + "/" +
         flat;
}

bool try_lock(const UniqueFd& file, int kind, const std::string& path) {
  if (flock(file.get(), kind | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) {
    throw Error(ErrorKind::kCannotWrite, "cannot lock " + quote(path) + ": " + reason_of(errno));
  }
  return false;
}

[[noreturn]] void refuse_second_writer(const std::string& directory, const std::string& lock) {
  const std::string holder = content_of(lock, 100).value_or("");
  throw Error(ErrorKind::kCannotWrite,
              quote(directory) + " is being written by another bifrons" +
                  (holder.empty() ? std::string() : " (process " + holder.substr(0, 10) + ")") +
                  "; wait for it, or use another directory");
}

// A manifest or lock that is not a regular file is from another program, and reading it might not
// end.
void refuse_odd_files(const std::string& directory) {
  std::vector<std::string> names = manifests_in(directory);
  names.insert(names.end(), {".bifrons/lock", ".bifrons/random.json"});
  for (const std::string& name : names) {
    const RegularFile opened = open_regular(directory + "/" + name, O_RDONLY);
    if (!opened.absent && !opened.problem.empty()) {
      fail_to_write(directory + "/" + name, opened.problem);
    }
  }
}

}  // namespace

// Paths of a picture: its part, its file, and the directory of the file.
struct Store::Target {
  std::string part, file, directory;
};

Store::Store(StoreOptions options) : options_(std::move(options)) {
  options_.directory = without_slashes(options_.directory);
  hidden_ = options_.directory + "/.bifrons";
  suffix_ = shard_suffix(options_.shard, options_.shards);
  refuse_odd_files(options_.directory);
  // A directory without a batch is checked before anything is created.
  if (!status_of(hidden_) && status_of(manifest_path()) && !is_of_batch(manifest_path())) {
    refuse_other_manifest(manifest_path());
  }
  make_directories(options_.directory);
  make_own_directory(hidden_);
  make_own_directory(hidden_ + "/parts" + suffix_);
  lock();
  recover_manifest();
  sweep_parts();
  if (options_.draws) begin_record();
  if (options_.resume == Resume::kFresh) remove_listed();
  read_other_manifests();
  history_.listed = static_cast<int64_t>(index_.size());
  if (!options_.draws) return;
  errors_ = open_own(errors_path(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  manifest_ = open_own(manifest_path(), O_WRONLY | O_CREAT | O_APPEND);
  manifest_bytes_ = lseek(manifest_.get(), 0, SEEK_END);
  if (manifest_bytes_ < 0) fail_to_write(manifest_path(), errno);
  sync_directory(options_.directory);
}

Store::~Store() = default;

void Store::check_place(const StoreOptions& options) {
  const std::string directory = without_slashes(options.directory);
  fs::path path(directory);
  if (const int obstacle = obstacle_at(path); obstacle != 0) fail_to_write(directory, obstacle);
  while (!path_exists(path)) path = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!directory_exists(path)) fail_to_write(directory, ENOTDIR);
  if (access(path.c_str(), W_OK | X_OK) != 0) fail_to_write(directory, errno);
  refuse_odd_files(directory);
  const std::string hidden = directory + "/.bifrons";
  const std::string suffix = shard_suffix(options.shard, options.shards);
  for (const std::string& own : {hidden, hidden + "/parts" + suffix}) {
    const auto status = status_of(own);
    if (!status || S_ISDIR(status->st_mode)) continue;
    if (directory_exists(own)) refuse_own_directory(own);
    make_directories(own);  // throws
  }
  const std::string manifest = directory + "/metadata" + suffix + ".jsonl";
  const std::string lock = hidden + "/lock";
  for (const std::string& own :
       {lock, lock + suffix, hidden + "/errors" + suffix + ".jsonl", manifest}) {
    const RegularFile opened = open_regular(own, O_WRONLY | O_NOFOLLOW);
    if (!opened.problem.empty() && !opened.absent) fail_to_write(own, opened.problem);
  }
  refuse_obstacles(run_path(directory, options.shard, options.shards));
  const RegularFile held = open_regular(lock, O_RDWR | O_NOFOLLOW);
  if (held.problem.empty() && !try_lock(held.file, LOCK_SH, lock)) {
    refuse_second_writer(directory, lock);
  }
  if (options.resume != Resume::kFresh || options.shards > 1) read_random_base(directory);
  if (status_of(manifest) && !is_of_batch(manifest)) refuse_other_manifest(manifest);
}

std::string Store::taken(const std::string& path) {
  return quote(path) + " is there already and not from this batch; move it away, or --overwrite";
}

std::string Store::fault_of_name(const StoreOptions& options, const std::string& file_name,
                                 bool listed) {
  const std::string directory = without_slashes(options.directory);
  const std::string path = directory + "/" + file_name;
  if (!stays_inside(directory, file_name)) {
    return quote(path) + " would lie behind a symbolic link, or below a file";
  }
  if (const int obstacle = obstacle_at(path); obstacle == ENAMETOOLONG) {
    return "cannot write " + quote(path) + ": " + reason_of(obstacle);
  }
  const auto there = status_of(path);
  if (!there) return {};
  if (S_ISDIR(there->st_mode)) return quote(path) + " is a directory";
  const bool may_go = listed || options.overwrite;
  const bool ours = may_go || same_file(status_of(part_of(options, file_name)), there);
  return ours ? std::string() : taken(path);
}

std::string Store::manifest_path() const {
  return options_.directory + "/metadata" + suffix_ + ".jsonl";
}
std::string Store::errors_path() const { return hidden_ + "/errors" + suffix_ + ".jsonl"; }

// Shards share the directory with each other, but not with a writer of the whole batch.
void Store::lock() {
  const std::string shared = hidden_ + "/lock", own = hidden_ + "/lock" + suffix_;
  shared_lock_ = open_own(shared, O_RDWR | O_CREAT);
  const bool whole = suffix_.empty();
  if (!try_lock(shared_lock_, whole ? LOCK_EX : LOCK_SH, shared)) {
    refuse_second_writer(options_.directory, shared);
  }
  if (!whole) {
    own_lock_ = open_own(own, O_RDWR | O_CREAT);
    if (!try_lock(own_lock_, LOCK_EX, own)) refuse_second_writer(options_.directory, own);
  }
  const UniqueFd& mine = whole ? shared_lock_ : own_lock_;
  const std::string pid = std::to_string(getpid());  // only for the message of a second writer
  if (ftruncate(mine.get(), 0) != 0 ||
      pwrite(mine.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    fail_to_write(own, errno);
  }
}

PictureState Store::state_of(const ManifestEntry& wanted) const {
  std::optional<ManifestIndex::Known> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto* found = index_.find(listing_of(wanted))) known = *found;
  }
  return state_of_picture(known ? &*known : nullptr, options_.directory, wanted, options_.resume);
}

bool Store::lists(std::string_view listing) const {
  const std::lock_guard lock(mutex_);
  return index_.find(listing) != nullptr;
}

void Store::write_part(const std::string& part, std::span<const uint8_t> file) const {
  // After a failed fsync the pages are marked clean although they are not on disk, so the file is
  // written again, once.
  for (int attempt = 1;; ++attempt) {
    unlink(part.c_str());
    UniqueFd out(open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (out.get() < 0) fail_to_write(part, errno);
    int error_number = write_all(out.get(), text_of(file));
    if (error_number == 0 && fsync(out.get()) == 0) return;
    const bool sync_failed = error_number == 0;
    if (sync_failed) error_number = errno;
    unlink(part.c_str());
    if (!sync_failed || error_number == ENOSPC || attempt == 2) fail_to_write(part, error_number);
  }
}

// Links the part to its name.
void Store::place(const Target& target, std::span<const uint8_t> file, bool replace) const {
  if (replace) {
    // The part must stay: after a kill from here on, only the part identifies the file.
    const std::string twin = target.part + "~";
    unlink(twin.c_str());
    const bool linked = link(target.part.c_str(), twin.c_str()) == 0;
    if (rename((linked ? twin : target.part).c_str(), target.file.c_str()) != 0) {
      const int error_number = errno;
      unlink(twin.c_str());
      fail_to_write(target.file, error_number);
    }
    return;
  }
  if (link(target.part.c_str(), target.file.c_str()) == 0) return;
  if (errno == EPERM || errno == ENOTSUP || errno == ENOSYS) {  // no hard links in this file system
    if (renameat2(AT_FDCWD, target.part.c_str(), AT_FDCWD, target.file.c_str(), RENAME_NOREPLACE) ==
        0) {
      return;
    }
    if ((errno == EINVAL || errno == ENOSYS) && !status_of(target.file)) {
      if (rename(target.part.c_str(), target.file.c_str()) == 0) return;
    }
  }
  if (errno != EEXIST && !status_of(target.file)) fail_to_write(target.file, errno);
  // A picture that was drawn before and lost its line has the same bytes now. Any other file is not
  // ours.
  if (content_of(target.file, static_cast<int64_t>(file.size())) == std::string(text_of(file))) {
    return;
  }
  throw NameTaken(ErrorKind::kCannotWrite, taken(target.file));
}

void Store::add(ManifestEntry entry, std::string_view members, std::span<const uint8_t> file) {
  Target target;
  target.part = part_of(options_, entry.file_name);
  target.file = options_.directory + "/" + entry.file_name;
  target.directory = fs::path(target.file).parent_path().string();
  if (std::string fault = fault_of_name(options_, entry.file_name, true); !fault.empty()) {
    throw NameTaken(ErrorKind::kCannotWrite, fault);
  }
  if (entry.file_name.find('/') != std::string::npos) make_directories(target.directory);

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

// Other programs may move, remove or truncate the lock and the manifest.
void Store::check_still_there() const {
  const std::string lock = hidden_ + "/lock";
  if (!is_at(shared_lock_, lock) || (own_lock_.get() >= 0 && !is_at(own_lock_, lock + suffix_))) {
    fail_to_write(options_.directory, "it was moved or replaced while this batch wrote there");
  }
  struct stat status = {};
  if (!is_at(manifest_, manifest_path()) || fstat(manifest_.get(), &status) != 0 ||
      static_cast<int64_t>(status.st_size) != manifest_bytes_) {
    fail_to_write(manifest_path(), "it was removed or changed while this batch wrote it");
  }
}

void Store::list_again(std::span<const Listing> repeats) {
  if (repeats.empty()) return;
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const Listing& each : repeats) lines += manifest_line(each.entry, each.members);
  append(lines);
  for (const Listing& each : repeats) {
    superseded_ = superseded_ || index_.find(listing_of(each.entry)) != nullptr;
    index_.add(each.entry);
  }
}

void Store::each_listed(
    const std::function<void(const ManifestEntry&, std::string_view row)>& each) const {
  for (const std::string& name : manifests_in(options_.directory)) {
    // Rows that are appended during the read may be included.
    read_manifest(options_.directory + "/" + name, [&](const ManifestRow& row) {
      const auto entry = read_row(row, options_.directory);
      if (!entry) return;
      std::optional<ManifestIndex::Known> known;
      {
        const std::lock_guard lock(mutex_);
        if (const auto* found = index_.find(listing_of(*entry))) known = *found;
      }
      if (known && known->sha256 == ManifestIndex::hash(entry->sha256)) each(*entry, row.text);
    });
  }
}

void Store::append(std::string_view line) {
  check_still_there();
  int error_number = write_all(manifest_.get(), line);
  if (error_number == 0 && fdatasync(manifest_.get()) != 0) error_number = errno;
  if (error_number != 0) {
    // A torn line is cut off here if possible, otherwise by the next run.
    if (ftruncate(manifest_.get(), manifest_bytes_) != 0) error_number = errno;
    fail_to_write(manifest_path(), error_number);
  }
  manifest_bytes_ += static_cast<int64_t>(line.size());
}

void Store::add_error(std::string_view line) {
  const std::lock_guard lock(mutex_);
  const int error_number = write_all(errors_.get(), std::string(line) + "\n");
  if (error_number != 0) fail_to_write(errors_path(), error_number);
}

void Store::begin_record() {
  std::vector<std::string> damaged;
  generation_ = next_generation(read_runs(options_.directory, damaged), options_.shards);
  write_run(options_.directory, {.shard = options_.shard,
                                 .shards = options_.shards,
                                 .finished = false,
                                 .generation = generation_});
}

void Store::finish(int64_t failed, const std::string& jobs) {
  const std::lock_guard lock(mutex_);
  check_still_there();
  const int64_t listed = drop_superseded();
  write_run(options_.directory, {.shard = options_.shard,
                                 .shards = options_.shards,
                                 .failed = failed,
                                 .listed = listed,
                                 .generation = generation_,
                                 .jobs = jobs});
}

}  // namespace bifrons
