// Progress of a download: a bar for the file and one for all on a terminal, lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "src/hub/pull.h"
#include "tools/bifrons/progress_bar.h"

namespace bifrons::cli {

class PullBars : public hub::PullWatch {
 public:
  PullBars(const hub::PullPlan& plan, bool quiet);
  PullBars(const PullBars&) = delete;
  PullBars& operator=(const PullBars&) = delete;
  ~PullBars() override { clear(); }

  void begin(const hub::PlannedFile& file) override;
  void progress(int64_t bytes) override;
  void end(const hub::PlannedFile& file) override;
  void note(const std::string& line) override;

 private:
  using Clock = std::chrono::steady_clock;
  double seconds_since(Clock::time_point then) const;
  void draw(double rate);
  void clear();

  bool quiet_, bars_, two_bars_;
  int64_t total_;
  int64_t before_ = 0;  // bytes of the files that are done
  std::string name_;    // of this file
  int64_t size_ = 0, bytes_ = 0;
  Clock::time_point start_, file_start_, last_shown_;
  MovingRate rate_{5};  // of this file's bytes
  bool on_screen_ = false;
};

}  // namespace bifrons::cli
