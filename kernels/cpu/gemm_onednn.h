// OnednnGemm of bf16 matrices by a library, where it has tile instructions for them. CMake picks
// the implementation: gemm_onednn.cpp or gemm_onednn_stub.cpp.
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
  bool b_transposed = false;  // b lies as [n, k]
  DType c = DType::kF32;      // f32 or bf16
  int64_t c_pitch = 0;
  auto operator<=>(const GemmShape&) const = default;
};

// Keeps the plan of every shape it has met.
class OnednnGemm {
 public:
  OnednnGemm();
  ~OnednnGemm();
  OnednnGemm(const OnednnGemm&) = delete;
  OnednnGemm& operator=(const OnednnGemm&) = delete;

  // Whether this build and this machine have them; without, run may not be called.
  static bool available();

  // Computes on the calling thread; several threads may call it at once.
  void run(const GemmShape& shape, const void* a, const void* b, void* c);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons::cpu
