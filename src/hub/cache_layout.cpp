// Links are made under another name and renamed, so that a snapshot never lacks one for a moment.
#include "src/hub/cache_layout.h"

#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "kernels/error.h"
#include "src/hub/names.h"
#include "src/io/descriptor.h"
#include "src/io/directory.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons::hub {

namespace fs = std::filesystem;

std::string repository_folder(const std::string& id) {
  check(is_model_id(id), "hub: a model is named owner/name");
  const size_t slash = id.find('/');
  return "models--" + id.substr(0, slash) + "--" + id.substr(slash + 1);
}

std::string link_target(const std::string& path, const std::string& digest) {
  std::string target;
  for (auto slashes = std::count(path.begin(), path.end(), '/'); slashes > 0; --slashes) {
    target += "../";
  }
  return target + "../../blobs/" + digest;
}

CacheLayout::CacheLayout(fs::path root, const std::string& id)
    : root_(std::move(root)), folder_(repository_folder(id)) {}

fs::path CacheLayout::snapshot(const std::string& commit) const {
  check(is_commit(commit), "hub: a commit has 40 hex digits");
  return repository() / "snapshots" / commit;
}

fs::path CacheLayout::blob(const std::string& digest) const {
  check(is_hex(digest, digest.size()), "hub: a digest has hex digits");
  return repository() / "blobs" / digest;
}

fs::path CacheLayout::part(const std::string& digest) const {
  return blob(digest).string() + ".incomplete";
}

fs::path CacheLayout::lock(const std::string& digest) const {
  return root_ / ".locks" / folder_ / (digest + ".lock");
}

fs::path CacheLayout::reference(const std::string& revision) const {
  check(is_revision(revision), "hub: a revision is a path of plain names");
  return repository() / "refs" / revision;
}

std::optional<std::string> CacheLayout::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  if (!is_revision(revision)) return std::nullopt;
  const fs::path file = reference(revision);
  try {
    const std::string text =
        Directory::open(file.parent_path().string()).read_file(file.filename().string(), 200);
    const std::string commit(trimmed(text));
    return is_commit(commit) ? std::optional(commit) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<fs::path> CacheLayout::snapshot_of_revision(const std::string& revision) const {
  const auto commit = commit_of(revision);
  if (!commit || !directory_exists(snapshot(*commit))) return std::nullopt;
  return snapshot(*commit);
}

void CacheLayout::write_reference(const std::string& revision, const std::string& commit) const {
  if (is_commit(revision) || commit_of(revision) == commit) return;
  const fs::path file = reference(revision);
  make_directories(file.parent_path());
  // Another pull of the same model may be writing these few bytes at this moment.
  for (int attempts = 100;; --attempts) {
    try {
      write_durably(file, {reinterpret_cast<const uint8_t*>(commit.data()), commit.size()},
                    IfExists::kReplace);
      return;
    } catch (const Error&) {
      if (commit_of(revision) == commit) return;
      if (attempts == 0) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

bool CacheLayout::link_to_blob(const std::string& commit, const std::string& path,
                               const std::string& digest) const {
  const fs::path link = snapshot(commit) / path;
  const std::string target = link_target(path, digest);
  std::error_code error;
  if (fs::read_symlink(link, error) == target) return true;
  make_directories(link.parent_path());
  const fs::path other = link.parent_path() / fmt::format(".{}.link", getpid());
  unlink(other.c_str());
  if (symlink(target.c_str(), other.c_str()) != 0) {
    if (errno == EPERM || errno == ENOTSUP || errno == ENOSYS || errno == EINVAL) return false;
    throw Error(ErrorKind::kCannotWrite,
                fmt::format("cannot write {}: {}", quote(link.string()), reason_of(errno)));
  }
  if (rename(other.c_str(), link.c_str()) != 0) {
    const int error_number = errno;
    unlink(other.c_str());
    throw Error(ErrorKind::kCannotWrite,
                fmt::format("cannot write {}: {}", quote(link.string()), reason_of(error_number)));
  }
  sync_directory(link.parent_path().string(), link.string());
  return true;
}

}  // namespace bifrons::hub
