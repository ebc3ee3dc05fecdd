// The rate is an average over the last three seconds, because later tokens attend to more and take
// longer.
#include "tools/bifrons/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr double kRateWindowSeconds = 3.0;
constexpr std::chrono::milliseconds kRedrawEvery(100);

}  // namespace

std::string clock_text(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
}

std::string progress_line(int64_t done, int64_t total, double seconds, double rate, int columns,
                          std::string_view unit) {
  const double part = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  const std::string head = fmt::format("{:3}%|", static_cast<int>(part * 100));
  const std::string remaining =
      rate > 0 ? clock_text(static_cast<double>(total - done) / rate) : std::string("?");
  const std::string speed =
      rate > 0 ? fmt::format("{:.1f} {}/s", rate, unit) : fmt::format("? {}/s", unit);
  const std::string tail =
      fmt::format("| {}/{} [{}<{}, {}]", done, total, clock_text(seconds), remaining, speed);
  const int room = columns - 1 - static_cast<int>(head.size() + tail.size());
  const int width = std::clamp(room, 0, 40);
  const int filled = static_cast<int>(part * width);
  std::string line = head + std::string(filled, '#') + std::string(width - filled, ' ') + tail;
  if (static_cast<int>(line.size()) >= columns) line.resize(std::max(columns - 1, 0));
  return line;
}

void MovingRate::add(double seconds, int64_t done) {
  recent_.emplace_back(seconds, done);
  while (recent_.size() > 2 && seconds - recent_.front().first > window_) recent_.pop_front();
}

double MovingRate::rate() const {
  if (recent_.empty()) return 0;
  const auto [then, before] = recent_.front();
  const auto [now, done] = recent_.back();
  return now > then ? static_cast<double>(done - before) / (now - then) : 0;
}

ProgressBar::ProgressBar(bool shown, int64_t total, std::string_view unit)
    : shown_(shown),
      total_(total),
      unit_(unit),
      start_(Clock::now()),
      last_drawn_(start_ - kRedrawEvery),
      rate_(kRateWindowSeconds) {
  update(0);
}

double ProgressBar::seconds_since_start(Clock::time_point now) const {
  return std::chrono::duration<double>(now - start_).count();
}

void ProgressBar::update(int64_t done) {
  if (!shown_) return;
  const Clock::time_point now = Clock::now();
  if (now - last_drawn_ < kRedrawEvery && done < total_) return;
  last_drawn_ = now;
  const double seconds = seconds_since_start(now);
  rate_.add(seconds, done);
  print_stderr("\r" + progress_line(done, total_, seconds, rate_.rate(), stderr_columns(), unit_) +
               "\x1b[K");
  on_screen_ = true;
}

void ProgressBar::clear() {
  if (on_screen_) print_stderr("\r\x1b[K");
  on_screen_ = false;
}

}  // namespace bifrons::cli
