// Line editing and history by libedit, which keeps them in memory only.
#include <editline/readline.h>

#include <clocale>
#include <cstdlib>

#include "src/bifrons.h"
#include "tools/bifrons/line_input.h"
#include "tools/bifrons/signals.h"

namespace bifrons::cli {
namespace {

constexpr int kRemembered = 500;

class EditedLines : public LineInput {
 public:
  EditedLines() {
    std::setlocale(LC_CTYPE, "");  // defines what a character is
    stifle_history(kRemembered);
  }

  std::optional<std::string> next(const std::string& prompt) override {
    const std::unique_ptr<char, decltype(&std::free)> typed(readline(prompt.c_str()), std::free);
    if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
    if (typed == nullptr) return std::nullopt;
    std::string line(typed.get());
    if (!line.empty()) add_history(line.c_str());
    return line;
  }
};

}  // namespace

std::unique_ptr<LineInput> terminal_lines() { return std::make_unique<EditedLines>(); }

}  // namespace bifrons::cli
