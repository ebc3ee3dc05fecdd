// The drawing of image tokens: a block a picture. Sums are of integers, so that the order in which
// threads add them does not count, and the ids are those of every other device.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/sampling.h"

namespace bifrons::cuda {

constexpr int kSampleThreads = 512;
constexpr int kDigit = 256;  // values of the digit that a pass over the codes decides

// A number that orders as the logit does; +0 and -0 are one.
__device__ inline uint32_t rank_of(float logit) {
  const uint32_t bits = std::bit_cast<uint32_t>(logit == 0.0f ? 0.0f : logit);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Codes that may be drawn: those above a rank, and of those at the rank the ones up to a code.
struct Kept {
  uint32_t rank = 0;
  int64_t last = INT64_MAX;

  __device__ bool holds(uint32_t other, int64_t code) const {
    return other > rank || (other == rank && code <= last);
  }
};

// A code and its score; the lower code wins a tie.
struct Best {
  float score;
  int64_t code;

  __device__ void take(const Best& other) {
    if (other.score > score || (other.score == score && other.code < code)) *this = other;
  }
};

// Sums of 64 bits by additions of 32: shared memory has no others, and code that compares and swaps
// takes turns where thousands of codes have one digit.
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

// Narrows `kept` to the fewest codes, by rank and then by code, whose weights sum to `target` or
// more. weight(code) is exact; the whole block calls this.
template <typename Weight>
__device__ Kept narrowed(const Kept& kept, const float* logits, int64_t n, uint64_t target,
                         const Weight& weight) {
  __shared__ uint32_t low[kDigit], high[kDigit];
  const WideSums sums{low, high};
  __shared__ uint32_t prefix_found;
  __shared__ unsigned long long above_found;
  uint32_t prefix = 0;  // the digits of the rank that are known
  uint64_t above = 0;   // weight of all codes above them
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < kDigit; i += blockDim.x) sums.clear(i);
    __syncthreads();
    for (int64_t code = threadIdx.x; code < n; code += blockDim.x) {
      const uint32_t rank = rank_of(logits[code]);
      const bool known = shift == 24 || rank >> (shift + 8) == prefix >> (shift + 8);
      if (known && kept.holds(rank, code)) {
        sums.add(static_cast<int>(rank >> shift & 0xff), weight(code));
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      uint64_t sum = above;
      int digit = kDigit - 1;
      for (; digit > 0 && sum + sums.at(digit) < target; --digit) sum += sums.at(digit);
      prefix_found = prefix | static_cast<uint32_t>(digit) << shift;
      above_found = sum;
    }
    __syncthreads();
    prefix = prefix_found;
    above = above_found;
  }
  // Of the codes at this rank, which all weigh the same, as many as are missing, lowest first.
  __shared__ unsigned long long each;
  if (threadIdx.x == 0) each = 0;
  __syncthreads();
  const auto counts = [&](int64_t code) {
    return code < n && rank_of(logits[code]) == prefix && kept.holds(prefix, code);
  };
  for (int64_t code = threadIdx.x; code < n; code += blockDim.x) {
    if (counts(code)) atomicMax(&each, static_cast<unsigned long long>(weight(code)));
  }
  __syncthreads();
  int64_t missing = static_cast<int64_t>((target - above + each - 1) / each);
  __shared__ bool flags[kSampleThreads];
  for (int64_t first = 0; first < n; first += blockDim.x) {
    flags[threadIdx.x] = counts(first + threadIdx.x);
    const int found = __syncthreads_count(flags[threadIdx.x]);
    if (found >= missing) {
      int64_t last = first;
      for (int i = 0; i < kSampleThreads; ++i) {
        missing -= flags[i];
        if (flags[i] && missing == 0) last = first + i;
      }
      __syncthreads();
      return {prefix, last};
    }
    missing -= found;
    __syncthreads();
  }
  return {prefix, INT64_MAX};
}

// The best of the block's threads, for every thread.
__device__ inline Best best_of_block(Best mine) {
  __shared__ Best all[kSampleThreads];
  all[threadIdx.x] = mine;
  __syncthreads();
  for (int half = kSampleThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) all[threadIdx.x].take(all[threadIdx.x + half]);
    __syncthreads();
  }
  const Best best = all[0];
  __syncthreads();
  return best;
}

