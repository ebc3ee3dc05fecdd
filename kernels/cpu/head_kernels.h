// The inner loops of attention and of the bandwidth measurement, written once as templates over an
// instruction set's vectors (see kernels/cpu/panel_kernels.h for `Isa`).
#pragma once

#include "kernels/cpu/exponential.h"
#include "kernels/cpu/panel_kernels.h"

namespace bifrons::cpu {

// A page begins with kHeader bytes, which are the scales of its positions in f32 if there are any.
template <typename Isa>
struct F32Cache {
  static constexpr int kBytes = 4;
  static constexpr int64_t kHeader = 0;
  static typename Isa::Vector load(const std::byte* at) { return Isa::load_f32(at); }
  static float get(const std::byte* at) { return *reinterpret_cast<const float*>(at); }
};

template <typename Isa>
struct Bf16Cache {
  static constexpr int kBytes = 2;
  static constexpr int64_t kHeader = 0;
  static typename Isa::Vector load(const std::byte* at) { return Isa::load_bf16(at); }
  static float get(const std::byte* at) {
    return widened<Isa>(*reinterpret_cast<const uint16_t*>(at));
  }
};

template <typename Isa>
struct Int8Cache {
  static constexpr int kBytes = 1;
  static constexpr int64_t kHeader = 4 * kCachePage;
  static typename Isa::Vector load(const std::byte* at) { return Isa::load_int8(at); }
  static float get(const std::byte* at) {
    return static_cast<float>(*reinterpret_cast<const signed char*>(at));
  }
};

// Multiplies the numbers of `here` positions by their scales.
template <typename Isa>
void scale_by(float* values, const std::byte* scales, int64_t here) {
  const auto* by = reinterpret_cast<const float*>(scales);
  for (int64_t j = 0; j < here; ++j) values[j] *= by[j];
}

// Prefetch distance in pages of the KV cache: kPrefetch bytes, or a little more.
template <typename Cache>
int64_t pages_ahead(int64_t size) {
  return size * Cache::kBytes * kCachePage < kPrefetch ? kPagesAhead : 1;
}

template <typename Isa, int kVectors>
void sums_of(const typename Isa::Vector* x, float* out) {
  if constexpr (kVectors == 4 && requires { Isa::four_sums(x, out); }) {
    Isa::four_sums(x, out);
  } else {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) out[j] = Isa::sum(x[j]);
  }
}

// Scores of kKeys keys: kKeys independent chains of multiply-adds, each with the same order as
// alone. `ahead`: the same keys of a page that will be read soon (prefetched).
template <typename Isa, typename Cache, int kKeys>
void score_keys(const float* q, const std::byte* key, const std::byte* ahead, int64_t size,
                float scale, float* out) {
  constexpr int kLanes = Isa::kLanes;
  const int64_t pitch = size * Cache::kBytes;
  const int64_t whole = size - size % kLanes;
  for (int64_t line = 0; line < kKeys * pitch; line += 64) {
    __builtin_prefetch(ahead + line, 0, 3);
  }
  typename Isa::Vector sum[kKeys];
#pragma GCC unroll 8
  for (int j = 0; j < kKeys; ++j) sum[j] = Isa::zero();
  for (int64_t i = 0; i < whole; i += kLanes) {
    const auto qi = Isa::load_f32(reinterpret_cast<const std::byte*>(q + i));
#pragma GCC unroll 8
    for (int j = 0; j < kKeys; ++j) {
      sum[j] = Isa::multiply_add(Cache::load(key + j * pitch + i * Cache::kBytes), qi, sum[j]);
    }
  }
  float totals[kKeys];
  sums_of<Isa, kKeys>(sum, totals);
#pragma GCC unroll 8
  for (int j = 0; j < kKeys; ++j) {
    float total = totals[j];
    for (int64_t i = whole; i < size; ++i) {
      total += q[i] * Cache::get(key + j * pitch + i * Cache::kBytes);
    }
    out[j] = scale * total;
  }
}

template <typename Isa, typename Cache>
void scores(const float* q, const std::byte* const* pages, int64_t count, int64_t size, float scale,
            float* out) {
  constexpr int kKeys = 4;
  const int64_t pitch = size * Cache::kBytes;
  for (; count > 0; count -= kCachePage, out += kCachePage, ++pages) {
    const int64_t here = count < kCachePage ? count : kCachePage;
    const std::byte* const keys = *pages + Cache::kHeader;
    const std::byte* ahead = pages[pages_ahead<Cache>(size)];
    if constexpr (Cache::kHeader > 0) __builtin_prefetch(ahead, 0, 3);
    ahead += Cache::kHeader;
    int64_t j = 0;
    for (; j + kKeys <= here; j += kKeys) {
      score_keys<Isa, Cache, kKeys>(q, keys + j * pitch, ahead + j * pitch, size, scale, out + j);
    }
    for (; j < here; ++j) {
      score_keys<Isa, Cache, 1>(q, keys + j * pitch, ahead + j * pitch, size, scale, out + j);
    }
    if constexpr (Cache::kHeader > 0) scale_by<Isa>(out, *pages, here);
  }
}

