// Convolution without a library: a direct convolution in f32, register tiles of 8 pixels x 32
// output channels, weights packed in panels.
#include <algorithm>
#include <mutex>
#include <vector>

#include "kernels/cpu/convolution.h"
#include "kernels/cpu/convolution_bands.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

constexpr int64_t kPanel = 32;  // output channels that are computed together
constexpr int64_t kPixels = 8;  // neighbouring output pixels that are computed together
constexpr int64_t kBandPixels = 1536;

// A band of input rows in f32, zero-padded.
struct PaddedRows {
  float* data = nullptr;
  int64_t width = 0;  // pixels of a row, padding included
  int64_t channels = 0;
};

// Computes sums[pixel][channel] for kTile neighbouring pixels and 16 kVectors channels of a panel
// of weights [tap][in][kPanel].
template <int64_t kStride, int64_t kTile, int64_t kVectors>
void multiply_tile(float* sums, const float* x, int64_t row, int64_t channels, int64_t kernel,
                   const float* panel) {
  vectorised([=]() __attribute__((always_inline)) {
    typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
    Lanes acc[kTile][kVectors] = {};
    const int64_t step = kStride * channels;
    const float* w = panel;
    for (int64_t ky = 0; ky < kernel; ++ky) {
      // The taps of one kernel row and their channels are contiguous in x.
      const float* from = x + ky * row;
      for (int64_t k = 0; k < kernel * channels; ++k, w += kPanel) {
        Lanes weights[kVectors];
        for (int64_t v = 0; v < kVectors; ++v) {
          weights[v] = *reinterpret_cast<const Lanes*>(w + v * 16);
        }
        for (int64_t p = 0; p < kTile; ++p) {
          for (int64_t v = 0; v < kVectors; ++v) acc[p][v] += weights[v] * from[p * step + k];
        }
      }
    }
    for (int64_t p = 0; p < kTile; ++p) {
      for (int64_t v = 0; v < kVectors; ++v) {
        *reinterpret_cast<Lanes*>(sums + p * kPanel + v * 16) = acc[p][v];
      }
    }
  });
}

// sums[kPixels][kPanel] of neighbouring pixels, in tiles whose sums fit into the registers.
template <int64_t kStride>
void multiply_pixels(float* sums, const float* x, int64_t row, int64_t channels, int64_t kernel,
                     const float* panel) {
  if (has_wide_vectors()) {
    return multiply_tile<kStride, kPixels, 2>(sums, x, row, channels, kernel, panel);
  }
  constexpr int64_t kTile = kPixels / 2;
  for (int64_t p = 0; p < kPixels; p += kTile) {
    for (int64_t c = 0; c < kPanel; c += 16) {
      multiply_tile<kStride, kTile, 1>(sums + p * kPanel + c, x + p * kStride * channels, row,
                                       channels, kernel, panel + c);
    }
  }
}

template <typename T>
void widen_rows(const PaddedRows& to, const Tensor& x, const Band& band, const Taps& taps) {
  const int64_t width = x.shape[1], channels = x.shape[2], row = to.width * channels;
  float* out = to.data;
  std::fill_n(out, band.above * row, 0.0f);
  out += band.above * row;
  for (int64_t h = 0; h < band.input_rows; ++h, out += row) {
    const T* from = x.as<T>() + (band.input_first + h) * width * channels;
    const int64_t left = taps.before * channels, n = width * channels;
    std::fill_n(out, left, 0.0f);
    float* middle = out + left;
    vectorised([=]() __attribute__((always_inline)) {
      for (int64_t i = 0; i < n; ++i) middle[i] = to_float(from[i]);
    });
    std::fill(middle + n, out + row, 0.0f);
  }
  std::fill_n(out, band.below * row, 0.0f);
}

