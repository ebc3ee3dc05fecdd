// RoPE, and appending k and v to the paged KV cache.
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/pages.h"

namespace bifrons::cuda {

struct RopeJob {
  Pages pages;
  int64_t heads, size;
  int64_t qkv_pitch, q_pitch, cos_pitch, sin_pitch;
};

// One thread per pair (i, i + size / 2) of one head of q, k or v of one row.
template <typename T>
__global__ void rope_append_kernel(T* q, T* k, T* v, const T* qkv, const float* cos,
                                   const float* sin, const int32_t* sequences,
                                   const int32_t* positions, RopeJob job) {
  trigger_dependents();
  grid_dependency_wait();
  const int64_t m = blockIdx.x, sequence = sequences[m], position = positions[m];
  // An idle row has position -1. A row outside of the cache must not write.
  if (!job.pages.holds(sequence, position)) return;
  const int64_t kv_heads = job.pages.kv_heads;
  const int64_t half = job.size / 2;
  const int64_t pair = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
  if (pair >= (job.heads + 2 * kv_heads) * half) return;
  const int64_t head = pair / half, i = pair % half;
  const T* from = qkv + m * job.qkv_pitch + head * job.size;
  const int64_t kv_head = head < job.heads ? 0 : (head - job.heads) % kv_heads;
  const int64_t row = job.pages.row(sequence, kv_head, position);
  if (row < 0) return;
  if (head >= job.heads + kv_heads) {
    v[row * job.size + i] = from[i];
    v[row * job.size + i + half] = from[i + half];
    return;
  }
  T* to = head < job.heads ? q + m * job.q_pitch + head * job.size : k + row * job.size;
  const float c = cos[position * job.cos_pitch + i], s = sin[position * job.sin_pitch + i];
  const float a = to_float(from[i]), b = to_float(from[i + half]);
  to[i] = round_to<T>(rounded<T>(a * c) - rounded<T>(b * s));
  to[i + half] = round_to<T>(rounded<T>(b * c) + rounded<T>(a * s));
}

void rope_append(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& qkv,
                 const RopeTable& rope, const TokenRows& rows) {
  if (q.rows() == 0) return;
  const int64_t size = cache.head_dim();
  const RopeJob job{.pages = Pages::of(cache),
                    .heads = q.cols() / size,
                    .size = size,
                    .qkv_pitch = qkv.pitch,
                    .q_pitch = q.pitch,
                    .cos_pitch = rope.cos.pitch,
                    .sin_pitch = rope.sin.pitch};
  const int64_t pairs = (job.heads + 2 * cache.kv_heads()) * (size / 2);
  constexpr int kThreads = 128;
  const Grid grid{
      dim3(static_cast<unsigned>(q.rows()), static_cast<unsigned>(ceil_div(pairs, kThreads))),
      dim3(kThreads)};
  visit_activation(q.dtype, [&](auto element) {
    using T = decltype(element);
    launch_pdl(s.handle, s.pdl, rope_append_kernel<T>, grid, q.as<T>(), cache.k.as<T>(),
               cache.v.as<T>(), static_cast<const T*>(qkv.data),
               static_cast<const float*>(rope.cos.data), static_cast<const float*>(rope.sin.data),
               static_cast<const int32_t*>(rows.sequence.data),
               static_cast<const int32_t*>(rows.position.data), job);
  });
}

}  // namespace bifrons::cuda
