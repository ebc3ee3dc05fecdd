// Compiles a plain loop for several instruction sets and picks one at run time.
#pragma once

namespace bifrons::cpu {

// Only x86 compilers have these attributes; elsewhere the body is called directly.
#if defined(__x86_64__)
// Both compilers would take vectors of 32 bytes by themselves, and name the wish differently.
template <typename Body>
#if defined(__clang__)
[[gnu::flatten, gnu::target("avx512f,avx512bw,avx512dq,avx512vl"), clang::min_vector_width(512)]]
#else
[[gnu::flatten, gnu::target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")]]
#endif
void vectorised_avx512(const Body& body) {
  body();
}

template <typename Body>
[[gnu::flatten, gnu::target("avx2")]] void vectorised_avx2(const Body& body) {
  body();
}

// Whether vectorised() uses AVX-512 (32 registers of 64 bytes) rather than 16 of 32 bytes or fewer.
inline bool has_wide_vectors() {
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

// Runs a body of simple loops with the widest vectors of this machine. The body must be a lambda
// marked always_inline; functions it calls are inlined too (flatten). Multiply-adds are not fused,
// so every width computes the same bits.
template <typename Body>
void vectorised(const Body& body) {
  if (has_wide_vectors()) {
    vectorised_avx512(body);
  } else if (__builtin_cpu_supports("avx2")) {
    vectorised_avx2(body);
  } else {
    body();
  }
}
#else
inline bool has_wide_vectors() { return false; }

template <typename Body>
void vectorised(const Body& body) {
  body();
}
#endif

}  // namespace bifrons::cpu