// Computes one band of output rows for all panels of channels.
template <typename T>
void run_band(const Tensor& y, const PaddedRows& rows, const Band& band, const Convolution& weight,
              const Taps& taps, const Tensor* residual) {
  const int64_t width = y.shape[1], out = y.shape[2], in = rows.channels, row = rows.width * in;
  const int64_t panel_size = taps.kernel * taps.kernel * in * kPanel;
  const float* bias = static_cast<const float*>(weight.bias.data());
  float sums[kPixels * kPanel];
  for (int64_t first = 0; first < out; first += kPanel) {
    const float* panel =
        static_cast<const float*>(weight.storage.data()) + first / kPanel * panel_size;
    const int64_t columns = std::min(kPanel, out - first);
    for (int64_t h = 0; h < band.rows; ++h) {
      for (int64_t w = 0; w < width; w += kPixels) {
        const float* x = rows.data + h * taps.stride * row + w * taps.stride * in;
        (taps.stride == 1 ? multiply_pixels<1> : multiply_pixels<2>)(sums, x, row, in, taps.kernel,
                                                                     panel);
        for (int64_t p = 0; p < std::min(kPixels, width - w); ++p) {
          const int64_t at = ((band.first + h) * width + w + p) * out + first;
          T* to = y.as<T>() + at;
          const T* add = residual ? residual->as<T>() + at : nullptr;
          for (int64_t c = 0; c < columns; ++c) {
            to[c] = round_to<T>(sums[p * kPanel + c] + bias[first + c]);
            if (add) to[c] = round_to<T>(to_float(to[c]) + to_float(add[c]));
          }
        }
      }
    }
  }
}

}  // namespace

// Scratch areas, one for each thread that is computing a band.
struct Convolutions::State {
  std::mutex mutex;
  std::vector<std::vector<float>> idle;

  std::vector<float> take(int64_t size) {
    std::vector<float> area;
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        area = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (static_cast<int64_t>(area.size()) < size) area.resize(size);
    return area;
  }
  void give(std::vector<float> area) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(area));
  }
};

Convolutions::Convolutions() : state_(std::make_unique<State>()) {}
Convolutions::~Convolutions() = default;

std::string_view Convolutions::library() { return "own loops"; }

Convolution Convolutions::make(const HostArray& weight, const HostArray& bias, int64_t kernel,
                               Padding padding) {
  Convolution result;
  result.out = weight.rows;
  result.in = weight.cols / (kernel * kernel);
  result.kernel = kernel;
  result.padding = padding;
  result.dtype = weight.dtype == DType::kBf16 ? DType::kBf16 : DType::kF32;
  const int64_t panels = (result.out + kPanel - 1) / kPanel, taps = kernel * kernel;
  result.storage = allocate_host(panels * taps * result.in * kPanel * size_of(DType::kF32));
  float* to = static_cast<float*>(result.storage.data());
  for (int64_t o = 0; o < result.out; ++o) {
    for (int64_t i = 0; i < result.in; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        to[((o / kPanel * taps + t) * result.in + i) * kPanel + o % kPanel] =
            widened(weight, (o * result.in + i) * taps + t);
      }
    }
  }
  result.bias = widened_bias(bias);
  return result;
}

void Convolutions::run(ThreadPool& pool, const Tensor& y, const Tensor& x,
                       const Convolution& weight, const Tensor* residual) {
  const Taps taps(weight);
  const std::vector<Band> bands = cut_bands(taps, x.shape[0], y.shape[0], y.shape[1], kBandPixels);
  // The last tile of a row may compute pixels past the end of the row; the padded input covers
  // them.
  const int64_t tiles = (y.shape[1] + kPixels - 1) / kPixels;
  const int64_t width =
      std::max((tiles * kPixels - 1) * taps.stride + taps.kernel, x.shape[1] + taps.before);
  const int64_t rows = (bands[0].rows - 1) * taps.stride + taps.kernel;
  pool.run(static_cast<int64_t>(bands.size()), [&](int64_t i) {
    std::vector<float> area = state_->take(rows * width * weight.in);
    const PaddedRows padded{area.data(), width, weight.in};
    visit_activation(x.dtype, [&](auto element) {
      using T = decltype(element);
      widen_rows<T>(padded, x, bands[i], taps);
      run_band<T>(y, padded, bands[i], weight, taps, residual);
    });
    state_->give(std::move(area));
  });
}

}  // namespace bifrons::cpu
