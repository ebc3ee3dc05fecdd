// What a warp of attention reads of the cache: its keys, or its values, all on their way together.
#pragma once

#include <bit>
#include <type_traits>

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/pages.h"
#include "kernels/device_memory.h"

namespace bifrons::cuda {

// Positions are cut at multiples of this: the order of every sum depends on the row's own position
// only, not on its neighbours and not on how many blocks run.
constexpr int kChunk = kAttentionChunk;
constexpr int kWarps = 4;
constexpr int kKeys = kChunk / kWarps;  // of a warp: one a lane
constexpr int kPages = kKeys / kPageTokens;
static_assert(kKeys % kPageTokens == 0);

// Where the keys of a warp lie, or their values: the first of each page.
template <typename T>
struct WarpPages {
  const T* first[kPages];

  // Has `keys` of them brought near, a line a lane.
  __device__ void fetch(int keys, int64_t size) const {
    constexpr int kLine = 128;
#pragma unroll
    for (int i = 0; i < kPages; ++i) {
      const int here = keys - i * kPageTokens;
      const int bytes =
          (here < kPageTokens ? here : kPageTokens) * static_cast<int>(size * sizeof(T));
      const auto* from = reinterpret_cast<const std::byte*>(first[i]);
#pragma unroll 1
      for (int at = threadIdx.x % kWarp * kLine; at < bytes; at += kWarp * kLine) {
        prefetch(from + at);
      }
    }
  }
};

// kCount neighbouring elements, kept as words of 32 bits: the compiler takes members of 16 bits
// apart right after the load, and so waits for it.
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
template <>
struct Vector<Bf16, 1> {
  Bf16 raw;

  __device__ float at(int) const { return to_float(raw); }
};

// kCount neighbouring elements of each of a warp's keys, or of its values.
template <typename T, int kCount>
struct Gathered {
  Vector<T, kCount> of[kKeys];

  // From `column` on, of `keys` rows, at least one; the last is read again for missing ones. All
  // loads are under way before any is used. Without a barrier the compiler puts each right before
  // its use, and a block waits for memory ten times instead of once.
  __device__ void load(const WarpPages<T>& pages, int column, int keys, int64_t size) {
    const T* from = pages.first[0] + column;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      if (j > 0 && j % kPageTokens == 0 && j < keys) from = pages.first[j / kPageTokens] + column;
      of[j] = *reinterpret_cast<const Vector<T, kCount>*>(from);
      if (j + 1 < keys) from += size;
    }
    __syncwarp();
  }
  __device__ float at(int key, int i) const { return of[key].at(i); }
};

}  // namespace bifrons::cuda
