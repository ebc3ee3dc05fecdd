// Stub for builds without oneDNN.
#include "kernels/cpu/gemm_baseline.h"
#include "kernels/error.h"

namespace bifrons::cpu {

struct GemmBaseline::State {};

GemmBaseline::GemmBaseline(int) {}
GemmBaseline::~GemmBaseline() = default;
bool GemmBaseline::available() { return false; }
void GemmBaseline::add_linear(int64_t, int64_t, int64_t) {}
void GemmBaseline::add_batch(int64_t, int64_t, int64_t, int64_t) {}

double GemmBaseline::measure() {
  check(false, "baseline: this build has no library to compare with");
  return 0;
}

}  // namespace bifrons::cpu
