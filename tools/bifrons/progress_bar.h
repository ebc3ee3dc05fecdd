// A progress bar on stderr in tqdm's format, redrawn at most ten times a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace bifrons::cli {

// How often a bar is drawn again, and how often a line says the same where no terminal is.
inline constexpr double kRedrawSeconds = 0.1;
inline constexpr double kLineSeconds = 30;
// Bars of files count MB.
inline constexpr int64_t kBytesOfABarUnit = 1'000'000;

// " 42%|####      | 242/576 [00:02<00:03, 112.4 tok/s]", at most `columns` wide. `rate` is in units
// per second; 0: not known yet.
std::string progress_line(int64_t done, int64_t total, double seconds, double rate, int columns,
                          std::string_view unit = "tok");

// "01:07", or "2:01:07".
std::string clock_text(double seconds);

// The rate over the last seconds of something that is counted, because it may change on the way.
class MovingRate {
 public:
  explicit MovingRate(double window_seconds) : window_(window_seconds) {}

  // `done` units after `seconds`; both never fall between two calls of clear().
  void add(double seconds, int64_t done);
  void clear() { recent_.clear(); }
  // The latest `seconds`; 0 at first.
  double seconds() const { return recent_.empty() ? 0 : recent_.back().first; }
  // Units a second; 0 if it is not known yet.
  double rate() const;

 private:
  double window_;
  std::deque<std::pair<double, int64_t>> recent_;
};

class ProgressBar {
 public:
  // Draws nothing if `shown` is false. `unit`: what is counted, a literal.
  ProgressBar(bool shown, int64_t total, std::string_view unit = "tok");
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  void update(int64_t done);
  void clear();  // removes the bar from the screen until the next update

 private:
  using Clock = std::chrono::steady_clock;
  double seconds_since_start(Clock::time_point now) const;

  bool shown_;
  bool on_screen_ = false;
  int64_t total_;
  std::string_view unit_;
  Clock::time_point start_;
  Clock::time_point last_drawn_;
  MovingRate rate_;
};

}  // namespace bifrons::cli
