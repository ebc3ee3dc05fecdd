// SIMT GEMM in f32 for element types that the tensor cores do not support: one thread per result, K
// from first to last.
#pragma once

#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/launch.h"

namespace bifrons::cuda {

// Weights in either layout of weight_order.h.
template <typename T>
struct SimtWeights {
  const T* data;
  int64_t out;
  int64_t steps;

  __device__ float at(int64_t m, int64_t k) const {
    if constexpr (std::is_same_v<T, Bf16>) {
      return to_float(data[tiled_index(m, k, steps)]);
    } else {
      return to_float(data[k * out + m]);
    }
  }
};

template <typename T>
struct SimtRows {
  const T* data;
  int64_t pitch;

  __device__ float at(int64_t n, int64_t k) const { return to_float(data[n * pitch + k]); }
};

// The transpose of rows: element k of "row" n is [k][n].
template <typename T>
struct SimtColumns {
  const T* data;
  int64_t pitch;

  __device__ float at(int64_t n, int64_t k) const { return to_float(data[k * pitch + n]); }
};

// See PatchOperand.
template <typename T>
struct SimtPatches {
  const T* data;
  int64_t height, width, channels;
  int64_t out_width;
  int64_t kernel, stride, before;

  __device__ float at(int64_t n, int64_t k) const {
    const int64_t tap = k / channels;
    const int64_t y = n / out_width * stride + tap / kernel - before;
    const int64_t x = n % out_width * stride + tap % kernel - before;
    if (y < 0 || y >= height || x < 0 || x >= width) return 0.0f;
    return to_float(data[(y * width + x) * channels + k % channels]);
  }
};

constexpr int kSimtThreads = 128;

template <typename A, typename B, typename T>
__global__ void simt_gemm_kernel(A a, B b, Epilogue<T> epilogue, int64_t k_count) {
  const int64_t m = int64_t{blockIdx.y} * kSimtThreads + threadIdx.x, n = blockIdx.x;
  if (m >= epilogue.m) return;
  float sum = 0.0f;
  for (int64_t k = 0; k < k_count; ++k) sum = fmaf(a.at(m, k), b.at(n, k), sum);
  epilogue(m, n, sum);
}

template <typename A, typename B, typename T>
void simt_gemm(cudaStream_t stream, const A& a, const B& b, const Epilogue<T>& epilogue,
               int64_t k) {
  const Grid grid{dim3(static_cast<unsigned>(epilogue.n),
                       static_cast<unsigned>(ceil_div(epilogue.m, kSimtThreads))),
                  dim3(kSimtThreads)};
  launch(stream, simt_gemm_kernel<A, B, T>, grid, a, b, epilogue, k);
}

}  // namespace bifrons::cuda
