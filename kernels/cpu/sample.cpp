// Classifier-free guidance and the sampler of image tokens (Gumbel-max with Philox noise).
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/cpu/ops.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/sampling.h"

namespace bifrons::cpu {
namespace {

// Sampling settings of one picture.
struct Draw {
  float temperature;
  int32_t top_k;
  float top_p;
  uint64_t seed;
  uint32_t step;
  uint32_t stream;
};

bool drawable(const float* logits, int64_t n) {
  int good = 1;
  vectorised([&good, logits, n ]() __attribute__((always_inline)) {
    int all = 1;
    for (int64_t i = 0; i < n; ++i) all &= logits[i] < std::numeric_limits<float>::infinity();
    good = all;  // a NaN compares false as well
  });
  return good != 0;
}

int32_t greedy(const float* logits, int64_t n) {
  return static_cast<int32_t>(std::max_element(logits, logits + n) - logits);
}

// The codes that may be sampled: the top_k highest values, and of these the fewest whose share of
// the probability reaches top_p. Equal values rank by code.
std::vector<char> top_k_top_p(const float* logits, int64_t n, const Draw& draw) {
  std::vector<int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  const auto higher = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  if (draw.top_k > 0 && draw.top_k < n) {
    std::nth_element(order.begin(), order.begin() + draw.top_k, order.end(), higher);
    order.resize(draw.top_k);
  }
  if (draw.top_p < 1.0f) {
    std::sort(order.begin(), order.end(), higher);
    const auto mass = [&, highest = logits[order[0]]](int32_t code) {
      return drawing_mass(logits[code], highest, draw.temperature);
    };
    uint64_t total = 0;
    for (int32_t code : order) total += mass(code);
    const uint64_t enough = mass_to_reach(draw.top_p, total);
    uint64_t reached = 0;
    size_t count = 0;
    while (count < order.size() && reached < enough) reached += mass(order[count++]);
    order.resize(count);
  }
  std::vector<char> kept(n, 0);
  for (int32_t code : order) kept[code] = 1;
  return kept;
}

// Codes per block of noise; a multiple of 4.
constexpr int64_t kNoiseCodes = 256;

// noise[i] is the noise of code first + i: gumbel_block() for many blocks at once.
void make_noise(float* noise, const Draw& draw, int64_t first) {
  constexpr int kBlocks = kNoiseCodes / 4;
  const uint32_t step = draw.step, stream = draw.stream, block = static_cast<uint32_t>(first / 4);
  const uint64_t seed = draw.seed;
  vectorised([=]() __attribute__((always_inline)) {
    alignas(64) uint32_t a[kBlocks], b[kBlocks], c[kBlocks], d[kBlocks], words[kNoiseCodes];
    for (int i = 0; i < kBlocks; ++i) {
      a[i] = step;
      b[i] = block + static_cast<uint32_t>(i);
      c[i] = stream;
      d[i] = 0;
    }
    std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    for (int round = 0; round < kPhiloxRounds; ++round) {
      for (int i = 0; i < kBlocks; ++i) {
        const std::array<uint32_t, 4> mixed = philox_round({a[i], b[i], c[i], d[i]}, key);
        a[i] = mixed[0];
        b[i] = mixed[1];
        c[i] = mixed[2];
        d[i] = mixed[3];
      }
      key = philox_next_key(key);
    }
    for (int i = 0; i < kBlocks; ++i) {
      words[4 * i] = a[i];
      words[4 * i + 1] = b[i];
      words[4 * i + 2] = c[i];
      words[4 * i + 3] = d[i];
    }
    for (int64_t i = 0; i < kNoiseCodes; ++i) noise[i] = gumbel(words[i]);
  });
}

// scores[i] = logits[i] / temperature + scores[i]; returns the maximum.
float add_logits(float* scores, const float* logits, int64_t n, float temperature) {
  constexpr int kPartials = 16;
  float high[kPartials];
  vectorised([&, scores, logits, n, temperature ]() __attribute__((always_inline)) {
    float partial[kPartials];
    for (float& x : partial) x = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < n; ++i) scores[i] = logits[i] / temperature + scores[i];
    const int64_t whole = n - n % kPartials;
    for (int64_t i = 0; i < whole; i += kPartials) {
      for (int s = 0; s < kPartials; ++s) {
        partial[s] = scores[i + s] > partial[s] ? scores[i + s] : partial[s];
      }
    }
    for (int64_t i = whole; i < n; ++i)
      partial[0] = scores[i] > partial[0] ? scores[i] : partial[0];
    for (int s = 0; s < kPartials; ++s) high[s] = partial[s];
  });
  return *std::max_element(high, high + kPartials);
}

int32_t draw_code(const float* logits, int64_t n, const Draw& draw) {
  if (!drawable(logits, n)) return -1;
  if (draw.temperature == 0.0f) return greedy(logits, n);
  std::vector<char> kept;
  if ((draw.top_k > 0 && draw.top_k < n) || draw.top_p < 1.0f) kept = top_k_top_p(logits, n, draw);

  int32_t best = -1;
  float best_score = 0.0f;
  alignas(64) float scores[kNoiseCodes];  // holds the noise at first
  for (int64_t first = 0; first < n; first += kNoiseCodes) {
    const int64_t count = std::min(kNoiseCodes, n - first);
    make_noise(scores, draw, first);
    const float highest = add_logits(scores, logits + first, count, draw.temperature);
    if (best >= 0 && !(highest > best_score)) continue;
    for (int64_t i = 0; i < count; ++i) {
      if (!kept.empty() && !kept[first + i]) continue;
      if (best < 0 || scores[i] > best_score) {
        best = static_cast<int32_t>(first + i);
        best_score = scores[i];
      }
    }
  }
  return beyond_noise(best_score) ? greedy(logits, n) : best;
}

}  // namespace

