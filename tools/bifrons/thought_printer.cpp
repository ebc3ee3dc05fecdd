// Thoughts go to stderr: stdout is for paths and JSON.
#include "tools/bifrons/thought_printer.h"

#include <utility>

#include "tools/bifrons/streams.h"

namespace bifrons::cli {

ThoughtPrinter::ThoughtPrinter(const Verbosity& verbosity, Title title,
                               std::function<void()> before, uint64_t first)
    : shown_(!verbosity.quiet),
      live_(stderr_is_terminal()),
      title_(std::move(title)),
      before_(std::move(before)),
      current_(first) {}

ThoughtPrinter::ThoughtPrinter(bool silent)
    : shown_(!silent), live_(stdout_is_terminal()), to_stdout_(true) {}

void ThoughtPrinter::take(const ThoughtPiece& piece) {
  if (!shown_) return;
  Waiting& own = waiting_[piece.id];
  own.text += piece.text;
  own.last = own.last || piece.last;
  for (auto next = waiting_.find(current_); next != waiting_.end();
       next = waiting_.find(current_)) {
    if (!live_ && !next->second.last) return;
    const bool last = next->second.last;
    show(std::exchange(next->second.text, {}), last);
    if (!last) return;
    waiting_.erase(next);
    ++current_;
  }
}

void ThoughtPrinter::show(const std::string& text, bool last) {
  if (text.empty() && !last) return;
  if (before_) before_();
  std::string out;
  if (!std::exchange(begun_, true)) {
    if (!to_stdout_) out = "bifrons: thought of " + title_(current_) + ": ";
    if (to_stdout_ && current_ > 0) out = "\n";
  }
  out += to_stdout_ && !live_ ? text : harmless(text);
  if (last) {
    out += '\n';
    begun_ = false;
  }
  to_stdout_ ? write_stdout(out) : print_stderr(out);
}

void ThoughtPrinter::finish() {
  if (!std::exchange(begun_, false)) return;
  to_stdout_ ? write_stdout("\n") : print_stderr("\n");
}

}  // namespace bifrons::cli
