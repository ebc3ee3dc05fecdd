// Ops with little work per row: element-wise ops, norms, forced and recorded ids, guidance.
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/row_norm.h"

namespace bifrons::cuda {

constexpr int kThreads = 256;

// One thread per element. gridDim.x is the row, so that no division is needed.
inline Grid over_elements(int64_t rows, int64_t cols) {
  return {dim3(static_cast<unsigned>(rows), static_cast<unsigned>(ceil_div(cols, kThreads))),
          dim3(kThreads)};
}

// The kernels of a step read what the one before wrote: they wait for it first, and the next may
// begin meanwhile (PDL).
__device__ inline void begin_early() {
  trigger_dependents();
  grid_dependency_wait();
}

__device__ inline int64_t my_row() { return blockIdx.x; }
__device__ inline int64_t my_column() { return int64_t{blockIdx.y} * kThreads + threadIdx.x; }

template <typename To, typename From>
__global__ void gather_kernel(To* y, int64_t pitch, const From* table, const int32_t* ids,
                              int64_t rows, int64_t cols) {
  begin_early();
  const int64_t c = my_column();
  if (c >= cols) return;
  const int64_t id = ids[my_row()] < 0 ? 0 : ids[my_row()];
  // A kernel cannot throw. sample() reports the NaN when it arrives there.
  const float x = id < rows ? to_float(table[id * cols + c]) : nanf("");
  y[my_row() * pitch + c] = round_to<To>(x);
}

void gather(Stream& s, const Tensor& y, const Table& table, const Tensor& ids) {
  if (y.count() == 0) return;
  visit_activation(y.dtype, [&](auto to) {
    visit_stored(table.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      launch_pdl(s.handle, s.pdl, gather_kernel<To, From>, over_elements(y.rows(), y.cols()),
                 y.as<To>(), y.pitch, static_cast<const From*>(table.storage.data()),
                 ids.as<int32_t>(), table.rows, table.cols);
    });
  });
}

// One block per row.
template <typename T>
__global__ void __launch_bounds__(kPartials* kWarp)
    rms_norm_kernel(T* y, int64_t y_pitch, const T* x, int64_t x_pitch, int64_t cols,
                    const float* weight, float eps) {
  begin_early();
  __shared__ float partials[kPartials];
  const T* row = x + blockIdx.x * x_pitch;
  sum_partials(partials, row, cols);
  __syncthreads();
  const float scale = row_scale(partials, cols, eps);
  for (int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    y[blockIdx.x * y_pitch + i] = normalised(row[i], scale, weight[i]);
  }
}

// The same for rows of whole vectors of eight.
__global__ void __launch_bounds__(kPartials* kWarp)
    rms_norm_vectors_kernel(Bf16* y, int64_t y_pitch, const Bf16* x, int64_t x_pitch, int64_t cols,
                            const float* weight, float eps) {
  begin_early();
  __shared__ float partials[1][kPartials];
  const Bf16* row = x + blockIdx.x * x_pitch;
  sum_partials<1>(partials, row, x_pitch, 1, cols);
  __syncthreads();
  const float scale = row_scale(partials[0], cols, eps);
  for (int64_t i = 8 * threadIdx.x; i < cols; i += 8 * blockDim.x) {
    *reinterpret_cast<uint4*>(y + blockIdx.x * y_pitch + i) =
        normed_eight(row + i, weight + i, scale);
  }
}

void rms_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  if (y.count() == 0) return;
  const Grid grid{dim3(static_cast<unsigned>(x.rows())), dim3(kPartials * kWarp)};
  const auto* weight = static_cast<const float*>(norm.weight.data());
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    const auto run = [&](auto kernel) {
      launch_pdl(s.handle, s.pdl, kernel, grid, y.as<T>(), y.pitch, x.as<T>(), x.pitch, x.cols(),
                 weight, static_cast<float>(eps));
    };
    if constexpr (std::is_same_v<T, Bf16>) {
      if (in_vectors(x) && in_vectors(y) && x.cols() % 8 == 0) return run(rms_norm_vectors_kernel);
    }
    run(rms_norm_kernel<T>);
  });
}

