// Capturing a stream and launching what was captured.
#include "kernels/cuda/graph.h"

#include <deque>
#include <optional>
#include <utility>

#include "kernels/cuda/ab_timer.h"
#include "kernels/cuda/status.h"

namespace bifrons::cuda {
namespace {

// What a step launches. Launching does not wait for the device.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { forget(); }

  void capture(cudaStream_t stream, const std::function<void()>& step) {
    // Relaxed: scratch memory may grow while the step is seen for the first time.
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "recording a step");
    try {
      step();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph_);
      cudaGetLastError();  // that the capture was broken off
      throw;
    }
    must(cudaStreamEndCapture(stream, &graph_), "recording a step");
    must(cudaGraphInstantiate(&executable_, graph_, 0), "preparing a recorded step");
    must(cudaGraphUpload(executable_, stream), "preparing a recorded step");
  }
  void launch(cudaStream_t stream) {
    must(cudaGraphLaunch(executable_, stream), "starting a recorded step");
  }
  // Also one that has not run yet may be forgotten.
  void forget() {
    if (executable_) cudaGraphExecDestroy(std::exchange(executable_, nullptr));
    if (graph_) cudaGraphDestroy(std::exchange(graph_, nullptr));
  }

 private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

// A moment of the stream.
class TimingEvent {
 public:
  TimingEvent() { must(cudaEventCreateWithFlags(&event_, cudaEventDefault), "timing a step"); }
  TimingEvent(const TimingEvent&) = delete;
  TimingEvent& operator=(const TimingEvent&) = delete;
  ~TimingEvent() { cudaEventDestroy(event_); }

  void record(cudaStream_t stream) { must(cudaEventRecord(event_, stream), "timing a step"); }
  bool passed() const {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) return false;
    must(status, "computing");
    return true;
  }
  float milliseconds_since(const TimingEvent& begin) const {
    float milliseconds = 0;
    must(cudaEventElapsedTime(&milliseconds, begin.event_, event_), "timing a step");
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

class CapturedGraph final : public CapturedStep {
 public:
  CapturedGraph(Stream& stream, Meter& meter) : stream_(stream), meter_(meter) {}

  void record(PdlMode mode, const std::function<void()>& step) {
    capture(ways_[0], mode == PdlMode::kAlways, step);
    if (mode != PdlMode::kIfFaster) return;
    try {
      capture(ways_[1], true, step);
    } catch (const Error&) {
      return ways_[1].forget();  // the card does not take it, and need not
    }
    // Now, as the card is chosen: who runs this need not have done that.
    for (int turn = 0; turn < AbTimer::kTurns; ++turn) times_.emplace_back();
    timer_.emplace();
  }

  void run() override {
    meter_.add(counts_);
    if (timer_) read_times();
    if (!timer_) return ways_[way_].launch(stream_.handle);
    const std::optional<int> way = timer_->next();
    if (!way) return ways_[0].launch(stream_.handle);
    Timed& timed = times_[launched_++];
    timed.way = *way;
    try {
      timed.begin.record(stream_.handle);
      ways_[*way].launch(stream_.handle);
      timed.end.record(stream_.handle);
    } catch (...) {
      timer_.reset();  // there is no time of this turn
      throw;
    }
  }
  bool settled() const override { return !timer_; }

 private:
  struct Timed {
    int way = 0;
    TimingEvent begin, end;
  };

  void capture(Graph& graph, bool pdl, const std::function<void()>& step) {
    struct Restore {
      Stream& stream;
      Meter& meter;
      bool pdl;
      Meter before;
      ~Restore() {
        stream.pdl = pdl;
        meter = before;
      }
    } restore{stream_, meter_, std::exchange(stream_.pdl, pdl), meter_};
    meter_.reset();
    graph.capture(stream_.handle, step);
    counts_ = meter_;
  }

  // Takes over what has ended, and the winner when that was all.
  void read_times() {
    for (; read_ < launched_ && times_[read_].end.passed(); ++read_) {
      const Timed& timed = times_[read_];
      timer_->took(timed.way, timed.end.milliseconds_since(timed.begin));
    }
    const std::optional<int> winner = timer_->winner();
    if (!winner) return;
    way_ = *winner;
    ways_[1 - way_].forget();
    timer_.reset();
    times_.clear();
  }

  Stream& stream_;
  Meter& meter_;
  Meter counts_;
  Graph ways_[2];
  int way_ = 0;
  std::optional<AbTimer> timer_;  // until it is decided
  std::deque<Timed> times_;       // of its turns; so many were launched, and so many read
  size_t launched_ = 0, read_ = 0;
};

}  // namespace

std::unique_ptr<CapturedStep> capture_graph(Stream& stream, PdlMode mode, Meter& meter,
                                            const std::function<void()>& step) {
  auto recording = std::make_unique<CapturedGraph>(stream, meter);
  recording->record(mode, step);
  return recording;
}

}  // namespace bifrons::cuda
