// CUDA threads as fibers: the threads of a block take turns and stop only where they meet; blocks
// run one after another.
#pragma once

#include <cuda_runtime.h>

#include <functional>

namespace cuda_on_cpu {

// Runs `kernel` once for every thread of the grid. Throws std::logic_error for a launch no GPU
// takes, and for threads that wait for each other in different places.
void run_grid(dim3 blocks, dim3 threads, int64_t shared_bytes, const std::function<void()>& kernel);

// The block's dynamic shared memory; full of NaN when a block begins.
std::byte* shared_memory();

// Runs the work now, or keeps it in the graph that `stream` is capturing.
void submit(cudaStream_t stream, std::function<void()> work);

}  // namespace cuda_on_cpu
