// Capturing a stream and launching what was captured.
#include "kernels/cuda/graph.h"

#include <utility>

#include "kernels/cuda/status.h"

namespace bifrons::cuda {
namespace {

class GraphRecording final : public Recording {
 public:
  GraphRecording(cudaStream_t stream, Meter& meter) : stream_(stream), meter_(meter) {}
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;
  ~GraphRecording() override {
    if (executable_) cudaGraphExecDestroy(executable_);
    if (graph_) cudaGraphDestroy(graph_);
  }

  void capture(const std::function<void()>& step) {
    // Relaxed: scratch memory may grow while the step is seen for the first time.
    must(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "recording a step");
    const Meter before = meter_;
    meter_.reset();
    try {
      step();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph_);
      cudaGetLastError();  // that the capture was broken off
      meter_ = before;
      throw;
    }
    counts_ = std::exchange(meter_, before);
    must(cudaStreamEndCapture(stream_, &graph_), "recording a step");
    must(cudaGraphInstantiate(&executable_, graph_, 0), "preparing a recorded step");
    must(cudaGraphUpload(executable_, stream_), "preparing a recorded step");
  }

  void run() override {
    meter_.add(counts_);
    must(cudaGraphLaunch(executable_, stream_), "starting a recorded step");
  }

 private:
  cudaStream_t stream_;
  Meter& meter_;
  Meter counts_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

std::unique_ptr<Recording> record_graph(cudaStream_t stream, Meter& meter,
                                        const std::function<void()>& step) {
  auto recording = std::make_unique<GraphRecording>(stream, meter);
  recording->capture(step);
  return recording;
}

}  // namespace bifrons::cuda
