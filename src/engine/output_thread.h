// Output thread: decodes finished pictures (if they are decoded beside drawing), several at once if
// several wait, and calls the caller's sink, so that the engine does not wait for either.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "src/bifrons.h"
#include "src/engine/picture_decoder.h"

namespace bifrons {

class OutputThread {
 public:
  // Decodes the codes of several pictures; returns one result for each.
  using Decode =
      std::function<std::vector<DecodedPicture>(std::span<const std::span<const int32_t>> codes)>;

  // With `decode`, the output thread decodes the codes of results to pixels, of up to `together`
  // that wait at once; without it, results must have pixels already. The error of a decoded picture
  // takes the drawing's place in the result. At most `room` results wait in the queue. `sink` is
  // borrowed. Where the system has no thread to give, push() does the work.
  OutputThread(const ResultSink& sink, Decode decode, int64_t room,
               std::function<int64_t()> together = {});

  // Waits like finish(), but does not throw.
  ~OutputThread();

  // Adds a result to the queue; waits while the queue is full. Returns false if the sink has
  // thrown; then no more results are taken.
  bool push(BatchResult result);

  // Waits until the sink has all results. Rethrows what else sink or decode threw.
  void finish();

  // Drawings that decode refused. Exact after finish() has returned, as the times below.
  int64_t failures() const { return failures_; }

  // Seconds inside the sink and inside decode.
  double sink_seconds() const { return sink_seconds_; }
  double decode_seconds() const { return decode_seconds_; }

 private:
  void work();
  bool take(std::vector<BatchResult> results);
  void decode(std::span<BatchResult> results);
  void join();

  const ResultSink& sink_;
  const Decode decode_;
  const size_t room_;
  const std::function<int64_t()> together_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BatchResult> waiting_;
  bool last_pushed_ = false;  // work() ends when the queue is empty
  std::exception_ptr failure_;
  double sink_seconds_ = 0;  // written by the thread; read after it has ended
  double decode_seconds_ = 0;
  int64_t failures_ = 0;
  std::vector<std::thread> thread_;  // one or none
};

}  // namespace bifrons
