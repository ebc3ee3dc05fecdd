// The sampler of image tokens: Gumbel-max with Philox noise, optionally fused with classifier-free
// guidance. The blocks share a picture's codes. The last block to finish compares their results,
// and does top-k and top-p alone where they are on. The ids are those of every other device.
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/top_k_top_p.h"
#include "kernels/device_memory.h"
#include "kernels/sampling.h"

namespace bifrons::cuda {

constexpr int kEach = 4;  // codes per thread: one block of noise
constexpr int kCodes = kEach * kSampleThreads;
static_assert(kCodes == kSampleBlock);

// A code and its score; the lower code wins a tie.
struct Best {
  float score = -INFINITY;
  int code = INT32_MAX;

  __device__ void take(const Best& other) {
    if (other.score > score || (other.score == score && other.code < code)) *this = other;
  }
};

// The best of all threads of the block, returned to every thread.
__device__ inline Best best_of_block(Best mine) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    mine.take({__shfl_xor_sync(kAllLanes, mine.score, offset),
               __shfl_xor_sync(kAllLanes, mine.code, offset)});
  }
  __shared__ float scores[kSampleThreads / kWarp];
  __shared__ int codes[kSampleThreads / kWarp];
  if (threadIdx.x % kWarp == 0) {
    scores[threadIdx.x / kWarp] = mine.score;
    codes[threadIdx.x / kWarp] = mine.code;
  }
  __syncthreads();
  Best best;
  for (int i = 0; i < kSampleThreads / kWarp; ++i) best.take({scores[i], codes[i]});
  __syncthreads();
  return best;
}

struct Controls {
  const float* temperature;
  const int32_t* top_k;
  const float* top_p;
  const int32_t* seed;
  const int32_t* step;
  uint32_t stream;
};

// The sampling of one picture.
struct Draw {
  const float* logits;
  int n;
  float temperature, top_p;
  int top_k;
  uint64_t seed;
  uint32_t step, stream;

  __device__ static Draw of(const Controls& controls, int64_t p, const float* logits, int n) {
    const int32_t* words = controls.seed + 2 * p;
    return {logits,
            n,
            controls.temperature[p],
            controls.top_p[p],
            controls.top_k[p],
            uint64_t{static_cast<uint32_t>(words[1])} << 32 | static_cast<uint32_t>(words[0]),
            static_cast<uint32_t>(controls.step[p]),
            controls.stream};
  }
  __device__ bool greedy() const { return temperature == 0.0f; }
  __device__ bool narrows() const { return (top_k > 0 && top_k < n) || top_p < 1.0f; }

  // The logits of codes kEach * block .. + kEach - 1; -inf for codes past the end.
  struct Some {
    float of[kEach];
  };
  __device__ Some some(int block) const {
    Some logit;
    const int first = kEach * block;
#pragma unroll
    for (int i = 0; i < kEach; ++i) logit.of[i] = logits[first + i < n ? first + i : n - 1];
#pragma unroll
    for (int i = 0; i < kEach; ++i) logit.of[i] = first + i < n ? logit.of[i] : -INFINITY;
    return logit;
  }

  // The highest of them. A logit that cannot be sampled (NaN, +inf) scores +inf.
  __device__ Best highest_of(int block, const Some& logit) const {
    Best highest;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const bool drawable = logit.of[i] < INFINITY;  // a NaN compares false as well
      highest.take({drawable ? logit.of[i] : INFINITY, kEach * block + i});
    }
    return highest;
  }

  // The best of them with noise. `holds(code, logit)`: whether the code is allowed.
  template <typename Holds>
  __device__ Best best_of(int block, const Some& logit, const Holds& holds) const {
    Best best;
    bool any = false;
#pragma unroll
    for (int i = 0; i < kEach; ++i) any = any || holds(kEach * block + i, logit.of[i]);
    if (!any) return best;
    const std::array<float, kEach> noise =
        gumbel_block(seed, step, static_cast<uint32_t>(block), stream);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int code = kEach * block + i;
      if (holds(code, logit.of[i])) best.take({logit.of[i] / temperature + noise[i], code});
    }
    return best;
  }

  // The whole block samples among the codes that top-k and top-p leave. `mass`: room for n masses.
  __device__ Best best_of_kept(float highest, uint64_t* mass) const {
    Allowed kept;
    if (top_k > 0 && top_k < n) {
      kept =
          narrowed(kept, logits, n, static_cast<uint64_t>(top_k), [](int) { return uint64_t{1}; });
    }
    if (top_p < 1.0f) {
      uint64_t sum = 0;
      for_codes(logits, n, [&](int code, float logit) {
        // Computed only once: on GPUs with slow double precision this takes longer than everything
        // else.
        mass[code] = drawing_mass(logit, highest, temperature);
        if (kept.holds(rank_of(logit), code)) sum += mass[code];
      });
      kept = narrowed(kept, logits, n, mass_to_reach(top_p, sum_of_block(sum)),
                      [&](int code) { return mass[code]; });
    }
    Best best;
    for (int block = threadIdx.x; kEach * block < n; block += kSampleThreads) {
      best.take(best_of(block, some(block), [&](int code, float logit) {
        return code < n && kept.holds(rank_of(logit), code);
      }));
    }
    return best_of_block(best);
  }
};

