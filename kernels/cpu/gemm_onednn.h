// GEMM of bf16 matrices by oneDNN, on processors with AMX. CMake picks the implementation:
// gemm_onednn.cpp or gemm_onednn_stub.cpp.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>

#include "kernels/tensor.h"

namespace bifrons::cpu {

// c [m, n] = a [m, k] b [k, n], sums in f32, rounded once. Pitches are in elements.
struct GemmShape {
  int64_t m = 0;
  int64_t k = 0;
  int64_t n = 0;
  int64_t a_pitch = 0;
  int64_t b_pitch = 0;
  bool b_transposed = false;  // b is stored as [n, k]
  DType c = DType::kF32;      // f32 or bf16
  int64_t c_pitch = 0;
  auto operator<=>(const GemmShape&) const = default;
};

// Runs GEMMs and caches the plan of every shape.
class OnednnGemm {
 public:
  OnednnGemm();
  ~OnednnGemm();
  OnednnGemm(const OnednnGemm&) = delete;
  OnednnGemm& operator=(const OnednnGemm&) = delete;

  // Whether this build and this machine support it. If not, run() must not be called.
  static bool available();

  // Computes on the calling thread. Several threads may call it at once.
  void run(const GemmShape& shape, const void* a, const void* b, void* c);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons::cpu
