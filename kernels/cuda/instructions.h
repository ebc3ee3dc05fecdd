// The few machine instructions that have no C++ equivalent, one function each (cp.async,
// mma.m16n8k16, griddepcontrol, lop3). Tests replace this file by one that computes the same on the
// host.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace bifrons::cuda {

// The block's dynamic shared memory, 16-byte aligned.
template <typename T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

// Loads 16 bytes that are read once, without allocating in L1.
__device__ inline uint4 load_streaming(const uint4* from) {
  uint4 r;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
               : "l"(from));
  return r;
}

// Prefetches the cache line at `from` into L2.
__device__ inline void prefetch(const void* from) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
}

// cp.async of 16 bytes into shared memory. If `there` is false, it writes zeros and reads nothing,
// but `from` must still be a valid address.
__device__ inline void cp_async_16(uint4* to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(there ? 16 : 0)
               : "memory");
}
// cp.async.commit_group: later copies of this thread belong to the next group.
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// cp.async.wait_group: returns when at most kPending of this thread's committed groups are still
// pending. Other threads see the copied data after a barrier.
template <int kPending>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Rounds both to bf16, to nearest even; `low` goes to the lower half. NaN stays NaN, but its bits
// may change.
__device__ inline uint32_t round_pair(float low, float high) {
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

// (a & b) | c. Of two constants the compiler makes two instructions.
__device__ inline uint32_t and_or(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t r;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  return r;
}

// a - b of pairs of bf16, each rounded to nearest even. As a multiply-add, because compute
// capability 8 has no other instruction for it.
__device__ inline uint32_t subtract_pairs(uint32_t a, uint32_t b) {
  uint32_t r;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(b), "r"(0xbf80bf80u), "r"(a));
  return r;
}

// For kernels launched with launch_pdl(): returns when all earlier kernels have ended and their
// results are visible.
__device__ inline void grid_dependency_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// PDL trigger: the next kernel may begin when every block has called this and there is room for it.
__device__ inline void trigger_dependents() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// c [16, 8] += a [16, 16] b [16, 8] in f32, of bf16 pairs (PTX mma.m16n8k16). With g = lane / 4 and
// t = lane % 4: a = (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8), each with its right
// neighbour; b = (2t, g), (2t + 8, g), each with the one below; c = (g, 2t), (g, 2t + 1), (g + 8,
// 2t), (g + 8, 2t + 1).
__device__ inline void mma_m16n8k16(float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

}  // namespace bifrons::cuda
