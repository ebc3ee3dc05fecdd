// Loads a warp's 32 keys (or values) from the paged KV cache into registers; all loads are issued
// before the first use.
#pragma once

#include <bit>
#include <type_traits>

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/pages.h"
#include "kernels/device_memory.h"

namespace bifrons::cuda {

// Positions are cut at multiples of this. So the order of every sum depends only on the row's own
// position, not on its neighbours or on the number of blocks.
constexpr int kChunk = kAttentionChunk;
constexpr int kWarps = 4;
constexpr int kKeys = kChunk / kWarps;  // keys of a warp: one per lane
constexpr int kPages = kKeys / kPageTokens;
static_assert(kKeys % kPageTokens == 0);

// Addresses of a warp's keys (or values): the first one of each page.
template <typename T>
struct WarpPages {
  const T* first[kPages];
  static constexpr bool kScaled = std::is_same_v<T, Int8>;

  // The scale of this lane's key.
  __device__ float scale() const {
    if constexpr (kScaled) {
      // Loads from every page: a choice between elements of `first` would put the array into local
      // memory, and the difference of two of them hides that they point to global memory.
      const int lane = threadIdx.x % kWarp;
      float mine = 0;
#pragma unroll
      for (int i = 0; i < kPages; ++i) {
        const float scale = scales_before(first[i])[lane % kPageTokens];
        if (lane / kPageTokens == i) mine = scale;
      }
      return mine;
    } else {
      return 1.0f;
    }
  }
  // Prefetches `keys` of them into L2, one cache line per lane and round.
  __device__ void fetch(int keys, int size) const {
    constexpr int kLine = 128;
    constexpr int kHeader = kScaled ? static_cast<int>(kPageTokens * kScaleBytes) : 0;
#pragma unroll
    for (int i = 0; i < kPages; ++i) {
      const int here = keys - i * kPageTokens;
      const int bytes =
          (here < kPageTokens ? here : kPageTokens) * size * static_cast<int>(sizeof(T)) + kHeader;
      const auto* from = reinterpret_cast<const std::byte*>(first[i]) - kHeader;
#pragma unroll 1
      for (int at = threadIdx.x % kWarp * kLine; at < bytes; at += kWarp * kLine) {
        prefetch(from + at);
      }
    }
  }
};

// kCount neighbouring elements as 32-bit words. With 16-bit members the compiler would unpack them
// right after the load, and so wait for it.
template <typename T, int kCount>
struct Vector {
  static_assert(std::is_same_v<T, float> || kCount % 2 == 0);
  static constexpr int kWords = kCount * static_cast<int>(sizeof(T)) / 4;
  struct alignas(4 * kWords) {
    uint32_t word[kWords];
  } raw;

  __device__ float at(int i) const {
    if constexpr (std::is_same_v<T, float>) {
      return std::bit_cast<float>(raw.word[i]);
    } else {
      return i % 2 == 0 ? lower_of(raw.word[i / 2]) : upper_of(raw.word[i / 2]);
    }
  }
};
// Codes: with the sign bit flipped they are 0 to 255, and as the lowest byte of the float 2^23 they
// add so much to it. That takes no conversion, of which a GPU does few at a time.
template <int kCount>
struct Vector<Int8, kCount> {
  static_assert(kCount % 4 == 0);
  static constexpr int kWords = kCount / 4;
  struct alignas(4 * kWords) {
    uint32_t word[kWords];
  } raw;

  __device__ float at(int i) const {
    constexpr uint32_t kTwoTo23 = 0x4b000000u;
    const uint32_t positive = (raw.word[i / 4] ^ 0x80808080u) >> (8 * (i % 4)) & 0xffu;
    return std::bit_cast<float>(kTwoTo23 | positive) - (0x1p23f + 128.0f);
  }
};
template <>
struct Vector<Int8, 1> {
  Int8 raw;

  __device__ float at(int) const { return static_cast<float>(raw.code); }
};
template <>
struct Vector<Bf16, 1> {
  Bf16 raw;

  __device__ float at(int) const { return to_float(raw); }
};

// kCount neighbouring elements of each of a warp's keys (or values).
template <typename T, int kCount>
struct Gathered {
  Vector<T, kCount> of[kKeys];

  // Loads elements from `column` on of all rows of the pages, also of keys that a row does not
  // have: so there is no choice between addresses, and with a size that is known when this is
  // compiled they are constants from the first one of a page. All loads are issued before the first
  // use. The
  // __syncwarp() enforces that: without it the compiler puts each load right before its use, and a
  // block waits for memory ten times instead of once.
  __device__ void load(const WarpPages<T>& pages, int column, int size) {
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      const T* from = pages.first[j / kPageTokens] + column;
      of[j] = *reinterpret_cast<const Vector<T, kCount>*>(from + j % kPageTokens * size);
    }
    __syncwarp();
  }
  __device__ float at(int key, int i) const { return of[key].at(i); }
};

}  // namespace bifrons::cuda
