// Without a library there are no products of its kind.
#include "kernels/cpu/gemm_onednn.h"
#include "kernels/error.h"

namespace bifrons::cpu {

struct OnednnGemm::State {};

OnednnGemm::OnednnGemm() = default;
OnednnGemm::~OnednnGemm() = default;

bool OnednnGemm::available() { return false; }

void OnednnGemm::run(const GemmShape&, const void*, const void*, void*) {
  check(false, "products: this build has no library for them");
}

}  // namespace bifrons::cpu
