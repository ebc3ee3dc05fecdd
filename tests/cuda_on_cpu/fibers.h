// CUDA threads as fibers. The threads of a block take turns and switch only where they synchronise.
// Blocks run one after another. Blocks, warps and lanes come in a random order.
#pragma once

#include <cuda_runtime.h>

#include <functional>

namespace cuda_on_cpu {

// Runs `kernel` once for each thread of the grid. Throws std::logic_error for a launch that every
// GPU refuses, and for a deadlock: threads that wait for each other in different places.
void run_grid(dim3 blocks, dim3 threads, int64_t shared_bytes, const std::function<void()>& kernel);

// The same for a kernel launched with programmatic dependent launch (PDL). The earlier work
// `before` runs only when the first thread calls grid_dependency_wait(). Throws std::logic_error if
// a block ends without having called it.
void run_grid_pdl(dim3 blocks, dim3 threads, int64_t shared_bytes,
                  const std::function<void()>& kernel, const std::function<void()>& before);

// grid_dependency_wait() of such a kernel.
void grid_dependency_wait();

// cp.async: copies 16 bytes, or writes zeros if there is no source. The copy is made either at once
// (copies_at_once()) or only when this thread waits for the group. A kernel must work with both.
void copy_later(void* to, const void* from);
void cp_async_commit();
void cp_async_wait(int groups_under_way);
bool& copies_at_once();

// The block's dynamic shared memory; filled with NaN when a block begins.
std::byte* shared_memory();

// Runs the work now, or adds it to the graph that `stream` is capturing. A kernel launched with PDL
// gets the work before it as an argument.
void submit(cudaStream_t stream, std::function<void()> work);
void submit_kernel(cudaStream_t stream, std::function<void()> work);
void submit_pdl_kernel(cudaStream_t stream,
                       std::function<void(const std::function<void()>& before)> work);

}  // namespace cuda_on_cpu