struct Controls {
  const float* temperature;
  const int32_t* top_k;
  const float* top_p;
  const int32_t* seed;
  const int32_t* step;
};

__global__ void __launch_bounds__(kSampleThreads)
    sample_kernel(int32_t* ids, const float* guided, int64_t pitch, int64_t n, uint64_t* masses,
                  Controls controls) {
  const int64_t p = blockIdx.x;
  uint64_t* mass = masses + p * n;  // of every code, where top-p asks for it
  const float* logits = guided + p * pitch;
  const float temperature = controls.temperature[p], top_p = controls.top_p[p];
  const int32_t top_k = controls.top_k[p];

  // The highest logit; anything that cannot be drawn from scores above all.
  Best highest{-INFINITY, INT64_MAX};
  for (int64_t code = threadIdx.x; code < n; code += blockDim.x) {
    const bool drawable = logits[code] < INFINITY;  // a NaN compares false as well
    highest.take({drawable ? logits[code] : INFINITY, code});
  }
  highest = best_of_block(highest);
  Best best = highest;
  if (highest.score < INFINITY && temperature != 0.0f) {
    Kept kept;
    if (top_k > 0 && top_k < n) {
      kept = narrowed(kept, logits, n, static_cast<uint64_t>(top_k),
                      [](int64_t) { return uint64_t{1}; });
    }
    if (top_p < 1.0f) {
      __shared__ unsigned long long total;
      if (threadIdx.x == 0) total = 0;
      __syncthreads();
      uint64_t sum = 0;
      for (int64_t code = threadIdx.x; code < n; code += blockDim.x) {
        // Once: where double precision is slow this takes longer than everything else.
        mass[code] = drawing_mass(logits[code], highest.score, temperature);
        if (kept.holds(rank_of(logits[code]), code)) sum += mass[code];
      }
      atomicAdd(&total, static_cast<unsigned long long>(sum));
      __syncthreads();
      kept = narrowed(kept, logits, n, mass_to_reach(top_p, total),
                      [&](int64_t code) { return mass[code]; });
    }
    const int32_t* words = controls.seed + 2 * p;
    const uint64_t seed =
        uint64_t{static_cast<uint32_t>(words[1])} << 32 | static_cast<uint32_t>(words[0]);
    best = {-INFINITY, INT64_MAX};
    for (int64_t block = threadIdx.x; 4 * block < n; block += blockDim.x) {
      const std::array<float, 4> noise =
          gumbel_block(seed, static_cast<uint32_t>(controls.step[p]), static_cast<uint32_t>(block));
      for (int i = 0; i < 4 && 4 * block + i < n; ++i) {
        const int64_t code = 4 * block + i;
        if (!kept.holds(rank_of(logits[code]), code)) continue;
        best.take({logits[code] / temperature + noise[i], code});
      }
    }
    best = best_of_block(best);
  }
  if (threadIdx.x == 0) {
    const int32_t id = highest.score < INFINITY ? static_cast<int32_t>(best.code) : -1;
    ids[2 * p] = id;
    ids[2 * p + 1] = id;
  }
}

void sample(Stream& s, const Tensor& ids, const Tensor& guided, const SampleControls& controls) {
  if (guided.count() == 0) return;
  const Controls c{controls.temperature.as<float>(), controls.top_k.as<int32_t>(),
                   controls.top_p.as<float>(), controls.seed.as<int32_t>(),
                   controls.step.as<int32_t>()};
  auto* masses = reinterpret_cast<uint64_t*>(
      s.workspace.area(guided.rows() * guided.cols() * static_cast<int64_t>(sizeof(uint64_t))));
  launch(s.handle, sample_kernel,
         {dim3(static_cast<unsigned>(guided.rows())), dim3(kSampleThreads)}, ids.as<int32_t>(),
         guided.as<float>(), guided.pitch, guided.cols(), masses, c);
}

}  // namespace bifrons::cuda
