// Top-k and top-p by radix select: one block searches all codes. Sums are of integers, so the order
// in which threads add does not matter.
#pragma once

#include "kernels/cuda/numbers.h"

namespace bifrons::cuda {

constexpr int kSampleThreads = 512;
constexpr int kDigit = 256;  // values of a digit; each pass over the codes finds one digit

// An integer with the same order as the logit; +0 and -0 are equal.
__device__ inline uint32_t rank_of(float logit) {
  const uint32_t bits = std::bit_cast<uint32_t>(logit == 0.0f ? 0.0f : logit);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Codes that may be sampled: those above a rank, and of those at the rank the ones up to code
// `last`.
struct Allowed {
  uint32_t rank = 0;
  int last = INT32_MAX;

  __device__ bool holds(uint32_t other, int code) const {
    return other > rank || (other == rank && code <= last);
  }
};

// Calls visit(code, values[code]) for this thread's share of n codes; several loads are in flight
// at once.
template <typename Visit>
__device__ void for_codes(const float* values, int n, const Visit& visit) {
  constexpr int kTogether = 8;
  for (int first = threadIdx.x; first < n; first += kTogether * kSampleThreads) {
    float value[kTogether];
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int code = first + i * kSampleThreads;
      value[i] = values[code < n ? code : first];
    }
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int code = first + i * kSampleThreads;
      if (code < n) visit(code, value[i]);
    }
  }
}

// Block reduction: combines the values of all threads; every thread gets the result. It does not
// use atomics: in shared memory 64-bit operations are loops of compare-and-swap, in which threads
// take turns.
template <typename Combine>
__device__ inline uint64_t over_block(uint64_t mine, const Combine& combine) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    mine = combine(mine, __shfl_xor_sync(kAllLanes, mine, offset));
  }
  __shared__ uint64_t of_warps[kSampleThreads / kWarp];
  if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = mine;
  __syncthreads();
  uint64_t result = of_warps[0];
  for (int i = 1; i < kSampleThreads / kWarp; ++i) result = combine(result, of_warps[i]);
  __syncthreads();
  return result;
}
__device__ inline uint64_t sum_of_block(uint64_t mine) {
  return over_block(mine, [](uint64_t a, uint64_t b) { return a + b; });
}
__device__ inline uint64_t max_of_block(uint64_t mine) {
  return over_block(mine, [](uint64_t a, uint64_t b) { return a < b ? b : a; });
}

// How many flags of the block are set up to this thread's, and in all. Every thread calls it.
struct Counted {
  int upto, all;
};
__device__ inline Counted count_flags(bool flag) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  int upto = flag ? 1 : 0;
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const int other = __shfl_sync(kAllLanes, upto, lane >= offset ? lane - offset : lane);
    if (lane >= offset) upto += other;
  }
  __shared__ int of_warps[kSampleThreads / kWarp];
  if (lane == kWarp - 1) of_warps[warp] = upto;
  __syncthreads();
  int all = 0;
  for (int i = 0; i < kSampleThreads / kWarp; ++i) {
    if (i < warp) upto += of_warps[i];
    all += of_warps[i];
  }
  __syncthreads();
  return {upto, all};
}

// 64-bit sums by 32-bit atomic additions. Shared memory has no 64-bit atomic addition, and a loop
// of compare-and-swap would serialise where thousands of codes have the same digit.
struct WideSums {
  uint32_t* low;
  uint32_t* high;

  __device__ void clear(int i) const { low[i] = high[i] = 0; }
  __device__ void add(int i, uint64_t value) const {
    const uint32_t part = static_cast<uint32_t>(value), before = atomicAdd(&low[i], part);
    const uint32_t rest = static_cast<uint32_t>(value >> 32) + (before + part < part);
    if (rest != 0) atomicAdd(&high[i], rest);
  }
  __device__ uint64_t at(int i) const { return uint64_t{high[i]} << 32 | low[i]; }
};

// A digit of the rank, and the total weight of all codes above it.
struct Found {
  int digit;
  uint64_t above;
};

