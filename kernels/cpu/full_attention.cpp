// Attention of every row to every row (no mask, no cache): one head over all channels (VQ decoder)
// or several heads (vision tower). Three implementations: oneDNN GEMMs, the bf16 dot product or AMX
// tiles, plain loops in f32.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/exponential.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

constexpr int64_t kQueries = 8;  // rows of q that share one pass over k and v
constexpr int64_t kLanes = 32;

typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));

// c [kRows, 16 kVectors] = a [kRows, n] b [n, 16 kVectors]; rows of b are `pitch` elements apart.
// The tile is chosen so that all sums stay in registers.
template <int64_t kRows, int64_t kVectors>
void multiply_tile(float* c, int64_t c_pitch, const float* a, int64_t a_pitch, const float* b,
                   int64_t pitch, int64_t n) {
  vectorised([=]() __attribute__((always_inline)) {
    Lanes acc[kRows][kVectors] = {};
    for (int64_t k = 0; k < n; ++k) {
      for (int64_t v = 0; v < kVectors; ++v) {
        const Lanes right = *reinterpret_cast<const Lanes*>(b + k * pitch + 16 * v);
        for (int64_t i = 0; i < kRows; ++i) acc[i][v] += right * a[i * a_pitch + k];
      }
    }
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t v = 0; v < kVectors; ++v) {
        *reinterpret_cast<Lanes*>(c + i * c_pitch + 16 * v) = acc[i][v];
      }
    }
  });
}

// c [kQueries, 32] = a [kQueries, n] b [n, 32].
void multiply_block(float* c, int64_t c_pitch, const float* a, int64_t a_pitch, const float* b,
                    int64_t pitch, int64_t n) {
  if (has_wide_vectors()) return multiply_tile<8, 2>(c, c_pitch, a, a_pitch, b, pitch, n);
  for (int64_t i = 0; i < kQueries; i += 4) {
    for (int64_t v = 0; v < kLanes; v += 16) {
      multiply_tile<4, 1>(c + i * c_pitch + v, c_pitch, a + i * a_pitch, a_pitch, b + v, pitch, n);
    }
  }
}

// Softmax of one row of scores, rounded to T. It overwrites `scores`; the sum has a fixed order.
template <typename T>
void softmax_row(T* probabilities, float* scores, int64_t n, float scale) {
  // 16 partial maxima, because compilers do not reorder comparisons of floats.
  constexpr int64_t kPartials = 16;
  float highest[kPartials], sums[kPartials] = {};
  std::fill_n(highest, kPartials, -__builtin_inff());
  float *highest_of = highest, *sum_of = sums;
  const int64_t whole = n - n % kPartials;
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < n; ++i) scores[i] = to_float(round_to<T>(scores[i] * scale));
    for (int64_t i = 0; i < whole; i += kPartials) {
      for (int64_t j = 0; j < kPartials; ++j) {
        highest_of[j] = scores[i + j] > highest_of[j] ? scores[i + j] : highest_of[j];
      }
    }
  });
  for (int64_t i = whole; i < n; ++i) highest[0] = std::max(highest[0], scores[i]);
  const float top = *std::max_element(highest, highest + kPartials);
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < n; ++i) scores[i] = exponential(scores[i] - top);
    for (int64_t i = 0; i < whole; i += kPartials) {
      for (int64_t j = 0; j < kPartials; ++j) sum_of[j] += scores[i + j];
    }
  });
  for (int64_t i = whole; i < n; ++i) sums[0] += scores[i];
  float sum = 0.0f;
  for (float partial : sums) sum += partial;
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < n; ++i) probabilities[i] = round_to<T>(scores[i] / sum);
  });
}

float score_scale(int64_t channels) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(channels)));
}

// k and v converted to f32, in panels of 32 columns: k as [keys / 32][channels][32], v as [channels
// / 32][keys][32]; missing elements are zero.
struct Panels {
  int64_t keys;      // rounded up to 32
  int64_t channels;  // rounded up to 32
  std::vector<float> k;
  std::vector<float> v;
};

template <typename T>
void fill_panels(ThreadPool& pool, Panels& to, const Tensor& k, const Tensor& v) {
  const int64_t n = k.rows(), channels = k.cols();
  pool.run(to.keys / kLanes, [&](int64_t panel) {
    for (int64_t j = panel * kLanes; j < std::min(n, (panel + 1) * kLanes); ++j) {
      const T* from_k = reinterpret_cast<const T*>(k.row(j));
      const T* from_v = reinterpret_cast<const T*>(v.row(j));
      for (int64_t c = 0; c < channels; ++c) {
        to.k[(panel * channels + c) * kLanes + j % kLanes] = to_float(from_k[c]);
        to.v[(c / kLanes * n + j) * kLanes + c % kLanes] = to_float(from_v[c]);
      }
    }
  });
}