void guide(ThreadPool& pool, const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  const int64_t n = guided.cols(), rows = logits.rows() / std::max<int64_t>(1, guided.rows());
  pool.run(guided.rows(), [&](int64_t p) {
    const float* unconditional = reinterpret_cast<const float*>(logits.row(rows * (p + 1) - 1));
    float* to = reinterpret_cast<float*>(guided.row(p));
    for (int64_t r = 0; r + 1 < rows; ++r) {
      const float* conditional = reinterpret_cast<const float*>(logits.row(rows * p + r));
      const float s = scale.as<float>()[(rows - 1) * p + r];
      const float* from = r == 0 ? unconditional : to;
      vectorised([=]() __attribute__((always_inline)) {
        for (int64_t i = 0; i < n; ++i) to[i] = from[i] + s * (conditional[i] - unconditional[i]);
      });
    }
  });
}

void sample(ThreadPool& pool, const Tensor& ids, const Tensor& guided,
            const SampleControls& controls) {
  const int64_t rows = ids.count() / std::max<int64_t>(1, guided.rows());
  pool.run(guided.rows(), [&](int64_t p) {
    const int32_t* seed = reinterpret_cast<const int32_t*>(controls.seed.row(p));
    const Draw draw{
        .temperature = controls.temperature.as<float>()[p],
        .top_k = controls.top_k.as<int32_t>()[p],
        .top_p = controls.top_p.as<float>()[p],
        .seed = uint64_t{static_cast<uint32_t>(seed[1])} << 32 | static_cast<uint32_t>(seed[0]),
        .step = static_cast<uint32_t>(controls.step.as<int32_t>()[p]),
        .stream = controls.stream};
    const int32_t id =
        draw_code(reinterpret_cast<const float*>(guided.row(p)), guided.cols(), draw);
    std::fill_n(ids.as<int32_t>() + rows * p, rows, id);
  });
}

void force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) {
  const int64_t rows = ids.count() / std::max<int64_t>(1, forced.rows());
  for (int64_t p = 0; p < forced.rows(); ++p) {
    const int64_t at = step.as<int32_t>()[p];
    if (at < 0 || at >= forced.cols()) continue;
    const int32_t code = reinterpret_cast<const int32_t*>(forced.row(p))[at];
    if (code < 0) continue;
    std::fill_n(ids.as<int32_t>() + rows * p, rows, code);
  }
}

void record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) {
  const int64_t rows = ids.count() / std::max<int64_t>(1, ring.rows());
  for (int64_t p = 0; p < ring.rows(); ++p) {
    const int64_t at = step.as<int32_t>()[p] % ring.cols();
    reinterpret_cast<int32_t*>(ring.row(p))[at] = ids.as<int32_t>()[rows * p];
  }
}

}  // namespace bifrons::cpu
