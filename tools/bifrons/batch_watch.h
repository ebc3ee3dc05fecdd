// Progress of a batch: two bars on a terminal, a line every 30 seconds elsewhere, or JSON events.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "src/batch/batch_run.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/progress_bar.h"

namespace bifrons::cli {

// The expected size of a batch. nullopt: unknown, as for a pipe.
struct BatchSize {
  std::optional<int64_t> to_draw;     // pictures that are not done yet
  std::optional<int64_t> file_bytes;  // of the prompt file, to estimate to_draw
};

// The total number of pictures to draw, as far as it is known or can be estimated from the part of
// the file that was read.
std::optional<int64_t> expected_pictures(const BatchSize& size, const BatchCounts& counts);

class BatchWatch {
 public:
  BatchWatch(const BatchArguments& arguments, BatchSize size, int64_t tokens_of_a_picture);
  BatchWatch(const BatchWatch&) = delete;
  BatchWatch& operator=(const BatchWatch&) = delete;
  ~BatchWatch() { clear(); }

  // Thread-safe.
  void start(const ModelInfo& model, const std::string& device, const Shard& shard);
  void picture(const FinishedPicture& picture);
  // `file` is the name of the prompt file if there is only one.
  void failure(const std::string& file, const LinePlace& place, const std::string& reason);
  // Tokens drawn so far by engine number `engine`, and the counts of the whole run.
  void progress(size_t engine, int64_t tokens, const BatchCounts& counts);
  void log(const std::string& line);
  // Passes of all engines, for finish().
  void speculated(const SpeculationStats& stats);
  void finish(const BatchCounts& counts, int exit_code);

  double seconds() const;
  // Whether a write to stdout failed. Nothing is printed after that.
  bool stdout_failed() const { return stdout_failed_; }

 private:
  using Clock = std::chrono::steady_clock;
  void print(const std::string& text);
  void draw_bars(int64_t tokens, const BatchCounts& counts);
  void show_bars();
  void clear();
  // Prints text in place of the bars and draws the bars again below it.
  void above_bars(const std::function<void()>& body);

  bool quiet_, jsonl_, bars_, lines_;
  BatchSize size_;
  int64_t tokens_of_a_picture_;
  Clock::time_point start_;
  double last_shown_ = 0;
  std::map<size_t, int64_t> tokens_;  // by engine
  MovingRate rate_{5};                // of tokens
  int64_t shown_failures_ = 0;
  bool on_screen_ = false;
  std::string bars_text_;  // as last drawn
  bool stdout_failed_ = false;
  SpeculationStats speculation_;
  std::mutex mutex_;
};

// The result of a batch in one sentence: "drew 3 pictures in 00:02 (1.50/s), 1 failed".
std::string summary_of(const BatchCounts& counts, double seconds);

}  // namespace bifrons::cli