template <typename T>
void attend_block(const Tensor& y, const Tensor& q, const Panels& panels, int64_t first,
                  float* scratch) {
  const int64_t n = q.rows(), channels = q.cols();
  const int64_t rows = std::min(kQueries, n - first);
  float* queries = scratch;
  float* scores = queries + kQueries * channels;
  float* mixed = scores + kQueries * panels.keys;
  std::vector<T> probabilities(n);
  std::fill_n(queries, kQueries * channels, 0.0f);
  for (int64_t i = 0; i < rows; ++i) {
    const T* from = reinterpret_cast<const T*>(q.row(first + i));
    for (int64_t c = 0; c < channels; ++c) queries[i * channels + c] = to_float(from[c]);
  }
  for (int64_t j = 0; j < panels.keys; j += kLanes) {
    multiply_block(scores + j, panels.keys, queries, channels, panels.k.data() + j * channels,
                   kLanes, channels);
  }
  for (int64_t i = 0; i < rows; ++i) {
    float* row = scores + i * panels.keys;
    softmax_row(probabilities.data(), row, n, score_scale(channels));
    for (int64_t j = 0; j < n; ++j) row[j] = to_float(probabilities[j]);
  }
  for (int64_t c = 0; c < panels.channels; c += kLanes) {
    multiply_block(mixed + c, panels.channels, scores, panels.keys, panels.v.data() + c * n, kLanes,
                   n);
  }
  for (int64_t i = 0; i < rows; ++i) {
    T* to = reinterpret_cast<T*>(y.row(first + i));
    for (int64_t c = 0; c < channels; ++c) to[c] = round_to<T>(mixed[i * panels.channels + c]);
  }
}

void attend_by_loops(ThreadPool& pool, const Tensor& y, const Tensor& q, const Tensor& k,
                     const Tensor& v) {
  const int64_t n = q.rows(), channels = q.cols();
  const auto rounded_up = [](int64_t x) { return (x + kLanes - 1) / kLanes * kLanes; };
  Panels panels{rounded_up(n), rounded_up(channels), {}, {}};
  panels.k.resize(panels.keys * channels);
  panels.v.resize(panels.channels * n);
  visit_activation(q.dtype, [&](auto element) {
    using T = decltype(element);
    fill_panels<T>(pool, panels, k, v);
    pool.run((n + kQueries - 1) / kQueries, [&](int64_t block) {
      std::vector<float> scratch(kQueries * (channels + panels.keys + panels.channels));
      attend_block<T>(y, q, panels, block * kQueries, scratch.data());
    });
  });
}

// Rows of q per block: their scores stay in a core's cache between the two GEMMs.
constexpr int64_t kProductQueries = 96;

void attend_by_products(ThreadPool& pool, OnednnGemm& products, const Tensor& y, const Tensor& q,
                        const Tensor& k, const Tensor& v, int64_t heads) {
  const int64_t n = q.rows(), channels = q.cols() / heads;
  const int64_t blocks = (n + kProductQueries - 1) / kProductQueries;
  // Each thread has one scratch area for all its blocks, so the pool's chunks are areas, not
  // blocks. With several heads a slow core delays the others by at most one block of one head.
  const int64_t areas = std::min<int64_t>(blocks * heads, pool.threads());
  std::vector<float> scores(areas * kProductQueries * n);
  std::vector<Bf16> probabilities(areas * kProductQueries * n);
  pool.run(areas, [&](int64_t area) {
    float* score = scores.data() + area * kProductQueries * n;
    Bf16* probability = probabilities.data() + area * kProductQueries * n;
    for (int64_t task = area; task < blocks * heads; task += areas) {
      const int64_t first = task % blocks * kProductQueries, column = task / blocks * channels;
      const int64_t rows = std::min(kProductQueries, n - first);
      const auto at = [&](const Tensor& t, int64_t row) { return t.row(row) + column * 2; };
      products.run({rows, channels, n, q.pitch, k.pitch, true, DType::kF32, n}, at(q, first),
                   at(k, 0), score);
      for (int64_t i = 0; i < rows; ++i) {
        softmax_row(probability + i * n, score + i * n, n, score_scale(channels));
      }
      products.run({rows, n, channels, n, v.pitch, false, DType::kBf16, y.pitch}, probability,
                   at(v, 0), at(y, first));
    }
  });
}

// k and v of every head, packed like the weights of a linear layer (kernels/cpu/linear.h): k as it
// is, v transposed.
struct PairPanels {
  int64_t key_panels;    // per head, of 32 keys each
  int64_t value_panels;  // per head, of 32 channels each
  int64_t key_bytes;     // per panel
  int64_t value_bytes;
  std::vector<std::byte> keys;
  std::vector<std::byte> values;
};

// Packs panel `p` of one head in pairs along `depth`. at(row, k) gives the element; rows run from 0
// to `rows`.
template <typename At>
void fill_pairs(std::byte* panel, int64_t p, int64_t rows, int64_t depth, const At& at) {
  auto* to = reinterpret_cast<Bf16*>(panel);
  for (int64_t k = 0; k < depth; k += 2) {
    for (int64_t r = p * kPanelRows; r < (p + 1) * kPanelRows; ++r, to += 2) {
      to[0] = r < rows ? at(r, k) : Bf16{};
      to[1] = r < rows && k + 1 < depth ? at(r, k + 1) : Bf16{};
    }
  }
}

