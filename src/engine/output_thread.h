// The thread that takes finished pictures out of the engine's way: decoding, when that happens
// beside drawing, and the caller's sink.
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

namespace bifrons {

class OutputThread {
 public:
  using Decode = std::function<Picture(std::span<const int32_t> tokens)>;

  // Results without pixels get them from `decode` on the output thread; without `decode` they
  // must have them. An Error (data) of `decode` takes the drawing's place in the result. At most
  // `room` results wait. Both functions are borrowed. Where the system has no thread to give,
  // push() does its work.
  OutputThread(const ResultSink& sink, Decode decode, int64_t room);

  // Waits like finish(), and keeps quiet.
  ~OutputThread();

  // Hands a result over; waits while there is no room. False: the sink has thrown, nothing more is
  // taken.
  bool push(BatchResult result);

  // Waits until everything is with the sink. Rethrows what else sink or decode threw.
  void finish();

  // Drawings that decode refused; exact once finish() has returned, as the times of the sink and of
  // decode are.
  int64_t failures() const { return failures_; }
  double sink_seconds() const { return sink_seconds_; }
  double decode_seconds() const { return decode_seconds_; }

 private:
  void work();
  bool take(BatchResult result);
  void decode(BatchResult& result);
  void join();

  const ResultSink& sink_;
  const Decode decode_;
  const size_t room_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BatchResult> waiting_;
  bool last_pushed_ = false;  // work ends when nothing waits
  std::exception_ptr failure_;
  double sink_seconds_ = 0;  // the thread's own until it has ended
  double decode_seconds_ = 0;
  int64_t failures_ = 0;
  std::vector<std::thread> thread_;  // one or none
};

}  // namespace bifrons
