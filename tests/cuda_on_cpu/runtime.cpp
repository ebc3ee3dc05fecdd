// A CUDA runtime that simulates a device on this machine; device memory is heap memory. Work is
// done at once, added to a graph, or delayed until something waits for it.
#include "tests/cuda_on_cpu/runtime.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/cuda_on_cpu/fibers.h"
#include "tests/cuda_on_cpu/kernel_runner.h"

namespace cuda_on_cpu {

struct FakeGraph {
  struct Node {
    std::function<void()> work;
    bool kernel = false;
  };
  std::vector<Node> nodes;
  bool pdl = false;  // whether one of them is launched with PDL
};

// Work items are numbered from 1; items 1 to `done` are done.
struct FakeStream {
  FakeGraph* capturing = nullptr;
  bool invalidated = false;  // the capture has failed
  int priority = 0;
  std::deque<std::function<void()>> left;
  int64_t done = 0;
  std::vector<float> clock = {0};  // milliseconds, by number of items done

  void do_until(int64_t last) {
    while (done < last && !left.empty()) {
      const std::function<void()> work = std::move(left.front());
      left.pop_front();
      ++done;
      clock.push_back(clock.back());
      work();
    }
  }
  int64_t last() const { return done + static_cast<int64_t>(left.size()); }
};

// Position of a stream when the event was recorded.
struct FakeEvent {
  FakeStream* stream = nullptr;
  int64_t last = 0;
  bool captured = false;  // belongs to a graph: nobody can wait for it
};

namespace {

struct Allocation {
  size_t bytes = 0;
  bool pinned = false;  // memory of the host
};

std::map<const void*, Allocation>& allocations() {
  static std::map<const void*, Allocation> all;
  return all;
}

// Whether cudaMalloc gave this memory.
bool on_device(const void* data) {
  auto after = allocations().upper_bound(data);
  if (after == allocations().begin()) return false;
  const auto& [begin, allocation] = *std::prev(after);
  return !allocation.pinned && data < static_cast<const char*>(begin) + allocation.bytes;
}

// Whether a copy has the direction that its kind says. On a GPU another one has no defined result.
bool right_direction(const void* to, const void* from, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return on_device(to) && !on_device(from);
    case cudaMemcpyDeviceToHost:
      return !on_device(to) && on_device(from);
    case cudaMemcpyDeviceToDevice:
      return on_device(to) && on_device(from);
    default:
      return true;
  }
}

std::set<FakeStream*>& streams() {
  static std::set<FakeStream*> all;
  return all;
}

int64_t& graphs_left() {
  static int64_t count = 0;
  return count;
}

int64_t& pdl_graphs_count() {
  static int64_t count = 0;
  return count;
}

int64_t& pdl_count() {
  static int64_t count = 0;
  return count;
}

// Freeing memory waits for the whole device.
void do_everything() {
  for (FakeStream* stream : streams()) stream->do_until(stream->last());
}

// What waits for a stream that captures makes its capture fail; null: for all streams. Returns
// whether there was one. Other threads' captures count as well, in every mode.
bool break_captures(const FakeStream* stream) {
  bool any = false;
  for (FakeStream* each : streams()) {
    if (!each->capturing || (stream && each != stream)) continue;
    each->invalidated = any = true;
  }
  return any;
}

size_t used_bytes() {
  size_t sum = 0;
  for (const auto& [data, allocation] : allocations()) sum += allocation.bytes;
  return sum;
}

}  // namespace

Machine& machine() {
  static Machine the_machine;
  return the_machine;
}

namespace {

void submit(cudaStream_t stream, std::function<void()> work, bool kernel) {
  if (stream->capturing) {
    stream->capturing->nodes.push_back({std::move(work), kernel});
  } else {
    stream->left.push_back(std::move(work));
    if (!machine().asynchronous) stream->do_until(stream->last());
  }
}

}  // namespace

void submit(cudaStream_t stream, std::function<void()> work) {
  submit(stream, std::move(work), false);
}

void submit_kernel(cudaStream_t stream, std::function<void()> work) {
  submit(stream, std::move(work), true);
}

// In a graph, the node replaces the kernel before it and runs that kernel nested.
void submit_pdl_kernel(cudaStream_t stream,
                       std::function<void(const std::function<void()>&)> work) {
  ++pdl_count();
  std::function<void()> before = [] {};
  FakeGraph* graph = stream->capturing;
  if (graph) graph->pdl = true;
  if (graph && !graph->nodes.empty() && graph->nodes.back().kernel) {
    before = std::move(graph->nodes.back().work);
    graph->nodes.pop_back();
  }
  submit(
      stream, [before, work] { work(before); }, true);
}

int64_t pdl_kernels() { return pdl_count(); }

int64_t pdl_graphs() { return pdl_graphs_count(); }

int64_t waiting_graphs() { return graphs_left(); }

