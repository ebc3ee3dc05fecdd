// Uses pread() for files, so that streams do not share a position, and read() for pipes.
#include "tools/bifrons/prompt_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "kernels/error.h"
#include "src/io/descriptor.h"
#include "src/io/input_file.h"
#include "src/io/quote.h"
#include "tools/bifrons/signals.h"

namespace bifrons::cli {
namespace {

[[noreturn]] void fail(const std::string& what, int error_number) {
  throw Error(ErrorKind::kMissing, what + ": " + reason_of(error_number));
}

void check_stop(const std::string& name) {
  if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped while reading " + name);
}

// Waits for data, the end or an error, which the read then reports. Polls with a timeout, because a
// signal may reach another thread or arrive just before the wait.
void wait_for_bytes(int file, const std::string& name) {
  constexpr int kMilliseconds = 100;
  pollfd waited{.fd = file, .events = POLLIN, .revents = 0};
  do {
    check_stop(name);
  } while (poll(&waited, 1, kMilliseconds) == 0 || (waited.revents == 0 && errno == EINTR));
}

// Reads at `offset`, or from a pipe if it is negative.
size_t read_some(int file, std::span<char> room, int64_t offset, const std::string& name) {
  while (true) {
    if (offset < 0) {
      wait_for_bytes(file, name);
    } else {
      check_stop(name);
    }
    const ssize_t got = offset < 0 ? ::read(file, room.data(), room.size())
                                   : ::pread(file, room.data(), room.size(), offset);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR && errno != EAGAIN) fail("cannot read " + name, errno);
  }
}

// A device that has no end and is not a terminal.
bool is_endless_device(int file, const struct stat& status) {
  if (S_ISBLK(status.st_mode)) return true;
  struct stat null = {};
  const bool is_null = stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev;
  return S_ISCHR(status.st_mode) && !is_null && isatty(file) == 0;
}

}  // namespace

ByteStream stream_of(std::shared_ptr<UniqueFd> file, std::string name) {
  return [file = std::move(file), name = std::move(name)](std::span<char> room) {
    return read_some(file->get(), room, -1, name);
  };
}

PromptSource::PromptSource(const std::string& path, bool read_again) {
  const bool from_stdin = path == "-";
  name_ = from_stdin ? "stdin" : quote(path, 120);
  if (!from_stdin) {  // a plain name needs no quotes before :3:
    const std::string bare = name_.substr(1, name_.size() - 2);
    if (bare == path) name_ = path;
  }
  // A pipe without a writer is opened now. The first read waits for the writer.
  file_ = from_stdin ? UniqueFd(dup(STDIN_FILENO))
                     : open_input(path, InputKind::kLines, stop_requested).fd;
  if (file_.get() < 0) fail("cannot open " + name_, errno);
  struct stat status = {};
  if (fstat(file_.get(), &status) != 0) fail("cannot read " + name_, errno);
  if (S_ISDIR(status.st_mode)) throw Error(ErrorKind::kData, name_ + " is a directory");
  if (is_endless_device(file_.get(), status)) {
    throw Error(ErrorKind::kData, name_ + " is a device, not a file of prompts");
  }
  if (S_ISREG(status.st_mode) && lseek(file_.get(), 0, SEEK_CUR) == 0) {
    bytes_ = status.st_size;
  } else if (read_again) {
    spool();
  }
}

void PromptSource::spool() {
  std::error_code error;  // TMPDIR may hold any text
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  std::string path = ((error ? "/tmp" : place) / "bifrons-prompts-XXXXXX").string();
  UniqueFd copy(mkostemp(path.data(), O_CLOEXEC));
  if (copy.get() < 0) fail("cannot keep " + name_ + " in a file", errno);
  unlink(path.c_str());
  std::string block(size_t{1} << 16, '\0');
  bytes_ = 0;
  size_t line = 0;  // bytes since the start of the line
  while (const size_t got = read_some(file_.get(), block, -1, name_)) {
    const size_t end = std::string_view(block.data(), got).rfind('\n');
    line = end == std::string_view::npos ? line + got : got - end - 1;
    if (line > kHopelessLine) refuse_endless_line(name_ + ": a line");
    const int error_number = write_all(copy.get(), {block.data(), got});
    if (error_number != 0) fail("cannot keep " + name_ + " in a file", error_number);
    bytes_ += static_cast<int64_t>(got);
  }
  file_ = std::move(copy);
}

bool PromptSource::ready() const {
  pollfd waited{.fd = file_.get(), .events = POLLIN, .revents = 0};
  return bytes_ >= 0 || poll(&waited, 1, 0) != 0;  // the read reports errors
}

ByteStream PromptSource::stream() {
  if (bytes_ < 0) {
    return [this](std::span<char> room) { return read_some(file_.get(), room, -1, name_); };
  }
  return [this, at = int64_t{0}](std::span<char> room) mutable {
    const size_t got = read_some(file_.get(), room, at, name_);
    at += static_cast<int64_t>(got);
    return got;
  };
}

}  // namespace bifrons::cli