// One block per row: first the mean, then the squared deviations, with kPartials partial sums as in
// rms_norm.
template <typename T>
__global__ void __launch_bounds__(kPartials* kWarp)
    layer_norm_kernel(T* y, int64_t y_pitch, const T* x, int64_t x_pitch, int64_t cols,
                      const float* weight, const float* bias, float eps) {
  __shared__ float partials[kPartials];
  const T* row = x + blockIdx.x * x_pitch;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const auto mean_of = [&](auto value) {
    float sum = 0.0f;
    for (int64_t i = threadIdx.x; i < cols; i += blockDim.x) sum += value(to_float(row[i]));
    sum = warp_sum(sum);
    __syncthreads();  // all threads have read the previous partial sums
    if (lane == 0) partials[warp] = sum;
    __syncthreads();
    float total = 0.0f;
    for (int s = 0; s < kPartials; ++s) total += partials[s];
    return total / static_cast<float>(cols);
  };
  const float mean = mean_of([](float v) { return v; });
  const float variance = mean_of([mean](float v) { return (v - mean) * (v - mean); });
  const float scale = 1.0f / sqrtf(variance + eps);
  for (int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    y[blockIdx.x * y_pitch + i] =
        round_to<T>((to_float(row[i]) - mean) * scale * weight[i] + bias[i]);
  }
}

void layer_norm(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  if (y.count() == 0) return;
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    launch(s.handle, layer_norm_kernel<T>,
           {dim3(static_cast<unsigned>(x.rows())), dim3(kPartials * kWarp)}, y.as<T>(), y.pitch,
           x.as<T>(), x.pitch, x.cols(), static_cast<const float*>(norm.weight.data()),
           static_cast<const float*>(norm.bias.data()), static_cast<float>(eps));
  });
}

template <typename T>
__global__ void swiglu_kernel(T* y, int64_t y_pitch, const T* gate_up, int64_t pitch,
                              int64_t half) {
  begin_early();
  const int64_t i = my_column();
  if (i >= half) return;
  const T* row = gate_up + my_row() * pitch;
  y[my_row() * y_pitch + i] =
      round_to<T>(rounded<T>(silu(to_float(row[i]))) * to_float(row[half + i]));
}

void swiglu(Stream& s, const Tensor& y, const Tensor& gate_up) {
  if (y.count() == 0) return;
  visit_activation(y.dtype, [&](auto element) {
    using T = decltype(element);
    launch_pdl(s.handle, s.pdl, swiglu_kernel<T>, over_elements(y.rows(), y.cols()), y.as<T>(),
               y.pitch, static_cast<const T*>(gate_up.data), gate_up.pitch, y.cols());
  });
}

template <typename T>
__global__ void gelu_kernel(T* y, int64_t y_pitch, const T* x, int64_t x_pitch, int64_t cols) {
  begin_early();
  const int64_t i = my_column();
  if (i >= cols) return;
  y[my_row() * y_pitch + i] = round_to<T>(gelu(to_float(x[my_row() * x_pitch + i])));
}

void gelu(Stream& s, const Tensor& y, const Tensor& x) {
  if (y.count() == 0) return;
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    launch_pdl(s.handle, s.pdl, gelu_kernel<T>, over_elements(y.rows(), y.cols()), y.as<T>(),
               y.pitch, static_cast<const T*>(x.data), x.pitch, x.cols());
  });
}

__global__ void force_ids_kernel(int32_t* ids, const int32_t* forced, int64_t pitch, int64_t cols,
                                 const int32_t* step, int64_t pictures, int64_t rows) {
  begin_early();
  const int64_t p = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (p >= pictures || step[p] < 0 || step[p] >= cols) return;
  const int32_t code = forced[p * pitch + step[p]];
  for (int64_t r = 0; code >= 0 && r < rows; ++r) ids[rows * p + r] = code;
}

void force_ids(Stream& s, const Tensor& ids, const Tensor& forced, const Tensor& step) {
  const int64_t pictures = step.count();
  if (pictures == 0) return;
  launch_pdl(s.handle, s.pdl, force_ids_kernel,
             {dim3(static_cast<unsigned>(ceil_div(pictures, kThreads))), dim3(kThreads)},
             ids.as<int32_t>(), forced.as<int32_t>(), forced.pitch, forced.cols(),
             step.as<int32_t>(), pictures, ids.count() / pictures);
}

