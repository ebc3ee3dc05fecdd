// Linear layers: weights in panels of 32 interleaved output rows, streamed once per product.
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

// A panel holds kPanelRows output rows; missing rows of the last one are zeros. Inside it k runs
// slowest: f32 and f16 weights lie as [k][row], bf16 as [k / 2][row][2], an odd last k padded with
// zero. A vector load is then the same k of neighbouring rows, x is one broadcast, and no sum ever
// crosses lanes.
int64_t panel_bytes(DType dtype, int64_t in);
int64_t panel_count(int64_t out);

// Lays the stacked rows of `parts` out in `storage` (zero-filled, panel_count * panel_bytes).
void pack_panels(ThreadPool& pool, const Tensor& storage, std::span<const HostArray> parts);

// OnednnGemm with a packed Linear. Owns what a product needs besides: widened or padded rows of x.
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
