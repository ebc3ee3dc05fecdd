// Stub for builds without oneDNN.
#include "kernels/cpu/gemm_onednn.h"
#include "kernels/error.h"

namespace bifrons::cpu {

struct OnednnGemm::State {};

OnednnGemm::OnednnGemm() = default;
OnednnGemm::~OnednnGemm() = default;

bool OnednnGemm::available() { return false; }

void OnednnGemm::run(const GemmShape&, const void*, const void*, void*) {
  check(false, "gemm: this build has no oneDNN");
}

}  // namespace bifrons::cpu