__global__ void record_ids_kernel(int32_t* ring, int64_t pitch, int64_t cols, const int32_t* ids,
                                  const int32_t* step, int64_t pictures, int64_t rows) {
  begin_early();
  const int64_t p = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (p < pictures) ring[p * pitch + step[p] % cols] = ids[rows * p];
}

void record_ids(Stream& s, const Tensor& ring, const Tensor& ids, const Tensor& step) {
  const int64_t pictures = step.count();
  if (pictures == 0) return;
  launch_pdl(s.handle, s.pdl, record_ids_kernel,
             {dim3(static_cast<unsigned>(ceil_div(pictures, kThreads))), dim3(kThreads)},
             ring.as<int32_t>(), ring.pitch, ring.cols(), ids.as<int32_t>(), step.as<int32_t>(),
             pictures, ids.count() / pictures);
}

__global__ void advance_kernel(int32_t* counters, int64_t pitch, int64_t cols) {
  begin_early();
  if (my_column() < cols) ++counters[my_row() * pitch + my_column()];
}

void advance(Stream& s, const Tensor& counters) {
  if (counters.count() == 0) return;
  launch_pdl(s.handle, s.pdl, advance_kernel, over_elements(counters.rows(), counters.cols()),
             counters.as<int32_t>(), counters.pitch, counters.cols());
}

// One thread per picture does force_ids, record_ids and two times advance.
__global__ void finish_step_kernel(int32_t* ids, const int32_t* forced, int64_t forced_pitch,
                                   int64_t tokens, int32_t* ring, int64_t ring_pitch,
                                   int64_t ring_cols, int32_t* steps, int32_t* positions,
                                   int64_t pictures, int64_t rows) {
  begin_early();
  const int64_t p = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (p >= pictures) return;
  const int32_t step = steps[p];
  int32_t id = ids[rows * p];
  const int32_t code = step < tokens ? forced[p * forced_pitch + step] : -1;
  if (code >= 0) id = code;
  ring[p * ring_pitch + step % ring_cols] = id;
  for (int64_t row = rows * p; row < rows * (p + 1); ++row) {
    if (code >= 0) ids[row] = code;
    ++positions[row];
  }
  steps[p] = step + 1;
}

void finish_step(Stream& s, const Tensor& ids, const Tensor& forced, const Tensor& ring,
                 const Tensor& step, const Tensor& position) {
  const int64_t pictures = step.count();
  if (pictures == 0) return;
  launch_pdl(s.handle, s.pdl, finish_step_kernel,
             {dim3(static_cast<unsigned>(ceil_div(pictures, kThreads))), dim3(kThreads)},
             ids.as<int32_t>(), forced.as<int32_t>(), forced.pitch, forced.cols(),
             ring.as<int32_t>(), ring.pitch, ring.cols(), step.as<int32_t>(),
             position.as<int32_t>(), pictures, ids.count() / pictures);
}

__global__ void guide_kernel(float* guided, int64_t guided_pitch, const float* logits,
                             int64_t pitch, const float* scale, int64_t cols, int64_t rows) {
  const int64_t p = my_row(), i = my_column(), last = rows - 1;
  if (i >= cols) return;
  const float* const own = logits + rows * p * pitch + i;
  const float unconditional = own[last * pitch];
  float sum = unconditional;
  for (int64_t r = 0; r < last; ++r) {
    sum = sum + scale[last * p + r] * (own[r * pitch] - unconditional);
  }
  guided[p * guided_pitch + i] = sum;
}

void guide(Stream& s, const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  if (guided.count() == 0) return;
  launch(s.handle, guide_kernel, over_elements(guided.rows(), guided.cols()), guided.as<float>(),
         guided.pitch, static_cast<const float*>(logits.data), logits.pitch,
         static_cast<const float*>(scale.data), guided.cols(), logits.rows() / guided.rows());
}

}  // namespace bifrons::cuda
