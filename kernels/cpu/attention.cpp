// RoPE, appending to the paged KV cache, and causal attention over it.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/cache_codes.h"
#include "kernels/cpu/exponential.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

// Positions are processed in chunks of this many, cut at multiples of it and merged from left to
// right (online softmax). So the order of every sum depends only on the row's own position.
constexpr int64_t kChunk = kCacheChunk;

// Largest head_dim; the buffers of one head lie on the stack. This model family has 128.
constexpr int64_t kHead = 256;
constexpr const char* kLargeHead = "attention: heads of more than 256 elements";

int64_t sequence_of(const TokenRows& rows, int64_t m, int64_t sequences) {
  const int64_t sequence = rows.sequence.as<int32_t>()[m];
  check(sequence >= 0 && sequence < sequences, "attention: a sequence is not in the cache");
  return sequence;
}

// -1 for an idle row.
int64_t position_of(const TokenRows& rows, int64_t m, int64_t capacity) {
  const int64_t position = rows.position.as<int32_t>()[m];
  check(position >= -1 && position < capacity, "attention: a position is past the cache");
  return position;
}

// Rotates one head of `size` elements: pairs (i, i + size / 2), each product and the sum rounded to
// T.
template <typename T>
[[gnu::always_inline]] inline void rotate(T* to, const T* from, const float* cos, const float* sin,
                                          int64_t size) {
  const int64_t half = size / 2;
  const auto round = [](float x) { return to_float(round_to<T>(x)); };
  for (int64_t i = 0; i < half; ++i) {
    const float a = to_float(from[i]);
    const float b = to_float(from[i + half]);
    to[i] = round_to<T>(round(a * cos[i]) - round(b * sin[i]));
    to[i + half] = round_to<T>(round(b * cos[i]) + round(a * sin[i]));
  }
}

static_assert(kCachePage == kPageTokens && kChunk % kPageTokens == 0);
static_assert(kScaleBytes == sizeof(float));

constexpr const char* kNoPage = "attention: a position has no page in the cache";

int64_t page_of(const KvCache& cache, int64_t sequence, int64_t position) {
  const int64_t page =
      cache.table.as<int32_t>()[sequence * cache.table.cols() + position / kPageTokens];
  check(page >= 0 && page < cache.pages(), kNoPage);
  return page;
}

// Pointer to a page of keys or values of one head.
std::byte* page_at(const Tensor& all, int64_t page, int64_t head) {
  return all.row((head * all.shape[1] + page) * kPageTokens);
}

// Puts a key or value of T as position `within` into a page.
template <typename T>
[[gnu::always_inline]] inline void put(std::byte* page, int64_t within, const T* from,
                                       int64_t size) {
  std::copy_n(from, size, reinterpret_cast<T*>(page) + within * size);
}

// The same in 8 bits (kernels/cache_codes.h).
template <typename T>
[[gnu::always_inline]] inline void put_int8(std::byte* page, int64_t within, const T* from,
                                            int64_t size) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < size; ++i) {
    const uint32_t bits = magnitude_bits(to_float(from[i]));
    largest = bits > largest ? bits : largest;
  }
  const CacheScale scale = CacheScale::of(largest);
  reinterpret_cast<float*>(page)[within] = scale.step;
  auto* codes = reinterpret_cast<int8_t*>(page + kPageTokens * kScaleBytes) + within * size;
  if (!(scale.codes_per_one > 0)) {
    std::fill_n(codes, size, int8_t{0});
    return;
  }
  for (int64_t i = 0; i < size; ++i) codes[i] = scale.code(to_float(from[i]));
}

// Online softmax over the chunks so far: the sum and the weighted sum of values, both relative to
// the maximum.
struct Running {
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0;
  std::array<float, kHead> mixed{};

  void merge(float chunk_maximum, float chunk_sum, const float* chunk_mixed, int64_t size) {
    const float both = std::max(maximum, chunk_maximum);
    const float old = exponential(maximum - both);
    const float now = exponential(chunk_maximum - both);
    sum = sum * old + chunk_sum * now;
    for (int64_t i = 0; i < size; ++i) mixed[i] = mixed[i] * old + chunk_mixed[i] * now;
    maximum = both;
  }
};