// Finds the digit at which the sum of `above` and of all digits from the highest one down reaches
// `target` (it must be reached), and the sum before that digit. Each lane of the calling warp
// examines kDigit / kWarp digits.
__device__ inline Found find_digit(const WideSums& sums, uint64_t above, uint64_t target) {
  constexpr int kMine = kDigit / kWarp;
  const int lane = threadIdx.x % kWarp, highest = kDigit - 1 - lane * kMine;
  uint64_t own = 0;
  for (int i = 0; i < kMine; ++i) own += sums.at(highest - i);
  uint64_t upto = own;  // prefix sum: this lane and those before it
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const uint64_t other = __shfl_sync(kAllLanes, upto, lane >= offset ? lane - offset : lane);
    if (lane >= offset) upto += other;
  }
  uint64_t sum = above + upto - own;
  int digit = highest;
  for (; digit > highest - kMine + 1 && sum + sums.at(digit) < target; --digit) {
    sum += sums.at(digit);
  }
  int first = above + upto >= target ? lane : kWarp - 1;  // first lane that reaches it
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const int other = __shfl_xor_sync(kAllLanes, first, offset);
    first = other < first ? other : first;
  }
  return {__shfl_sync(kAllLanes, digit, first), __shfl_sync(kAllLanes, sum, first)};
}

// Narrows `kept` to the fewest codes, ordered by rank and then by code, whose weights sum to
// `target` or more. weight(code) is exact. The whole block calls this.
template <typename Weight>
__device__ Allowed narrowed(const Allowed& kept, const float* logits, int n, uint64_t target,
                            const Weight& weight) {
  __shared__ uint32_t low[kDigit], high[kDigit];
  const WideSums sums{low, high};
  __shared__ uint32_t prefix_found;
  __shared__ uint64_t above_found, at_rank_found;
  uint32_t prefix = 0;   // digits of the rank found so far
  uint64_t above = 0;    // weight of all codes above that prefix
  uint64_t at_rank = 0;  // weight of all codes with that prefix
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < kDigit; i += blockDim.x) sums.clear(i);
    __syncthreads();
    for_codes(logits, n, [&](int code, float logit) {
      const uint32_t rank = rank_of(logit);
      const bool known = shift == 24 || rank >> (shift + 8) == prefix >> (shift + 8);
      if (known && kept.holds(rank, code)) {
        sums.add(static_cast<int>(rank >> shift & 0xff), weight(code));
      }
    });
    __syncthreads();
    if (threadIdx.x < kWarp) {
      const Found found = find_digit(sums, above, target);
      if (threadIdx.x == 0) {
        prefix_found = prefix | static_cast<uint32_t>(found.digit) << shift;
        above_found = found.above;
        at_rank_found = sums.at(found.digit);
      }
    }
    __syncthreads();
    prefix = prefix_found;
    above = above_found;
    at_rank = at_rank_found;
  }
  // The codes at this rank all have the same weight. As many as are still missing are kept, lowest
  // code first.
  const auto counts = [&](int code, float logit) {
    return rank_of(logit) == prefix && kept.holds(prefix, code);
  };
  uint64_t mine = 0;
  for_codes(logits, n, [&](int code, float logit) {
    if (counts(code, logit)) mine = weight(code);
  });
  const uint64_t each = max_of_block(mine);
  int64_t missing = static_cast<int64_t>((target - above + each - 1) / each);
  if (missing * each >= at_rank) {  // in most cases that is all of them
    return {prefix, kept.rank == prefix ? kept.last : INT32_MAX};
  }
  __shared__ int last_found;
  for (int first = 0; first < n; first += kSampleThreads) {
    const int code = first + static_cast<int>(threadIdx.x);
    const bool flag = code < n && counts(code, logits[code]);
    const Counted found = count_flags(flag);
    if (found.all >= missing) {
      if (flag && found.upto == missing) last_found = code;
      __syncthreads();
      return {prefix, last_found};
    }
    missing -= found.all;
  }
  return {prefix, INT32_MAX};
}

}  // namespace bifrons::cuda
