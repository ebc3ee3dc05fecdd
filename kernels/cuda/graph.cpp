// CUDA graph capture of a step, and launching the graph.
#include "kernels/cuda/graph.h"

#include <deque>
#include <optional>
#include <utility>

#include "kernels/cuda/ab_timer.h"
#include "kernels/cuda/status.h"

namespace bifrons::cuda {
namespace {

// The CUDA graph of a step. Launching it does not wait for the device.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { forget(); }

  void capture(cudaStream_t stream, const std::function<void()>& step) {
    // Relaxed mode: scratch memory may be allocated while the step is captured for the first time.
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capturing a step");
    try {
      step();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph_);
      cudaGetLastError();  // clears the error of the aborted capture
      throw;
    }
    must(cudaStreamEndCapture(stream, &graph_), "capturing a step");
    must(cudaGraphInstantiate(&executable_, graph_, 0), "preparing a recorded step");
    must(cudaGraphUpload(executable_, stream), "preparing a recorded step");
  }
  void launch(cudaStream_t stream) {
    must(cudaGraphLaunch(executable_, stream), "starting a recorded step");
  }
  // Destroys the graph, also one that has not run yet.
  void forget() {
    if (executable_) cudaGraphExecDestroy(std::exchange(executable_, nullptr));
    if (graph_) cudaGraphDestroy(std::exchange(graph_, nullptr));
  }

 private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

// A CUDA event with timing.
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
      return ways_[1].forget();  // the GPU does not support PDL in graphs; not an error
    }
    // The events are made now, while this GPU is current. The thread that calls run() may not have
    // selected it.
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
      timer_.reset();  // this run was not timed
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

  // Reads the times of runs that have ended; after the last one it keeps the faster variant.
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
  std::optional<AbTimer> timer_;  // until the variant is chosen
  std::deque<Timed> times_;       // timed runs; launched_ were launched, read_ were read
  size_t launched_ = 0, read_ = 0;
};

}  // namespace

std::unique_ptr<CapturedStep> capture_graph(Stream& stream, PdlMode mode, Meter& meter,
                                            const std::function<void()>& step) {
  auto captured = std::make_unique<CapturedGraph>(stream, meter);
  captured->record(mode, step);
  return captured;
}

}  // namespace bifrons::cuda
