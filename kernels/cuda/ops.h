// The CUDA implementation of every op as a free function. Backend has checked the shapes. The
// contracts of rounding and rows are in kernels/backend.h.
#pragma once

#include <cuda_runtime.h>

#include "kernels/backend.h"
#include "kernels/cuda/memory.h"

namespace bifrons::cuda {

// Shared memory that a block may have on every GPU from compute capability 8.0 on.
constexpr int64_t kLeastShared = 99 << 10;

// A CUDA stream, and the workspace of its kernels.
struct Stream {
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (handle) cudaStreamDestroy(handle);
  }

  cudaStream_t handle = nullptr;
  bool pdl = false;                     // whether launch_pdl() uses PDL
  int64_t shared_bytes = kLeastShared;  // shared memory that a block may have
  Workspace workspace;
};

// Whether every row begins at a multiple of 16 bytes.
inline bool in_vectors(const Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.pitch * size_of(x.dtype) % 16 == 0;
}

// Architecture of the code that runs on the current GPU, 80 or 90; the GPU itself may be newer.
// Below 90 grid_dependency_wait() does nothing. Throws Error (unavailable) if there is no code.
// Defined in linear.cu.
int code_generation();

// rows.cu
void gather(Stream& s, const Tensor& y, const Table& table, const Tensor& ids);
void rms_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps);
void layer_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps);
void swiglu(Stream& s, const Tensor& y, const Tensor& gate_up);
void gelu(Stream& s, const Tensor& y, const Tensor& x);
void force_ids(Stream& s, const Tensor& ids, const Tensor& forced, const Tensor& step);
void record_ids(Stream& s, const Tensor& ring, const Tensor& ids, const Tensor& step);
void advance(Stream& s, const Tensor& counters);
void guide(Stream& s, const Tensor& guided, const Tensor& logits, const Tensor& scale);
void finish_step(Stream& s, const Tensor& ids, const Tensor& forced, const Tensor& ring,
                 const Tensor& step, const Tensor& position);

// rope.cu, attention.cu, full_attention.cu
void rope_append(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& qkv,
                 const RopeTable& rope, const TokenRows& rows);
void attention(Stream& s, const Tensor& y, const Tensor& q, const KvCache& cache,
               const TokenRows& rows);
void full_attention(Stream& s, const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                    int64_t heads);

// sample.cu
void sample(Stream& s, const Tensor& ids, const Tensor& guided, const SampleControls& controls);
void guide_sample(Stream& s, const Tensor& ids, const Tensor& guided, const Tensor& logits,
                  const Tensor& scale, const SampleControls& controls);

// drafts.cu
void accept_drafts(Stream& s, const DraftWindows& windows, const Tensor& ids);

// fused.cu: return whether there was a kernel for these shapes.
bool norm_linear_rope(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& x,
                      const Norm& norm, double eps, const Linear& weight, const RopeTable& rope,
                      const TokenRows& rows);
bool norm_linear_swiglu(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                        const Linear& weight);
bool norm_linear_gelu(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                      const Linear& weight);
// The same without the norm, for any number of rows.
bool linear_rope(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& x,
                 const Linear& weight, const RopeTable& rope, const TokenRows& rows);
bool linear_swiglu(Stream& s, const Tensor& y, const Tensor& x, const Linear& weight);

// pixels.cu, group_norm.cu
void upsample2x(Stream& s, const Tensor& y, const Tensor& x);
void to_pixels(Stream& s, const Tensor& pixels, const Tensor& x, const Tensor& not_finite);
void group_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                double eps, bool silu);

// linear.cu, convolution.cu: weights are in the layout of weight_order.h.
void linear(Stream& s, const Tensor& y, const Tensor& x, const Linear& weight, bool add);
void convolution(Stream& s, const Tensor& y, const Tensor& x, const Convolution& weight,
                 const Tensor* residual);

}  // namespace bifrons::cuda
