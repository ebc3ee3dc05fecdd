// Linear layers (GEMM and GEMV): weights in panels of 32 interleaved output rows, read once per
// pass.
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

// A panel holds kPanelRows output rows; missing rows of the last panel are zeros. k is the slowest
// dimension inside it: f32 and f16 weights are [k][row], bf16 [k / 2][row][2], an odd last k padded
// with zero. So one vector load gives the same k of neighbouring rows, x is one broadcast, and sums
// never cross lanes.
int64_t panel_bytes(DType dtype, int64_t in);
int64_t panel_count(int64_t out);

// Packs the stacked rows of `parts` into `storage` (zero-filled, panel_count * panel_bytes).
void pack_panels(ThreadPool& pool, const Tensor& storage, std::span<const HostArray> parts);

// Fills `starts` with the first panel of each chunk, and the end. Chunks begin long, because a
// stream of weights takes a while to reach full speed. They end short, because all threads wait for
// the last chunk.
void cut_panels(std::vector<int64_t>& starts, int64_t panels, int64_t shortest, int threads);

// Runs linear layers with packed weights. Owns the scratch memory: converted or padded rows of x.
class LinearRunner {
 public:
  explicit LinearRunner(const InstructionSet& isa) : isa_(isa) {}

  // y = round(x W^T + bias), or y = round(y + round(...)) when `add`.
  void run(ThreadPool& pool, const Tensor& y, const Tensor& x, const Linear& weight, bool add);

 private:
  void run_slab(ThreadPool& pool, const Tensor& y, const Tensor& x, const Linear& weight, bool add);

  const InstructionSet& isa_;
  std::vector<float> scratch_;
  std::vector<int64_t> starts_;
};

}  // namespace bifrons::cpu
