// CUDA threads as fibers: the threads of a block take turns and stop only where they meet; blocks
// run one after another.
#pragma once

#include <cuda_runtime.h>

#include <functional>

namespace cuda_on_cpu {

// Runs `kernel` once for every thread of the grid. Throws std::logic_error for a launch no GPU
// takes, and for threads that wait for each other in different places.
void run_grid(dim3 blocks, dim3 threads, int64_t shared_bytes, const std::function<void()>& kernel);

// The same for a kernel that began early: what was launched before it is done only when its first
// thread waits for that. Throws std::logic_error for a block that ends without having waited.
void run_grid_pdl(dim3 blocks, dim3 threads, int64_t shared_bytes,
                  const std::function<void()>& kernel, const std::function<void()>& before);

// Where a thread of such a kernel waits.
void grid_dependency_wait();

// Copies 16 bytes, or zeros from nowhere: at once (copies_at_once()), or not before this thread
// waits for the group. A kernel must bear both.
void copy_later(void* to, const void* from);
void cp_async_commit();
void cp_async_wait(int groups_under_way);
bool& copies_at_once();

// The block's dynamic shared memory; full of NaN when a block begins.
std::byte* shared_memory();

// Runs the work now, or keeps it in the graph that `stream` is capturing. A kernel's work is given
// what has to be done before it, if it may begin without that.
void submit(cudaStream_t stream, std::function<void()> work);
void submit_kernel(cudaStream_t stream, std::function<void()> work);
void submit_pdl_kernel(cudaStream_t stream,
                       std::function<void(const std::function<void()>& before)> work);

}  // namespace cuda_on_cpu
