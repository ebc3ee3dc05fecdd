// Oracle of the ops that work row by row.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "tests/support/reference/reference.h"

namespace bifrons::reference {

double rounded(double x, DType dtype) {
  if (x == 0.0 || !std::isfinite(x)) return x;
  const int digits = dtype == DType::kF32 ? 24 : dtype == DType::kBf16 ? 8 : 11;
  const int lowest = dtype == DType::kF16 ? -14 : -126;  // exponent of the smallest normal number
  const double largest = dtype == DType::kF32    ? 0x1.fffffep127
                         : dtype == DType::kBf16 ? 0x1.fep127
                                                 : 65504.0;
  // The exponents of x and of the step stand in the bits of a double. The functions of <cmath> took
  // half the time of all op cases.
  const auto biased = static_cast<int>(std::bit_cast<uint64_t>(x) >> 52 & 0x7ff);
  const int exponent = std::max(biased - 1023, lowest);
  const auto step =
      std::bit_cast<double>(static_cast<uint64_t>(exponent - digits + 1 + 1023) << 52);
  const double y = std::nearbyint(x / step) * step;
  return std::fabs(y) > largest ? std::copysign(INFINITY, x) : y;
}

Values gather(const Values& table, int64_t cols, const Values& ids) {
  Values y;
  for (double id : ids) {
    const int64_t row = id < 0 ? 0 : static_cast<int64_t>(id);
    for (int64_t c = 0; c < cols; ++c) y.push_back(table[row * cols + c]);
  }
  return y;
}

Values rms_norm(const Values& x, const Values& weight, double eps, DType dtype) {
  const size_t cols = weight.size();
  Values y(x.size());
  for (size_t row = 0; row < x.size(); row += cols) {
    double sum = 0.0;
    for (size_t c = 0; c < cols; ++c) sum += x[row + c] * x[row + c];
    const double norm = std::sqrt(sum / static_cast<double>(cols) + eps);
    for (size_t c = 0; c < cols; ++c) {
      y[row + c] = rounded(x[row + c] / norm, dtype) * weight[c];
    }
  }
  return y;
}

Values layer_norm(const Values& x, const Values& weight, const Values& bias, double eps) {
  const size_t cols = weight.size();
  Values y(x.size());
  for (size_t row = 0; row < x.size(); row += cols) {
    double sum = 0.0, square = 0.0;
    for (size_t c = 0; c < cols; ++c) sum += x[row + c];
    const double mean = sum / static_cast<double>(cols);
    for (size_t c = 0; c < cols; ++c) square += (x[row + c] - mean) * (x[row + c] - mean);
    const double norm = std::sqrt(square / static_cast<double>(cols) + eps);
    for (size_t c = 0; c < cols; ++c) y[row + c] = (x[row + c] - mean) / norm * weight[c] + bias[c];
  }
  return y;
}

Values linear(const Values& x, const Values& weight, const Values& bias, int64_t in, int64_t out) {
  Values y;
  for (size_t row = 0; row < x.size(); row += in) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias.empty() ? 0.0 : bias[o];
      for (int64_t i = 0; i < in; ++i) sum += x[row + i] * weight[o * in + i];
      y.push_back(sum);
    }
  }
  return y;
}

Values linear_add(const Values& y, const Values& x, const Values& weight, const Values& bias,
                  int64_t in, int64_t out, DType dtype) {
  Values sum = linear(x, weight, bias, in, out);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = y[i] + rounded(sum[i], dtype);
  return sum;
}

Values dequantised(const QuantisedArray& matrix) {
  Values w;
  const int64_t group = matrix.format == LinearFormat::kInt8 ? 128 : 32;
  for (int64_t at = 0; at < matrix.rows * matrix.cols; ++at) {
    const auto byte = [](std::byte b) { return static_cast<int>(b); };
    const int low = byte(matrix.scales[at / group * 2]);
    const int high = byte(matrix.scales[at / group * 2 + 1]);
    const double scale = to_float(Bf16{static_cast<uint16_t>(low | high << 8)});
    int q = 0;
    if (matrix.format == LinearFormat::kInt8) {
      q = byte(matrix.values[at]);
      if (q > 127) q -= 256;
    } else {
      const int both = byte(matrix.values[at / 2]);
      q = (at % 2 == 0 ? both % 16 : both / 16) - 8;
    }
    w.push_back(scale * q);
  }
  return w;
}

Values swiglu(const Values& gate_up, int64_t half, DType dtype) {
  Values y;
  for (size_t row = 0; row < gate_up.size(); row += 2 * half) {
    for (int64_t i = 0; i < half; ++i) {
      const double gate = gate_up[row + i], up = gate_up[row + half + i];
      y.push_back(rounded(gate / (1.0 + std::exp(-gate)), dtype) * up);
    }
  }
  return y;
}

Values gelu(const Values& x) {
  Values y;
  for (double v : x) y.push_back(v * 0.5 * std::erfc(-v / std::sqrt(2.0)));
  return y;
}

Values guide(const Values& logits, const Values& scale, int64_t codes, int64_t rows) {
  Values guided;
  const int64_t conditional = rows - 1;
  for (size_t p = 0; p < scale.size() / conditional; ++p) {
    for (int64_t i = 0; i < codes; ++i) {
      const auto logit = [&](int64_t r) { return logits[(rows * p + r) * codes + i]; };
      double sum = 0, last = 1;  // a weighted sum; the weights add up to one
      for (int64_t r = 0; r < conditional; ++r) {
        sum += scale[p * conditional + r] * logit(r);
        last -= scale[p * conditional + r];
      }
      guided.push_back(sum + last * logit(conditional));
    }
  }
  return guided;
}

}  // namespace bifrons::reference
