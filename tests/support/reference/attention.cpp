// Oracle of RoPE and of both kinds of attention.
#include <algorithm>
#include <cmath>

#include "tests/support/reference/reference.h"

namespace bifrons::reference {
namespace {

// Index of element `c` at (sequence, head, position) of a cache.
size_t at(const Heads& heads, double sequence, int64_t head, double position, int64_t c) {
  const int64_t row = (static_cast<int64_t>(sequence) * heads.kv_heads + head) * heads.capacity +
                      static_cast<int64_t>(position);
  return static_cast<size_t>(row * heads.size + c);
}

// Element c of a head after RoPE; the head begins at x[first].
double rotated(const Values& x, size_t first, int64_t c, const Values& cos, const Values& sin,
               double position, int64_t size, DType dtype) {
  const int64_t half = size / 2, pair = c % half;
  const double cosine = cos[static_cast<int64_t>(position) * half + pair];
  const double sine = sin[static_cast<int64_t>(position) * half + pair];
  const double low = x[first + pair], high = x[first + pair + half];
  if (c < half) return rounded(low * cosine, dtype) - rounded(high * sine, dtype);
  return rounded(high * cosine, dtype) + rounded(low * sine, dtype);
}

Values softmax(const Values& scores) {
  const double highest = *std::max_element(scores.begin(), scores.end());
  Values p;
  double sum = 0.0;
  for (double s : scores) {
    p.push_back(std::exp(s - highest));
    sum += p.back();
  }
  for (double& x : p) x /= sum;
  return p;
}

}  // namespace

Int8Head to_int8(const Values& elements) {
  double largest = 0.0;
  for (double x : elements) {
    if (!std::isfinite(x)) return {NAN, Values(elements.size(), 0.0)};
    largest = std::max(largest, std::fabs(x));
  }
  if (largest < 0x1p-100) return {0.0, Values(elements.size(), 0.0)};
  Int8Head head{rounded(largest / 127.0, DType::kF32), {}};
  const double inverse = rounded(127.0 / largest, DType::kF32);
  for (double x : elements) {
    head.codes.push_back(std::nearbyint(rounded(x * inverse, DType::kF32)));
  }
  return head;
}

Values through_int8(const Values& cache, int64_t size) {
  Values all;
  for (size_t i = 0; i < cache.size(); i += size) {
    const Values elements(cache.begin() + i, cache.begin() + i + size);
    const Int8Head head = to_int8(elements);
    for (int64_t c = 0; c < size; ++c) {
      all.push_back(std::isnan(elements[0]) ? NAN : head.scale * head.codes[c]);
    }
  }
  return all;
}

Values rope_append(Values& k, Values& v, const Values& qkv, const Values& cos, const Values& sin,
                   const Values& sequence, const Values& position, const Heads& heads,
                   DType dtype) {
  Values q;
  const size_t width = (heads.heads + 2 * heads.kv_heads) * heads.size;
  for (size_t m = 0; m < sequence.size(); ++m) {
    for (int64_t h = 0; h < heads.heads + 2 * heads.kv_heads; ++h) {
      const size_t first = m * width + h * heads.size;
      for (int64_t c = 0; c < heads.size; ++c) {
        const double turned = rotated(qkv, first, c, cos, sin, position[m], heads.size, dtype);
        if (h < heads.heads) {
          q.push_back(turned);
        } else if (h < heads.heads + heads.kv_heads) {
          k[at(heads, sequence[m], h - heads.heads, position[m], c)] = turned;
        } else {
          v[at(heads, sequence[m], h - heads.heads - heads.kv_heads, position[m], c)] =
              qkv[first + c];
        }
      }
    }
  }
  return q;
}

Values attention(const Values& q, const Values& k, const Values& v, const Values& sequence,
                 const Values& position, const Heads& heads) {
  Values y;
  for (size_t m = 0; m < sequence.size(); ++m) {
    for (int64_t h = 0; h < heads.heads; ++h) {
      const int64_t shared = h / (heads.heads / heads.kv_heads);
      const size_t first = (m * heads.heads + h) * heads.size;
      Values scores;
      for (int64_t j = 0; j <= static_cast<int64_t>(position[m]); ++j) {
        double dot = 0.0;
        for (int64_t c = 0; c < heads.size; ++c) {
          dot += q[first + c] * k[at(heads, sequence[m], shared, j, c)];
        }
        scores.push_back(dot / std::sqrt(static_cast<double>(heads.size)));
      }
      const Values p = softmax(scores);
      for (int64_t c = 0; c < heads.size; ++c) {
        double sum = 0.0;
        for (size_t j = 0; j < p.size(); ++j) sum += p[j] * v[at(heads, sequence[m], shared, j, c)];
        y.push_back(sum);
      }
    }
  }
  return y;
}

Values full_attention(const Values& q, const Values& k, const Values& v, int64_t channels,
                      int64_t heads, DType dtype) {
  const int64_t size = channels / heads;
  Values y;
  for (size_t i = 0; i < q.size(); i += channels) {
    for (int64_t first = 0; first < channels; first += size) {
      Values scores;
      for (size_t j = 0; j < k.size(); j += channels) {
        double dot = 0.0;
        for (int64_t c = first; c < first + size; ++c) dot += q[i + c] * k[j + c];
        scores.push_back(rounded(dot / std::sqrt(static_cast<double>(size)), dtype));
      }
      Values p = softmax(scores);
      for (double& weight : p) weight = rounded(weight, dtype);
      for (int64_t c = first; c < first + size; ++c) {
        double sum = 0.0;
        for (size_t j = 0; j < p.size(); ++j) sum += p[j] * v[j * channels + c];
        y.push_back(sum);
      }
    }
  }
  return y;
}

}  // namespace bifrons::reference
