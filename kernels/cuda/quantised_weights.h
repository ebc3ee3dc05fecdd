// Quantised weights as the A operand of the GEMMs: their order in memory, and their decoding to
// bf16 in registers.
//
// Order: integers in the tiles of weight_order.h, then all scales. A lane's integers of a step are
// contiguous, so that a warp reads a step with one load per lane and no shuffles. int8: 16 bytes of
// a lane; of a word, bytes 0 and 2 are neighbouring inputs of the upper eight rows of a tile, bytes
// 1 and 3 of the lower ones. int4: 8 bytes of a lane; bits 4 p and 16 + 4 p of a word are such
// neighbours. So both numbers of a pair of bf16 are decoded by the same instructions, at the place
// where they lie. Scales: [tile][group][8] pairs of bf16; row g is low, row g + 8 is high, as a
// lane needs them.
//
// Decoding takes no conversions, of which a GPU does few at a time. A bf16 from 128 to 256 has
// steps of one, so bits that are put into the mantissa of 128 add that number to it, and a
// difference of such numbers is exact.
#pragma once

#include "kernels/cuda/gemm_operands.h"

namespace bifrons::cuda {

// Byte of q[out][in] among the integers; `steps` tiles cover the inputs. int4: the half of the byte
// is out % 16 / 8.
constexpr int64_t quantised_index(LinearFormat format, int64_t out, int64_t in, int64_t steps) {
  const int64_t tile = out / kTileOut * steps + in / kTileIn;
  const int64_t lane = tile * kWarp + out % 8 * 4 + in % kTileIn / 8;
  if (format == LinearFormat::kInt8) {
    return lane * 16 + in % 8 / 2 * 4 + in % 2 * 2 + out % kTileOut / 8;
  }
  return lane * 8 + in % 8 / 4 * 4 + in % 2 * 2 + in % 4 / 2;
}

// Index of the scale of a row's group among the scales; `groups` of a row.
constexpr int64_t scale_index(int64_t out, int64_t group, int64_t groups) {
  return ((out / kTileOut * groups + group) * 8 + out % 8) * 2 + out % kTileOut / 8;
}

// Rows in the storage of a quantised matrix: whole tiles.
constexpr int64_t stored_rows(int64_t out) { return ceil_div(out, kTileOut) * kTileOut; }

constexpr uint32_t kOneTwentyEight = 0x43004300u;  // a pair of bf16

// Bytes 0 and 2 of a word, as signed integers, to a pair of bf16: 128 and the lower seven bits,
// less 128, or 256 if the sign bit is set. That bit is the lowest of the exponent.
__device__ inline uint32_t decode_bytes(uint32_t word) {
  const uint32_t low = and_or(word, 0x007f007fu, kOneTwentyEight);
  return subtract_pairs(low, and_or(word, 0x00800080u, kOneTwentyEight));
}

// Bits 0 to 3 and 16 to 19 of a word, each an integer and 8, to a pair of bf16.
__device__ inline uint32_t decode_halves(uint32_t word) {
  constexpr uint32_t kEight = 0x00080008u;
  return subtract_pairs(and_or(word, 0x000f000fu, kOneTwentyEight), kOneTwentyEight | kEight);
}

// Quantised weights in the order above.
template <LinearFormat kIs>
struct QuantisedWeights {
  static constexpr bool kInt8 = kIs == LinearFormat::kInt8;
  static constexpr int kGroupSteps = static_cast<int>(group_of(kIs) / kTileIn);
  static constexpr double kBytes = (kInt8 ? 1.0 : 0.5) + 2.0 / group_of(kIs);  // per weight

  const uint4* data;
  const uint32_t* scales;
  int64_t tiles;
  int64_t steps;

