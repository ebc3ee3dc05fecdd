// Baseline for wide networks: the time that a library needs for their GEMMs alone. CMake picks the
// implementation: gemm_baseline_onednn.cpp or gemm_baseline_stub.cpp.
#pragma once

#include <cstdint>
#include <memory>

namespace bifrons::cpu {

class GemmBaseline {
 public:
  // threads: 0 takes all cores that this process may use.
  explicit GemmBaseline(int threads = 0);
  ~GemmBaseline();
  GemmBaseline(const GemmBaseline&) = delete;
  GemmBaseline& operator=(const GemmBaseline&) = delete;

  // Whether this build and this processor can run it.
  static bool available();

  // Adds the GEMM of a linear layer, x [m, k] W^T with W [n, k], bf16 in and out. The weights get
  // their own memory in the layout that the library prefers.
  void add_linear(int64_t m, int64_t k, int64_t n);
  // Adds a batched GEMM: `batch` times a [m, k] b [k, n] of activations, as in attention.
  void add_batch(int64_t batch, int64_t m, int64_t k, int64_t n);

  // Runs all GEMMs one after another, each on all threads. Returns seconds.
  double measure();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons::cpu
