// The inner loops of attention, and the reading loop of the bandwidth measurement, written once
// over the vectors of an instruction set (see kernels/cpu/panel_kernels.h for `Isa`).
#pragma once

#include "kernels/cpu/exponential.h"
#include "kernels/cpu/panel_kernels.h"

namespace bifrons::cpu {

template <typename Isa>
struct F32Cache {
  static constexpr int kBytes = 4;
  static typename Isa::Vector load(const std::byte* at) { return Isa::load_f32(at); }
  static float get(const std::byte* at) { return *reinterpret_cast<const float*>(at); }
};

template <typename Isa>
struct Bf16Cache {
  static constexpr int kBytes = 2;
  static typename Isa::Vector load(const std::byte* at) { return Isa::load_bf16(at); }
  static float get(const std::byte* at) {
    return widened<Isa>(*reinterpret_cast<const uint16_t*>(at));
  }
};

template <typename Isa, typename Cache>
void scores(const float* q, const void* k, int64_t count, int64_t size, float scale, float* out) {
  constexpr int kLanes = Isa::kLanes;
  const int64_t whole = size - size % kLanes;
  for (int64_t j = 0; j < count; ++j) {
    const std::byte* key = static_cast<const std::byte*>(k) + j * size * Cache::kBytes;
    auto sum = Isa::zero();
    for (int64_t i = 0; i < whole; i += kLanes) {
      const auto qi = Isa::load_f32(reinterpret_cast<const std::byte*>(q + i));
      sum = Isa::multiply_add(Cache::load(key + i * Cache::kBytes), qi, sum);
    }
    alignas(64) float lanes[kLanes];
    Isa::store(lanes, sum);
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    float total = lanes[0];
    for (int64_t i = whole; i < size; ++i) total += q[i] * Cache::get(key + i * Cache::kBytes);
    out[j] = scale * total;
  }
}

template <typename Isa, typename Cache, int kVectors>
void mix_columns(const float* weight, const std::byte* v, int64_t count, int64_t size, float* out) {
  typename Isa::Vector sum[kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; ++i) sum[i] = Isa::zero();
  for (int64_t j = 0; j < count; ++j, v += size * Cache::kBytes) {
    const auto w = Isa::broadcast(reinterpret_cast<const std::byte*>(weight + j));
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) {
      sum[i] = Isa::multiply_add(Cache::load(v + i * Isa::kLanes * Cache::kBytes), w, sum[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; ++i) Isa::store(out + i * Isa::kLanes, sum[i]);
}

template <typename Isa, typename Cache>
void mix(const float* weight, const void* v, int64_t count, int64_t size, float* out) {
  constexpr int kWide = 8;
  const auto* values = static_cast<const std::byte*>(v);
  int64_t i = 0;
  for (; i + kWide * Isa::kLanes <= size; i += kWide * Isa::kLanes) {
    mix_columns<Isa, Cache, kWide>(weight, values + i * Cache::kBytes, count, size, out + i);
  }
  for (; i + Isa::kLanes <= size; i += Isa::kLanes) {
    mix_columns<Isa, Cache, 1>(weight, values + i * Cache::kBytes, count, size, out + i);
  }
  for (; i < size; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      sum += weight[j] * Cache::get(values + (j * size + i) * Cache::kBytes);
    }
    out[i] = sum;
  }
}

// The sum runs in 16 strands whatever the vectors are.
template <typename Isa>
float exponentials(float* values, int64_t count, float* sum) {
  float maximum = -__builtin_inff();
  for (int64_t j = 0; j < count; ++j) maximum = values[j] > maximum ? values[j] : maximum;
  for (int64_t j = 0; j < count; ++j) values[j] = exponential(values[j] - maximum);
  float strand[16] = {};
  for (int64_t j = 0; j < count; ++j) strand[j % 16] += values[j];
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) strand[i] += strand[i + half];
  }
  *sum = strand[0];
  return maximum;
}

template <typename Isa>
uint64_t read(const std::byte* data, int64_t bytes) {
  constexpr int kStride = 512;
  constexpr int kStep = static_cast<int>(sizeof(typename Isa::Words));
  typename Isa::Words all[4] = {};
  for (int64_t at = 0; at < bytes; at += kStride) {
    // As the products do: without it they would read faster than the ceiling they are held to.
    for (int line = 0; line < kStride; line += 64) {
      __builtin_prefetch(data + at + kPrefetch + line, 0, 3);
    }
#pragma GCC unroll 32
    for (int i = 0; i < kStride / kStep; ++i) {
      all[i % 4] |= *reinterpret_cast<const typename Isa::Words*>(data + at + i * kStep);
    }
  }
  all[0] |= all[1] | all[2] | all[3];
  return static_cast<uint64_t>(all[0][0] | all[0][1]);
}

// The table of an instruction set, but for bf16_pairs.
template <typename Isa>
constexpr InstructionSet table(const char* name) {
  InstructionSet set;
  set.name = name;
  set.bf16 = run_panel<Isa, Bf16Weights<Isa>>;
  set.f16 = run_panel<Isa, F16Weights<Isa>>;
  set.f32 = run_panel<Isa, F32Weights<Isa>>;
  set.attention_f32 = {scores<Isa, F32Cache<Isa>>, mix<Isa, F32Cache<Isa>>};
  set.attention_bf16 = {scores<Isa, Bf16Cache<Isa>>, mix<Isa, Bf16Cache<Isa>>};
  set.exponentials = exponentials<Isa>;
  set.read = read<Isa>;
  return set;
}

}  // namespace bifrons::cpu
