// Speculative decoding on the GPU: accepts drafts and moves the windows without the host.
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/drafts.h"

namespace bifrons::cuda {

struct DraftJob {
  int32_t* inputs;
  const int32_t* ids;
  const int32_t* forced;
  int64_t forced_pitch, tokens;
  int32_t *step, *position, *ring;
  int64_t ring_pitch, slots;
  int32_t* pass;
  int64_t width, rows;
};

// One block for each picture, one thread for each column.
__global__ void __launch_bounds__(kMostWindow) accept_drafts_kernel(DraftJob job) {
  __shared__ bool ends[kMostWindow];
  __shared__ int last_accepted;
  trigger_dependents();
  grid_dependency_wait();
  const int64_t p = blockIdx.x, w = threadIdx.x, first = p * job.width, rows = job.rows;
  int32_t* const step = job.step + first;
  const DraftWindow window{.inputs = job.inputs + rows * first,
                           .sampled = job.ids + rows * first,
                           .forced = job.forced + p * job.forced_pitch,
                           .rows = rows,
                           .begin = step[0],
                           .width = job.width,
                           .tokens = job.tokens};
  const int64_t live = window.live();
  const int32_t position = job.position[rows * first];
  int32_t* const slot = job.ring + p * job.ring_pitch + job.pass[p] % job.slots * (1 + job.width);
  ends[w] = w < live && window.ends(w);
  __syncthreads();
  if (w == 0) {
    int at = 0;
    while (at < live && !ends[at]) ++at;
    last_accepted = at;
    slot[0] = live == 0 ? 0 : at + 1;
    ++job.pass[p];
  }
  __syncthreads();
  const int last = last_accepted;
  if (live == 0) return;
  if (w <= last) slot[1 + w] = window.code(w);
  const int32_t input = window.next_input(last, w);
  __syncthreads();  // all threads have read the old window
  const int64_t token = window.begin + last + 1 + w;
  const int32_t at = token < window.tokens ? static_cast<int32_t>(position + last + 1 + w) : -1;
  step[w] = static_cast<int32_t>(token);
  for (int64_t row = rows * (first + w); row < rows * (first + w + 1); ++row) {
    job.inputs[row] = input;
    job.position[row] = at;
  }
}

void accept_drafts(Stream& s, const DraftWindows& windows, const Tensor& ids) {
  const int64_t pictures = windows.pass.count();
  if (pictures == 0) return;
  const int64_t width = windows.step.count() / pictures;
  const DraftJob job{.inputs = windows.inputs.as<int32_t>(),
                     .ids = ids.as<int32_t>(),
                     .forced = windows.forced.as<int32_t>(),
                     .forced_pitch = windows.forced.pitch,
                     .tokens = windows.forced.cols(),
                     .step = windows.step.as<int32_t>(),
                     .position = windows.position.as<int32_t>(),
                     .ring = windows.ring.as<int32_t>(),
                     .ring_pitch = windows.ring.pitch,
                     .slots = windows.ring.cols() / (1 + width),
                     .pass = windows.pass.as<int32_t>(),
                     .width = width,
                     .rows = windows.rows()};
  launch_pdl(s.handle, s.pdl, accept_drafts_kernel,
             {dim3(static_cast<unsigned>(pictures)), dim3(static_cast<unsigned>(width))}, job);
}

}  // namespace bifrons::cuda
