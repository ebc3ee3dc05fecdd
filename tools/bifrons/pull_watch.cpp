// The rate is an average over the last seconds, as that of every bar.
#include "tools/bifrons/pull_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/hub/known_models.h"
#include "src/io/quote.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr int kNameColumns = 24;

// A bar in units of which the whole has some hundreds, behind a name.
std::string named_bar(std::string name, int64_t done, int64_t total, double seconds, double rate) {
  const bool large = total >= 10'000'000;
  const int64_t unit = large ? 1'000'000 : 1'000;
  const int columns = stderr_columns();
  const bool has_room = columns >= 72;
  if (name.size() > kNameColumns) name = name.substr(0, kNameColumns - 2) + "..";
  const std::string head = has_room ? fmt::format("{:<{}} ", name, kNameColumns) : std::string();
  return head + progress_line(done / unit, total / unit, seconds, rate / static_cast<double>(unit),
                              columns - static_cast<int>(head.size()), large ? "MB" : "kB");
}

}  // namespace

PullBars::PullBars(const hub::PullPlan& plan, bool quiet)
    : quiet_(quiet),
      bars_(!quiet && stderr_is_terminal()),
      two_bars_(plan.files.size() > 1),
      total_(plan.bytes),
      start_(Clock::now()),
      file_start_(start_),
      last_shown_(start_) {}

double PullBars::seconds_since(Clock::time_point then) const {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

void PullBars::begin(const hub::PlannedFile& file) {
  name_ = quote_if_needed(file.file.path);
  size_ = file.file.bytes;
  bytes_ = file.there;
  file_start_ = Clock::now();
  rate_.clear();
}

void PullBars::progress(int64_t bytes) {
  if (bytes < bytes_) rate_.clear();  // the file begins again
  bytes_ = bytes;
  const double wait = bars_ ? kRedrawSeconds : kLineSeconds;
  if (quiet_ || seconds_since(last_shown_) < wait) return;
  last_shown_ = Clock::now();
  const double now = seconds_since(start_);
  rate_.add(now, bytes);
  if (bars_) {
    draw(rate_.rate());
    return;
  }
  print_stderr(fmt::format("bifrons: {}: {} of {}\n", name_, hub::bytes_text(bytes),
                           hub::bytes_text(size_)));
}

void PullBars::draw(double rate) {
  clear();
  std::string text = named_bar(name_, bytes_, size_, seconds_since(file_start_), rate);
  if (two_bars_) {
    text += "\n" + named_bar("all", before_ + bytes_, total_, seconds_since(start_), rate);
  }
  print_stderr(text);
  on_screen_ = true;
}

void PullBars::clear() {
  if (on_screen_) print_stderr(two_bars_ ? "\r\x1b[K\x1b[1A\r\x1b[K" : "\r\x1b[K");
  on_screen_ = false;
}

void PullBars::end(const hub::PlannedFile& file) {
  clear();
  before_ += size_;
  bytes_ = 0;
  if (quiet_) return;
  print_stderr(fmt::format("bifrons: {} ({}){}\n", name_, hub::bytes_text(size_),
                           file.present ? " is there" : ""));
}

void PullBars::note(const std::string& line) {
  clear();
  if (!quiet_) print_stderr("bifrons: " + line + "\n");
}

}  // namespace bifrons::cli
