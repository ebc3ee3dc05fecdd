// Lets one plain loop be compiled for several instruction sets.
#pragma once

namespace bifrons::cpu {

// x86 compilers take these attributes; elsewhere the body is called as it is.
#if defined(__x86_64__)
template <typename Body>
[[gnu::flatten, gnu::target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")]] void
vectorised_avx512(const Body& body) {
  body();
}

template <typename Body>
[[gnu::flatten, gnu::target("avx2")]] void vectorised_avx2(const Body& body) {
  body();
}

// Whether vectorised() has 32 registers of 64 bytes, not 16 of 32 or fewer.
inline bool has_wide_vectors() {
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

// Runs a body of simple loops with the widest vectors this machine has. The body must be a lambda
// marked always_inline; what it calls is inlined too (flatten). No multiply-add is fused, so every
// width computes the same bits.
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
