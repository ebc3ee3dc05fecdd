// Uses read(2) and write(2) and checks every error, because stdio hides errors until the process
// ends.
#include "tools/bifrons/streams.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "kernels/utf8.h"
#include "src/bifrons.h"
#include "src/io/descriptor.h"
#include "src/io/input_file.h"
#include "src/io/quote.h"
#include "tools/bifrons/signals.h"

namespace bifrons::cli {
namespace {

// Everything up to the end; nullopt if there are more than `most` bytes.
std::optional<std::string> read_all(int file, size_t most, const std::string& name) {
  std::string content;
  std::string block(size_t{1} << 16, '\0');
  while (true) {
    const ssize_t got = ::read(file, block.data(), block.size());
    if (got < 0 && errno == EINTR) {
      if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
      continue;
    }
    if (got < 0) throw Error(ErrorKind::kMissing, "cannot read " + name + ": " + reason_of(errno));
    if (got == 0) return content;
    content.append(block, 0, static_cast<size_t>(got));
    if (content.size() > most) return std::nullopt;
  }
}

}  // namespace

void prepare_standard_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (int file = 0; file < 3; ++file) {
    if (fcntl(file, F_GETFD) != -1) continue;
    // With the wrong access mode for stdin and stdout, so that using them still fails.
    const int flags = file == STDOUT_FILENO ? O_RDONLY : O_WRONLY;
    if (open("/dev/null", flags) != file) std::_Exit(1);
  }
}

void check_stdout() {
  const int flags = fcntl(STDOUT_FILENO, F_GETFL);
  if (flags == -1 || (flags & O_ACCMODE) == O_RDONLY) {
    throw Error(ErrorKind::kCannotWrite, "cannot write to stdout: it is closed");
  }
}

void write_stdout(std::string_view text) {
  const int error_number = write_all(STDOUT_FILENO, text);
  if (error_number != 0) {
    throw Error(ErrorKind::kCannotWrite, "cannot write to stdout: " + reason_of(error_number));
  }
}

void write_stdout(std::span<const uint8_t> bytes) {
  write_stdout(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void print_stderr(std::string_view text) { write_all(STDERR_FILENO, text); }

std::string read_stdin(size_t most) {
  std::optional<std::string> content = read_all(STDIN_FILENO, most, "stdin");
  if (content) return std::move(*content);
  throw Error(ErrorKind::kData, "stdin is longer than " + std::to_string(most) + " bytes");
}

std::string read_file(const std::string& path, size_t most) {
  const InputFile file = open_input(path, InputKind::kFile, stop_requested);
  std::optional<std::string> content;
  if (file.bytes <= static_cast<int64_t>(most)) {
    content = read_all(file.fd.get(), most, quote(path));
  }
  if (content) return std::move(*content);
  throw Error(ErrorKind::kData, quote(path) + " is longer than " + std::to_string(most) + " bytes");
}

std::string harmless(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c0 = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
    const bool c1 = byte == 0xC2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) < 0xA0;  // U+0080 to U+009F
    if (c0 || c1) {
      out += kReplacementCharacter;
    } else {
      out += text[i];
    }
    if (c1) ++i;
  }
  return out;
}

bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

bool stderr_is_terminal() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

int stderr_columns() {
  struct winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace bifrons::cli