// Source of logits: they are given.
struct Given {
  __device__ Draw::Some some(const Draw& draw, int64_t, int block, float*) const {
    return draw.some(block);
  }
};

// Source of logits: classifier-free guidance, as in guide(). It returns them and writes them to
// `guided` for the last block.
struct Guide {
  const float* logits;  // [rows P, n]
  int64_t pitch;
  const float* scale;
  int64_t rows;

  __device__ Draw::Some some(const Draw& draw, int64_t p, int block, float* guided) const {
    const int64_t last = rows - 1;
    const float* conditional = logits + rows * p * pitch;
    const float* unconditional = conditional + last * pitch;
    Draw::Some logit;
    float other[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int code = kEach * block + i, at = code < draw.n ? code : draw.n - 1;
      logit.of[i] = conditional[at];
      other[i] = unconditional[at];
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      logit.of[i] = other[i] + scale[last * p] * (logit.of[i] - other[i]);
    }
    for (int64_t r = 1; r < last; ++r) {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int code = kEach * block + i, at = code < draw.n ? code : draw.n - 1;
        logit.of[i] = logit.of[i] + scale[last * p + r] * (conditional[r * pitch + at] - other[i]);
      }
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int code = kEach * block + i;
      if (code < draw.n) guided[code] = logit.of[i];
      if (code >= draw.n) logit.of[i] = -INFINITY;
    }
    return logit;
  }
};

// Result of one block: the highest logit, and the sampled code if all codes are allowed.
struct Share {
  Best highest, best;
};
static_assert(sizeof(Share) == 2 * (sizeof(float) + sizeof(int32_t)));

// Block (codes, picture).
template <typename Source>
__global__ void __launch_bounds__(kSampleThreads)
    sample_kernel(int32_t* ids, float* guided, int64_t pitch, int n, Source source, Share* shares,
                  int* counters, uint64_t* masses, Controls controls, int64_t rows) {
  trigger_dependents();
  grid_dependency_wait();
  const int64_t p = blockIdx.y;
  const int blocks = static_cast<int>(gridDim.x);
  const Draw draw = Draw::of(controls, p, guided + p * pitch, n);
  const int mine = static_cast<int>(blockIdx.x * kSampleThreads + threadIdx.x);
  const Draw::Some logit = source.some(draw, p, mine, guided + p * pitch);
  Share share{best_of_block(draw.highest_of(mine, logit)), {}};
  if (!draw.greedy() && !draw.narrows()) {
    const auto all = [n](int code, float) { return code < n; };
    share.best = best_of_block(draw.best_of(mine, logit, all));
  }
  if (blocks > 1) {
    if (threadIdx.x == 0) shares[p * blocks + blockIdx.x] = share;
    if (!last_to_arrive(counters + p, blocks)) return;
    Share all;
    for (int i = threadIdx.x; i < blocks; i += kSampleThreads) {
      all.highest.take(shares[p * blocks + i].highest);
      all.best.take(shares[p * blocks + i].best);
    }
    share = {best_of_block(all.highest), best_of_block(all.best)};
  }
  const bool drawable = share.highest.score < INFINITY;
  if (drawable && !draw.greedy() && draw.narrows()) {
    share.best = draw.best_of_kept(share.highest.score, masses + p * n);
  }
  if (draw.greedy() || beyond_noise(share.best.score)) share.best = share.highest;
  if (threadIdx.x != 0) return;
  for (int64_t r = 0; r < rows; ++r) ids[rows * p + r] = drawable ? share.best.code : -1;
}

template <typename Source>
void draw_from(Stream& s, const Tensor& ids, const Tensor& guided, const Source& source,
               const SampleControls& controls) {
  if (guided.count() == 0) return;
  const int64_t pictures = guided.rows(), n = guided.cols(), blocks = ceil_div(n, kCodes);
  check(n <= INT32_MAX - 8 * kCodes && pictures <= 65535, "sample: too many codes or pictures");
  const Controls c{controls.temperature.as<float>(), controls.top_k.as<int32_t>(),
                   controls.top_p.as<float>(),       controls.seed.as<int32_t>(),
                   controls.step.as<int32_t>(),      controls.stream};
  std::byte* area = s.workspace.area(sample_scratch(pictures, n));
  const int64_t mass_bytes = pictures * n * static_cast<int64_t>(sizeof(uint64_t));
  launch_pdl(
      s.handle, s.pdl, sample_kernel<Source>,
      {dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(pictures)), dim3(kSampleThreads)},
      ids.as<int32_t>(), guided.as<float>(), guided.pitch, static_cast<int>(n), source,
      reinterpret_cast<Share*>(area + mass_bytes), s.workspace.counters(pictures),
      reinterpret_cast<uint64_t*>(area), c, ids.count() / pictures);
}

void sample(Stream& s, const Tensor& ids, const Tensor& guided, const SampleControls& controls) {
  draw_from(s, ids, guided, Given{}, controls);
}

void guide_sample(Stream& s, const Tensor& ids, const Tensor& guided, const Tensor& logits,
                  const Tensor& scale, const SampleControls& controls) {
  if (guided.count() == 0) return;
  const Guide guide{logits.as<float>(), logits.pitch, scale.as<float>(),
                    logits.rows() / guided.rows()};
  draw_from(s, ids, guided, guide, controls);
}

}  // namespace bifrons::cuda
