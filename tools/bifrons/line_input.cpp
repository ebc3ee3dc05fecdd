// Reads lines with read(2), so that a stop signal interrupts the wait.
#include "tools/bifrons/line_input.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "src/bifrons.h"
#include "src/io/descriptor.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr size_t kLongestLine = size_t{1} << 20;

class PlainLines : public LineInput {
 public:
  explicit PlainLines(bool prompting) : prompting_(prompting) {}

  std::optional<std::string> next(const std::string& prompt) override {
    if (prompting_) print_stderr(prompt);
    while (true) {
      if (const size_t end = pending_.find('\n'); end != std::string::npos) {
        std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        return line;
      }
      if (pending_.size() > kLongestLine) {
        throw Error(ErrorKind::kData, "a line on stdin is longer than 1 MiB");
      }
      if (!fill()) break;
    }
    if (pending_.empty()) return std::nullopt;
    return std::exchange(pending_, {});
  }

 private:
  // False at the end of input.
  bool fill() {
    char block[4096];
    while (true) {
      if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
      const ssize_t got = ::read(STDIN_FILENO, block, sizeof block);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        throw Error(ErrorKind::kMissing, "cannot read stdin: " + reason_of(errno));
      }
      pending_.append(block, static_cast<size_t>(got));
      return got > 0;
    }
  }

  bool prompting_;
  std::string pending_;
};

}  // namespace

std::unique_ptr<LineInput> plain_lines(bool prompting) {
  return std::make_unique<PlainLines>(prompting);
}

}  // namespace bifrons::cli