std::vector<int> stream_priorities() {
  std::vector<int> all;
  for (const FakeStream* stream : streams()) all.push_back(stream->priority);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace cuda_on_cpu

using cuda_on_cpu::allocations;
using cuda_on_cpu::break_captures;
using cuda_on_cpu::kernel_runner;
using cuda_on_cpu::machine;
using cuda_on_cpu::right_direction;
using cuda_on_cpu::said;

const char* cudaGetErrorName(cudaError_t status) {
  return status == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaErrorFake";
}
const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaErrorIllegalAddress ? "an illegal memory access was encountered"
                                           : "a fake error";
}
// The last error is kept for cudaGetLastError(), as in the real runtime.
static cudaError_t last_error = cudaSuccess;
cudaError_t cuda_on_cpu::said(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = machine().driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = machine().runtime;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (machine().driver / 1000 < machine().runtime / 1000) return said(cudaErrorInsufficientDriver);
  if (machine().start != cudaSuccess) return said(machine().start);
  *count = machine().devices;
  return said(machine().devices > 0 ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "this CPU in a GPU's clothes");
  properties->totalGlobalMem = machine().memory;
  properties->major = machine().major;
  properties->minor = machine().minor;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (machine().choice != cudaSuccess) return said(machine().choice);
  return said(device < machine().devices ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = machine().memory;
  *free = *total - std::min(*total, cuda_on_cpu::used_bytes());
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (cuda_on_cpu::used_bytes() + bytes > machine().memory) return said(cudaErrorMemoryAllocation);
  *data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!*data) return cudaErrorMemoryAllocation;
  std::memset(*data, 0xff, bytes);  // new device memory has arbitrary contents
  allocations()[*data] = {bytes, false};
  if (kernel_runner()) kernel_runner()->allocated(*data, bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
  cuda_on_cpu::do_everything();
  allocations().erase(data);
  if (kernel_runner()) kernel_runner()->freed(data);
  std::free(data);
  if (machine().failing_frees > 0) {  // with the error of earlier work
    --machine().failing_frees;
    return said(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  const cudaError_t status = cudaMalloc(data, bytes);
  if (status == cudaSuccess) allocations()[*data].pinned = true;
  return status;
}
cudaError_t cudaFreeHost(void* data) {
  allocations().erase(data);
  if (kernel_runner()) kernel_runner()->freed(data);
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  if (break_captures(nullptr)) return said(cudaErrorStreamCaptureUnsupported);
  cuda_on_cpu::do_everything();
  return said(machine().failure);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (!right_direction(to, from, kind)) return said(cudaErrorInvalidMemcpyDirection);
  cuda_on_cpu::submit(stream, [=] { std::memcpy(to, from, bytes); });
  return said(machine().failure);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  if (!right_direction(to, from, kind)) return said(cudaErrorInvalidMemcpyDirection);
  cuda_on_cpu::submit(stream, [=] {
    for (size_t r = 0; r < height; ++r) {
      std::memcpy(static_cast<char*>(to) + r * to_pitch,
                  static_cast<const char*>(from) + r * from_pitch, width);
    }
  });
  return said(machine().failure);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  cuda_on_cpu::submit(stream, [=] { std::memset(to, value, bytes); });
  return said(machine().failure);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new cuda_on_cpu::FakeStream;
  cuda_on_cpu::streams().insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  cudaStreamCreateWithFlags(stream, flags);
  (*stream)->priority = priority;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  stream->do_until(stream->last());
  cuda_on_cpu::streams().erase(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (break_captures(stream)) return said(cudaErrorStreamCaptureUnsupported);
  stream->do_until(stream->last());
  return said(machine().failure);
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new cuda_on_cpu::FakeEvent;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  *event = {stream, stream->last(), stream->capturing != nullptr};
  return said(machine().failure);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->captured) return said(cudaErrorCapturedEvent);
  if (cuda_on_cpu::streams().count(event->stream) > 0) event->stream->do_until(event->last);
  return said(machine().failure);
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeMode ? machine().compute_mode : machine().shared_memory;
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (event->captured) return said(cudaErrorCapturedEvent);
  if (event->stream->done < event->last) return cudaErrorNotReady;
  return said(machine().failure);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = end->stream->clock[end->last] - begin->stream->clock[begin->last];
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capturing) return said(cudaErrorInvalidValue);
  stream->capturing = new cuda_on_cpu::FakeGraph;
  stream->invalidated = false;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->capturing, nullptr);
  if (!std::exchange(stream->invalidated, false)) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return said(cudaErrorStreamCaptureInvalidated);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new cuda_on_cpu::FakeGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  ++cuda_on_cpu::graphs_left();
  // As on a device, the graph may be destroyed before it has run.
  if (executable->pdl) ++cuda_on_cpu::pdl_graphs_count();
  cuda_on_cpu::submit(stream, [stream, graph = *executable] {
    const cuda_on_cpu::Machine& card = machine();
    stream->clock.back() += graph.pdl ? card.pdl_milliseconds : card.milliseconds;
    for (const cuda_on_cpu::FakeGraph::Node& node : graph.nodes) node.work();
    --cuda_on_cpu::graphs_left();
  });
  return said(machine().failure);
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