PairPanels pair_panels(ThreadPool& pool, const Tensor& k, const Tensor& v, int64_t heads) {
  const int64_t n = k.rows(), size = k.cols() / heads;
  PairPanels panels{panel_count(n),
                    panel_count(size),
                    panel_bytes(DType::kBf16, size),
                    panel_bytes(DType::kBf16, n),
                    {},
                    {}};
  panels.keys.resize(heads * panels.key_panels * panels.key_bytes);
  panels.values.resize(heads * panels.value_panels * panels.value_bytes);
  const auto element = [](const Tensor& t, int64_t row, int64_t column) {
    return reinterpret_cast<const Bf16*>(t.row(row))[column];
  };
  const int64_t of_keys = heads * panels.key_panels, of_values = heads * panels.value_panels;
  pool.run(of_keys + of_values, [&](int64_t task) {
    if (task < of_keys) {
      const int64_t column = task / panels.key_panels * size;
      fill_pairs(panels.keys.data() + task * panels.key_bytes, task % panels.key_panels, n, size,
                 [&](int64_t j, int64_t c) { return element(k, j, column + c); });
    } else {
      task -= of_keys;
      const int64_t column = task / panels.value_panels * size;
      fill_pairs(panels.values.data() + task * panels.value_bytes, task % panels.value_panels, size,
                 n, [&](int64_t c, int64_t j) { return element(v, j, column + c); });
    }
  });
  return panels;
}

// Uses the instruction set's GEMM of bf16 pairs (dot product or AMX tiles). Heads must have an even
// number of channels.
void attend_by_pairs(ThreadPool& pool, const InstructionSet& isa, const Tensor& y, const Tensor& q,
                     const Tensor& k, const Tensor& v, int64_t heads) {
  const int64_t n = q.rows(), size = q.cols() / heads;
  const PairPanels panels = pair_panels(pool, k, v, heads);
  const int64_t pitch = panels.key_panels * kPanelRows;  // of scores and probabilities
  const int64_t blocks = (n + kProductQueries - 1) / kProductQueries;
  pool.run(blocks * heads, [&](int64_t task) {
    const int64_t head = task / blocks, first = task % blocks * kProductQueries;
    const int64_t rows = std::min(kProductQueries, n - first);
    std::vector<float> scores(rows * pitch);
    std::vector<Bf16> probabilities(rows * pitch);  // zero past the last key
    PanelJob job{.x = q.row(first) + head * size * 2,
                 .x_pitch = q.pitch * 2,
                 .rows = rows,
                 .steps = size / 2,
                 .y_pitch = pitch * 4};
    for (int64_t p = 0; p < panels.key_panels; ++p) {
      job.panel = panels.keys.data() + (head * panels.key_panels + p) * panels.key_bytes;
      job.y = reinterpret_cast<std::byte*>(scores.data() + p * kPanelRows);
      job.columns = static_cast<int>(std::min<int64_t>(kPanelRows, n - p * kPanelRows));
      isa.bf16_pairs(job);
    }
    for (int64_t i = 0; i < rows; ++i) {
      softmax_row(probabilities.data() + i * pitch, scores.data() + i * pitch, n,
                  score_scale(size));
    }
    job = {.x = reinterpret_cast<const std::byte*>(probabilities.data()),
           .x_pitch = pitch * 2,
           .rows = rows,
           .steps = (n + 1) / 2,
           .y_pitch = y.pitch * 2,
           .y_is_bf16 = true};
    for (int64_t p = 0; p < panels.value_panels; ++p) {
      job.panel = panels.values.data() + (head * panels.value_panels + p) * panels.value_bytes;
      job.y = y.row(first) + (head * size + p * kPanelRows) * 2;
      job.columns = static_cast<int>(std::min<int64_t>(kPanelRows, size - p * kPanelRows));
      isa.bf16_pairs(job);
    }
  });
}

}  // namespace

void full_attention(ThreadPool& pool, const InstructionSet& isa, OnednnGemm& products,
                    const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                    int64_t heads) {
  if (q.dtype == DType::kBf16 && OnednnGemm::available()) {
    attend_by_products(pool, products, y, q, k, v, heads);
    return;
  }
  const int64_t channels = q.cols() / heads;
  if (q.dtype == DType::kBf16 && isa.bf16_pairs != nullptr && channels % 2 == 0) {
    attend_by_pairs(pool, isa, y, q, k, v, heads);
    return;
  }
  for (int64_t h = 0; h < heads; ++h) {
    const auto head = [&](const Tensor& t) { return t.slice_cols(h * channels, channels); };
    attend_by_loops(pool, head(y), head(q), head(k), head(v));
  }
}

}  // namespace bifrons::cpu