  // See TiledWeights.
  static constexpr bool kScaled = true;
  static constexpr int kVectors = kInt8 ? kWarp : kWarp / 2;
  static constexpr bool kSharedByLanes = !kInt8;
  using Scale = uint32_t;
  __device__ const uint4* begin(int64_t tile) const { return data + tile * steps * kVectors; }
  __device__ const uint32_t* scales_of(int64_t tile) const {
    return scales + tile * (steps / kGroupSteps) * 8 + threadIdx.x % kWarp / 4;
  }
  static __device__ Scale scale(const uint32_t* of_tile, int step) {
    return of_tile[step / kGroupSteps * 8];
  }
  bool whole() const { return true; }
  using Place = uint32_t;
  __device__ Place place(int64_t tile, int vector) const {
    return static_cast<uint32_t>(inside(tile) * steps * kVectors + vector);
  }
  __device__ const void* address(Place place, int step) const {
    return data + int64_t{place + static_cast<uint32_t>(step * kVectors)};
  }
  static __device__ Fragment fragment(const uint4* step) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    if constexpr (kInt8) {
      const uint4 q = step[lane];
      return {
          {{decode_bytes(q.x), decode_bytes(q.x >> 8), decode_bytes(q.y), decode_bytes(q.y >> 8)},
           {decode_bytes(q.z), decode_bytes(q.z >> 8), decode_bytes(q.w), decode_bytes(q.w >> 8)}}};
    } else {
      const uint2 q = reinterpret_cast<const uint2*>(step)[lane];
      return {{{decode_halves(q.x), decode_halves(q.x >> 4), decode_halves(q.x >> 8),
                decode_halves(q.x >> 12)},
               {decode_halves(q.y), decode_halves(q.y >> 4), decode_halves(q.y >> 8),
                decode_halves(q.y >> 12)}}};
    }
  }

  // For copies of scales through shared memory: two vectors hold those of a tile's step.
  __device__ Place scale_place(int64_t tile, int vector) const {
    return static_cast<uint32_t>(inside(tile) * (steps / kGroupSteps) * 2 + vector);
  }
  __device__ const void* scale_address(Place place, int step) const {
    return reinterpret_cast<const uint4*>(scales) +
           int64_t{place + static_cast<uint32_t>(step / kGroupSteps * 2)};
  }

  // Weight [m][k], for the SIMT kernel.
  __device__ float at(int64_t m, int64_t k) const {
    const int64_t i = quantised_index(kIs, m, k, steps);
    const auto byte = static_cast<int>(reinterpret_cast<const uint8_t*>(data)[i]);
    const int64_t group = scale_index(m, k / group_of(kIs), steps / kGroupSteps);
    const float scale = to_float(Bf16{reinterpret_cast<const uint16_t*>(scales)[group]});
    if constexpr (kInt8) {
      return scale * static_cast<float>(byte < 128 ? byte : byte - 256);
    } else {
      const int half = m % kTileOut < 8 ? byte & 15 : byte >> 4;
      return scale * static_cast<float>(half - 8);
    }
  }

 private:
  __device__ int64_t inside(int64_t tile) const { return tile < tiles ? tile : tiles - 1; }
};

using Int8Weights = QuantisedWeights<LinearFormat::kInt8>;
using Int4Weights = QuantisedWeights<LinearFormat::kInt4>;

// c += scales (a b) over one step of K: the step is a chain of two mma from zero, and its sum joins
// the slice with one multiply-add. Integers and products are exact, so this rounds no more than a
// GEMM of bf16.
__device__ inline void mma_step(float (&c)[4], const Fragment& a, const uint4& b, uint32_t scales) {
  float sum[4] = {};
  mma_step(sum, a, b);
  const float upper = lower_of(scales), lower = upper_of(scales);
  c[0] = fmaf(upper, sum[0], c[0]);
  c[1] = fmaf(upper, sum[1], c[1]);
  c[2] = fmaf(lower, sum[2], c[2]);
  c[3] = fmaf(lower, sum[3], c[3]);
}

// The weights of a quantised Linear.
template <LinearFormat kIs>
QuantisedWeights<kIs> quantised_weights(const Linear& weight) {
  const auto* const data = static_cast<const std::byte*>(weight.storage.data());
  const int64_t values = stored_rows(weight.out) * value_bytes(kIs, weight.in);
  return {reinterpret_cast<const uint4*>(data), reinterpret_cast<const uint32_t*>(data + values),
          ceil_div(weight.out, kTileOut), weight.in / kTileIn};
}

}  // namespace bifrons::cuda
