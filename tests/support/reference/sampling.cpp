// Oracle of the sampler for image tokens.
#include <algorithm>
#include <cmath>

#include "tests/support/reference/reference.h"

namespace bifrons::reference {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{3528531795u} * counter[0], b = uint64_t{3449720151u} * counter[2];
    const std::array<uint32_t, 4> next{
        static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
        static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    counter = next;
    key[0] += 2654435769u;
    key[1] += 3144134277u;
  }
  return counter;
}

double gumbel(uint32_t bits) {
  const double v = (static_cast<double>(bits) + 0.5) / 4294967296.0;
  return -std::log(-std::log1p(-v));
}

std::vector<int64_t> top_k_top_p(const Values& guided, const SampleSettings& draw) {
  std::vector<int64_t> order(guided.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return guided[a] > guided[b]; });
  if (draw.top_k > 0 && draw.top_k < static_cast<int64_t>(order.size())) order.resize(draw.top_k);
  if (draw.top_p < 1.0) {
    const double highest = guided[order[0]];
    double total = 0.0, reached = 0.0;
    for (int64_t code : order) total += std::exp((guided[code] - highest) / draw.temperature);
    size_t count = 0;
    while (count < order.size()) {
      reached += std::exp((guided[order[count++]] - highest) / draw.temperature) / total;
      if (reached >= draw.top_p) break;
    }
    order.resize(count);
  }
  std::sort(order.begin(), order.end());
  return order;
}

Values scores(const Values& guided, const SampleSettings& draw) {
  Values result(guided.size(), -INFINITY);
  for (int64_t code : top_k_top_p(guided, draw)) {
    const std::array<uint32_t, 4> words =
        philox({draw.step, static_cast<uint32_t>(code / 4), draw.stream, 0},
               {static_cast<uint32_t>(draw.seed), static_cast<uint32_t>(draw.seed >> 32)});
    result[code] = guided[code] / draw.temperature + gumbel(words[code % 4]);
  }
  return result;
}

int64_t sample(const Values& guided, const SampleSettings& draw) {
  for (double x : guided) {
    if (std::isnan(x) || x == INFINITY) return -1;
  }
  const Values ranked = draw.temperature == 0.0 ? guided : scores(guided, draw);
  return std::max_element(ranked.begin(), ranked.end()) - ranked.begin();
}

}  // namespace bifrons::reference