// Weighted sum of values for kVectors vectors of columns. `offset`: bytes from the start of a value
// to the first of these columns.
template <typename Isa, typename Cache, int kVectors>
void mix_columns(const float* weight, const std::byte* const* pages, int64_t offset, int64_t count,
                 int64_t size, float* out) {
  typename Isa::Vector sum[kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; ++i) sum[i] = Isa::zero();
  for (; count > 0; count -= kCachePage, weight += kCachePage, ++pages) {
    const std::byte* v = *pages + Cache::kHeader + offset;
    const int64_t ahead = pages[pages_ahead<Cache>(size)] - *pages;
    const int64_t here = count < kCachePage ? count : kCachePage;
    for (int64_t j = 0; j < here; ++j, v += size * Cache::kBytes) {
      const auto w = Isa::broadcast(reinterpret_cast<const std::byte*>(weight + j));
      for (int line = 0; line < kVectors * Isa::kLanes * Cache::kBytes; line += 64) {
        __builtin_prefetch(v + ahead + line, 0, 3);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kVectors; ++i) {
        sum[i] = Isa::multiply_add(Cache::load(v + i * Isa::kLanes * Cache::kBytes), w, sum[i]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; ++i) Isa::store(out + i * Isa::kLanes, sum[i]);
}

// The weights of values in 8 bits, with their scales.
template <typename Isa, typename Cache>
void scaled_weights(float* scaled, const float* weight, const std::byte* const* pages,
                    int64_t count, int64_t size) {
  for (int64_t j = 0; j < count; ++j) scaled[j] = weight[j];
  for (; count > 0; count -= kCachePage, scaled += kCachePage, ++pages) {
    __builtin_prefetch(pages[pages_ahead<Cache>(size)], 0, 3);
    scale_by<Isa>(scaled, *pages, count < kCachePage ? count : kCachePage);
  }
}

template <typename Isa, typename Cache>
void mix(const float* weight, const std::byte* const* pages, int64_t count, int64_t size,
         float* out) {
  constexpr int kWide = 8;
  int64_t i = 0;
  alignas(64) float scaled[Cache::kHeader > 0 ? kCacheChunk : 1];
  if constexpr (Cache::kHeader > 0) {
    scaled_weights<Isa, Cache>(scaled, weight, pages, count, size);
    weight = scaled;
  }
  for (; i + kWide * Isa::kLanes <= size; i += kWide * Isa::kLanes) {
    mix_columns<Isa, Cache, kWide>(weight, pages, i * Cache::kBytes, count, size, out + i);
  }
  for (; i + kWide / 2 * Isa::kLanes <= size; i += kWide / 2 * Isa::kLanes) {
    mix_columns<Isa, Cache, kWide / 2>(weight, pages, i * Cache::kBytes, count, size, out + i);
  }
  for (; i + Isa::kLanes <= size; i += Isa::kLanes) {
    mix_columns<Isa, Cache, 1>(weight, pages, i * Cache::kBytes, count, size, out + i);
  }
  for (; i < size; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      const int64_t at = Cache::kHeader + (j % kCachePage * size + i) * Cache::kBytes;
      sum += weight[j] * Cache::get(pages[j / kCachePage] + at);
    }
    out[i] = sum;
  }
}

// Maximum and sum use 16 partials at every vector width, so that the bits are the same.
template <typename Isa>
float exponentials(float* values, int64_t count, float* sum) {
  float high[16];
  for (int i = 0; i < 16; ++i) high[i] = -__builtin_inff();
  const int64_t whole = count - count % 16;
  for (int64_t j = 0; j < whole; j += 16) {
    for (int i = 0; i < 16; ++i) high[i] = values[j + i] > high[i] ? values[j + i] : high[i];
  }
  for (int64_t j = whole; j < count; ++j) high[0] = values[j] > high[0] ? values[j] : high[0];
  float maximum = high[0];
  for (int i = 1; i < 16; ++i) maximum = high[i] > maximum ? high[i] : maximum;
  for (int64_t j = 0; j < count; ++j) values[j] = exponential(values[j] - maximum);
  float partial[16] = {};
  for (int64_t j = 0; j < whole; j += 16) {
    for (int i = 0; i < 16; ++i) partial[i] += values[j + i];
  }
  for (int64_t j = whole; j < count; ++j) partial[j - whole] += values[j];
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) partial[i] += partial[i + half];
  }
  *sum = partial[0];
  return maximum;
}

template <typename Isa>
uint64_t read(const std::byte* data, int64_t bytes) {
  constexpr int kStride = 512;
  constexpr int kStep = static_cast<int>(sizeof(typename Isa::Words));
  typename Isa::Words all[4] = {};
  for (int64_t at = 0; at < bytes; at += kStride) {
    // Prefetch as the linear kernels do. Otherwise they would read faster than this measured
    // roofline.
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

// Function table of an instruction set, without bf16_pairs.
template <typename Isa>
constexpr InstructionSet table(const char* name) {
  InstructionSet set;
  set.name = name;
  set.bf16 = run_panel<Isa, Bf16Weights<Isa>>;
  set.f16 = run_panel<Isa, F16Weights<Isa>>;
  set.f32 = run_panel<Isa, F32Weights<Isa>>;
  set.attention_f32 = {scores<Isa, F32Cache<Isa>>, mix<Isa, F32Cache<Isa>>};
  set.attention_bf16 = {scores<Isa, Bf16Cache<Isa>>, mix<Isa, Bf16Cache<Isa>>};
  set.attention_int8 = {scores<Isa, Int8Cache<Isa>>, mix<Isa, Int8Cache<Isa>>};
  set.exponentials = exponentials<Isa>;
  set.read = read<Isa>;
  return set;
}

}  // namespace bifrons::cpu
