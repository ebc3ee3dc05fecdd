// Quantised linear layers: panels of 16 interleaved output rows, integer dot products that are
// exact within a group.
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

// A panel holds kQuantisedRows output rows; rows that are missing in the last one have the scale
// zero. For every two groups of k: 64 bytes with the bf16 scales [group][row], then the integers of
// each group. int8: bytes q + 128, [k / 4][row][4]. int4: bytes [k / 8][row][4] whose low halves
// are q + 8 of the first four k and whose high halves are those of the next four. So a vector load
// gives four consecutive k of neighbouring rows, which is what dot products of bytes take.
int64_t quantised_panel_bytes(LinearFormat format, int64_t in);
int64_t quantised_panel_count(int64_t out);

// Packs the stacked rows of `parts` into `storage`, quantised_panel_count * quantised_panel_bytes.
void pack_quantised(ThreadPool& pool, const Tensor& storage, std::span<const QuantisedArray> parts);

// Runs quantised linear layers. Owns the scratch memory for x in integers.
//
// A group of a row of x becomes integers of 16 bits: x16 = round(x 32512 / max|x|), with the scale
// sx = max|x| / 32512. The sum of q x16 over a group is exact in 32 bits. Then y += (sx sw) sum,
// one rounding for the product of the scales, one for the sum as f32, and one multiply-add, groups
// in ascending order. So a row of y depends on its row of x alone. The error of x16 is 2^-16 of the
// group's maximum. A group with a number that is not finite makes the row NaN.
class QuantisedRunner {
 public:
  explicit QuantisedRunner(const InstructionSet& isa) : isa_(isa) {}

  // As LinearRunner::run().
  void run(ThreadPool& pool, const Tensor& y, const Tensor& x, const Linear& weight, bool add);

 private:
  void run_slab(ThreadPool& pool, const Tensor& y, const Tensor& x, const Linear& weight, bool add);
  void quantise_rows(ThreadPool& pool, const Tensor& x, LinearFormat format);

  const InstructionSet& isa_;
  std::vector<int16_t> integers_;
  std::vector<float> scales_;
  std::vector<int32_t> offsets_;
  std::vector<int64_t> starts_;
};

}  // namespace bifrons::cpu
