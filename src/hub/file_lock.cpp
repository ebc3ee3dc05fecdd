// The lock is asked for again and again, because a wait in the kernel could not be stopped.
#include "src/hub/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "kernels/error.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons::hub {
namespace {

UniqueFd opened(const std::filesystem::path& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  if (file.get() >= 0) return file;
  throw Error(ErrorKind::kCannotWrite,
              fmt::format("cannot write {}: {}", quote(path.string()), reason_of(errno)));
}

// Whether the name still leads to the open file: some tools remove a lock when they are done.
bool is_named(const UniqueFd& file, const std::filesystem::path& path) {
  struct stat held = {}, named = {};
  return fstat(file.get(), &held) == 0 && lstat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path, const std::function<void()>& heed,
                   const std::function<void()>& waiting) {
  make_directories(path.parent_path());
  const auto start = std::chrono::steady_clock::now();
  bool told = false;
  while (true) {
    UniqueFd file = opened(path);
    const bool locked = flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    if ((locked && is_named(file, path)) || (!locked && errno != EWOULDBLOCK && errno != EINTR)) {
      file_ = std::move(file);
      return;
    }
    if (!told && std::chrono::steady_clock::now() - start > std::chrono::seconds(1)) {
      told = true;
      if (waiting) waiting();
    }
    if (heed) heed();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace bifrons::hub
