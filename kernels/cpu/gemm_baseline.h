// The ceiling a wide network is compared with: what a library needs for its matrix products alone.
// CMake picks the implementation: gemm_baseline_onednn.cpp or gemm_baseline_stub.cpp.
#pragma once

#include <cstdint>
#include <memory>

namespace bifrons::cpu {

class GemmBaseline {
 public:
  // threads: 0 takes all cores of this process.
  explicit GemmBaseline(int threads = 0);
  ~GemmBaseline();
  GemmBaseline(const GemmBaseline&) = delete;
  GemmBaseline& operator=(const GemmBaseline&) = delete;

  // Whether this build and this processor can.
  static bool available();

  // A product of a layer, x [m, k] W^T with W [n, k], bf16 in and out; the weights get memory of
  // their own in the layout the library likes best.
  void add_linear(int64_t m, int64_t k, int64_t n);
  // `batch` products a [m, k] b [k, n] of activations, as attention has them.
  void add_batch(int64_t batch, int64_t m, int64_t k, int64_t n);

  // Runs all of them, one after another, each on all threads; seconds.
  double measure();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons::cpu
