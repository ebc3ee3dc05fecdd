// Guidance and the drawing of image tokens.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/cpu/ops.h"
#include "kernels/sampling.h"

namespace bifrons::cpu {
namespace {

// How one picture is drawn.
struct Draw {
  float temperature;
  int32_t top_k;
  float top_p;
  uint64_t seed;
  uint32_t step;
};

bool drawable(const float* logits, int64_t n) {
  bool good = true;
  for (int64_t i = 0; i < n; ++i) good &= logits[i] < std::numeric_limits<float>::infinity();
  return good;  // a NaN compares false as well
}

int32_t greedy(const float* logits, int64_t n) {
  return static_cast<int32_t>(std::max_element(logits, logits + n) - logits);
}

// Which codes may be drawn: the top_k highest values, of these the fewest whose share of the
// probability reaches top_p. Equal values rank by code.
std::vector<char> kept_codes(const float* logits, int64_t n, const Draw& draw) {
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

int32_t draw_code(const float* logits, int64_t n, const Draw& draw) {
  if (!drawable(logits, n)) return -1;
  if (draw.temperature == 0.0f) return greedy(logits, n);
  std::vector<char> kept;
  if ((draw.top_k > 0 && draw.top_k < n) || draw.top_p < 1.0f) kept = kept_codes(logits, n, draw);

  int32_t best = -1;
  float best_score = 0.0f;
  for (int64_t block = 0; 4 * block < n; ++block) {
    const std::array<float, 4> noise =
        gumbel_block(draw.seed, draw.step, static_cast<uint32_t>(block));
    for (int64_t i = 4 * block; i < std::min(n, 4 * block + 4); ++i) {
      if (!kept.empty() && !kept[i]) continue;
      const float score = logits[i] / draw.temperature + noise[i - 4 * block];
      if (best < 0 || score > best_score) {
        best = static_cast<int32_t>(i);
        best_score = score;
      }
    }
  }
  return best;
}

}  // namespace

void guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  const int64_t n = guided.cols();
  for (int64_t p = 0; p < guided.rows(); ++p) {
    const float* prompted = reinterpret_cast<const float*>(logits.row(2 * p));
    const float* unprompted = reinterpret_cast<const float*>(logits.row(2 * p + 1));
    float* to = reinterpret_cast<float*>(guided.row(p));
    const float s = scale.as<float>()[p];
    for (int64_t i = 0; i < n; ++i) to[i] = unprompted[i] + s * (prompted[i] - unprompted[i]);
  }
}

void sample(ThreadPool& pool, const Tensor& ids, const Tensor& guided,
            const SampleControls& controls) {
  pool.run(guided.rows(), [&](int64_t p) {
    const int32_t* seed = reinterpret_cast<const int32_t*>(controls.seed.row(p));
    const Draw draw{
        .temperature = controls.temperature.as<float>()[p],
        .top_k = controls.top_k.as<int32_t>()[p],
        .top_p = controls.top_p.as<float>()[p],
        .seed = uint64_t{static_cast<uint32_t>(seed[1])} << 32 | static_cast<uint32_t>(seed[0]),
        .step = static_cast<uint32_t>(controls.step.as<int32_t>()[p])};
    const int32_t id =
        draw_code(reinterpret_cast<const float*>(guided.row(p)), guided.cols(), draw);
    ids.as<int32_t>()[2 * p] = id;
    ids.as<int32_t>()[2 * p + 1] = id;
  });
}

}  // namespace bifrons::cpu