// Attention of one query head over positions [0, length) of a sequence.
template <typename T>
void attend(const InstructionSet& isa, T* y, const T* q, const KvCache& cache, int64_t sequence,
            int64_t head, int64_t length) {
  const int64_t size = cache.head_dim(), pages = cache.pages(), last = (length - 1) / kPageTokens;
  const int32_t* const table = cache.table.as<int32_t>() + sequence * cache.table.cols();
  const std::byte* k[kChunk / kPageTokens + kPagesAhead];
  const std::byte* v[kChunk / kPageTokens + kPagesAhead];
  const AttentionKernels& kernels = cache.int8_kv()  ? isa.attention_int8
                                    : sizeof(T) == 4 ? isa.attention_f32
                                                     : isa.attention_bf16;
  alignas(64) float query[kHead];
  alignas(64) float weight[kChunk];
  alignas(64) float mixed[kHead];
  for (int64_t i = 0; i < size; ++i) query[i] = to_float(q[i]);
  const float scale = 1.0f / std::sqrt(static_cast<float>(size));
  Running running;
  for (int64_t first = 0; first < length; first += kChunk) {
    const int64_t n = std::min(kChunk, length - first);
    for (int64_t i = 0; i < (n + kPageTokens - 1) / kPageTokens + kPagesAhead; ++i) {
      const int64_t page = table[std::min(first / kPageTokens + i, last)];
      check(page >= 0 && page < pages, kNoPage);
      k[i] = page_at(cache.k, page, head);
      v[i] = page_at(cache.v, page, head);
    }
    kernels.scores(query, k, n, size, scale, weight);
    float sum = 0;
    const float maximum = isa.exponentials(weight, n, &sum);
    kernels.mix(weight, v, n, size, mixed);
    running.merge(maximum, sum, mixed, size);
  }
  for (int64_t i = 0; i < size; ++i) y[i] = round_to<T>(running.mixed[i] / running.sum);
}

}  // namespace

void rope_append(ThreadPool& pool, const Tensor& q, const KvCache& cache, const Tensor& qkv,
                 const RopeTable& rope, const TokenRows& rows) {
  const int64_t kv_heads = cache.kv_heads();
  const int64_t size = cache.head_dim();
  const int64_t heads = q.cols() / size;
  const bool int8 = cache.int8_kv();
  check(!int8 || size <= kHead, kLargeHead);
  visit_activation(q.dtype, [&]<typename T>(T) {
    run_rows(pool, q.rows(), [&](int64_t m) {
      const int64_t sequence = sequence_of(rows, m, cache.sequences());
      const int64_t position = position_of(rows, m, cache.capacity());
      if (position < 0) return;
      const auto* cos = reinterpret_cast<const float*>(rope.cos.row(position));
      const auto* sin = reinterpret_cast<const float*>(rope.sin.row(position));
      const T* from = reinterpret_cast<const T*>(qkv.row(m));
      T* to = reinterpret_cast<T*>(q.row(m));
      const T* k = from + heads * size;
      const T* v = k + kv_heads * size;
      const int64_t page = page_of(cache, sequence, position);
      const int64_t within = position % kPageTokens;
      vectorised([ =, &cache ]() __attribute__((always_inline)) {
        for (int64_t h = 0; h < heads; ++h) rotate(to + h * size, from + h * size, cos, sin, size);
        for (int64_t h = 0; h < kv_heads; ++h) {
          std::byte* const k_to = page_at(cache.k, page, h);
          std::byte* const v_to = page_at(cache.v, page, h);
          if (int8) {
            T rotated_key[kHead] = {};  // g++ does not see that all that is read is written
            rotate(rotated_key, k + h * size, cos, sin, size);
            put_int8(k_to, within, rotated_key, size);
            put_int8(v_to, within, v + h * size, size);
          } else {
            rotate(reinterpret_cast<T*>(k_to) + within * size, k + h * size, cos, sin, size);
            put(v_to, within, v + h * size, size);
          }
        }
      });
    });
  });
}

void attention(ThreadPool& pool, const InstructionSet& isa, const Tensor& y, const Tensor& q,
               const KvCache& cache, const TokenRows& rows) {
  const int64_t kv_heads = cache.kv_heads();
  const int64_t size = cache.head_dim();
  const int64_t group = q.cols() / size / kv_heads;
  check(size <= kHead, kLargeHead);
  visit_activation(q.dtype, [&]<typename T>(T) {
    pool.run(q.rows() * kv_heads, [&](int64_t task) {
      const int64_t m = task / kv_heads;
      const int64_t head = task % kv_heads;
      const int64_t sequence = sequence_of(rows, m, cache.sequences());
      const int64_t length = position_of(rows, m, cache.capacity()) + 1;
      if (length == 0) {
        T* const to = reinterpret_cast<T*>(y.row(m)) + head * group * size;
        std::fill(to, to + group * size, round_to<T>(0.0f));
        return;
      }
      for (int64_t h = head * group; h < (head + 1) * group; ++h) {
        attend(isa, reinterpret_cast<T*>(y.row(m)) + h * size,
               reinterpret_cast<const T*>(q.row(m)) + h * size, cache, sequence, head, length);
      }
    });
  });
}

}  // namespace bifrons::cpu
