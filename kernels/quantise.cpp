// Quantises 16 groups at once, one in each lane, so that sums never cross lanes and every vector
// width gives the same bits.
#include "kernels/quantise.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/cpu/thread_pool.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons {
namespace {

constexpr int kLanes = 16;               // groups that are quantised together
constexpr int64_t kChunk = 64 * kLanes;  // groups that a thread takes at once

// Scales of smaller groups are zero: such weights are far below the rounding of every sum.
constexpr float kLeastMagnitude = 0x1p-100f;

// Adding and subtracting it rounds to the nearest integer, ties to even, below 2^22.
constexpr float kRound = 12582912.0f;

// One element of each group, in the vectors of the compiler.
typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Integers __attribute__((vector_size(4 * kLanes)));

// Candidates of the divisor d in scale = -w / d, where w is the element of the largest magnitude of
// a group of int4. Positive ones put it on the side of -8, negative ones on the side of 7; larger
// ones than 8 or 7 clip it.
struct Divisors {
  static constexpr int kCount = 28;
  float of[kCount];

  constexpr Divisors() : of() {
    for (int i = 0; i < 15; ++i) of[i] = 7.0f + 0.25f * static_cast<float>(i);
    for (int i = 15; i < kCount; ++i) of[i] = -6.5f - 0.25f * static_cast<float>(i - 15);
  }
};
constexpr Divisors kDivisors;

template <int kGroup>
struct Tile {
  Floats w[kGroup];
  Integers q[kGroup];
  Floats scale;  // bf16 numbers
  bool finite;
};

// Vectors are passed by reference: by value their calls would depend on the instruction set.

// The element of the largest magnitude of each group; `finite`: whether all are.
template <int kGroup>
[[gnu::always_inline]] inline void find_largest(Floats& largest, Tile<kGroup>& t) {
  largest = Floats{};
  Integers magnitude = {};
  for (int k = 0; k < kGroup; ++k) {
    const Integers of_k = Integers(t.w[k]) & 0x7fffffff;
    largest = of_k > magnitude ? t.w[k] : largest;
    magnitude = of_k > magnitude ? of_k : magnitude;
  }
  t.finite = true;
  for (int l = 0; l < kLanes; ++l) t.finite = t.finite && magnitude[l] < 0x7f800000;
}

// largest / divisor as bf16, rounded to nearest even; 0 where that is too small to matter.
[[gnu::always_inline]] inline void find_scales(Floats& scales, const Floats& largest,
                                               float divisor) {
  const Integers magnitude = Integers(largest) & 0x7fffffff;
  const Integers bits = Integers(largest / divisor);
  const Integers rounded = (bits + 0x7fff + (bits >> 16 & 1)) & static_cast<int32_t>(0xffff0000u);
  scales = magnitude < std::bit_cast<int32_t>(kLeastMagnitude) ? Floats{} : Floats(rounded);
}

// Inverses of scales; 0 of a scale that is 0.
[[gnu::always_inline]] inline void invert(Floats& inverse, const Floats& scale) {
  inverse = scale == 0.0f ? Floats{} : 1.0f / scale;
}

// x rounded to integers from low to high.
[[gnu::always_inline]] inline void round(Floats& x, const Floats& low, const Floats& high) {
  const Floats r = (x + kRound) - kRound;
  const Floats above = r > low ? r : low;
  x = above < high ? above : high;
}

template <int kGroup>
[[gnu::always_inline]] inline void round_all(Tile<kGroup>& t, float low, float high) {
  const Floats least = Floats{} + low, most = Floats{} + high;
  Floats inverse;
  invert(inverse, t.scale);
  for (int k = 0; k < kGroup; ++k) {
    Floats r = t.w[k] * inverse;
    round(r, least, most);
    t.q[k] = __builtin_convertvector(r, Integers);
  }
}

[[gnu::always_inline]] inline void quantise_int8(Tile<128>& t) {
  Floats largest;
  find_largest(largest, t);
  largest = Floats(Integers(largest) & 0x7fffffff);
  find_scales(t.scale, largest, 127.0f);
  round_all(t, -127.0f, 127.0f);
}

[[gnu::always_inline]] inline void quantise_int4(Tile<32>& t) {
  const Floats low = Floats{} - 8.0f, high = Floats{} + 7.0f;
  Floats largest;
  find_largest(largest, t);
  find_scales(t.scale, largest, -8.0f);
  Floats least = Floats{} + 0x1p127f;
  for (const float divisor : kDivisors.of) {
    Floats scale, inverse, error = {};
    find_scales(scale, largest, -divisor);
    invert(inverse, scale);
    for (int k = 0; k < 32; ++k) {
      Floats q = t.w[k] * inverse;
      round(q, low, high);
      const Floats difference = t.w[k] - scale * q;
      error += difference * difference;
    }
    t.scale = error < least ? scale : t.scale;
    least = error < least ? error : least;
  }
  round_all(t, -8.0f, 7.0f);
}

// Groups [first, first + kLanes) of all groups of the matrix in order; beyond `end` they are zeros.
template <int kGroup, typename T>
void load(Tile<kGroup>& t, const std::byte* data, int64_t first, int64_t end) {
  for (int l = 0; l < kLanes; ++l) {
    for (int k = 0; k < kGroup; ++k) {
      T x{};
      const int64_t at = (first + l) * kGroup + k;
      if (first + l < end) std::memcpy(&x, data + at * static_cast<int64_t>(sizeof x), sizeof x);
      t.w[k][l] = to_float(x);
    }
  }
}

template <int kGroup>
void store(const Tile<kGroup>& t, std::byte* values, std::byte* scales, int64_t first,
           int64_t end) {
  for (int l = 0; l < kLanes && first + l < end; ++l) {
    const Bf16 scale = to_bf16(t.scale[l]);
    std::memcpy(scales + (first + l) * 2, &scale, 2);
    if constexpr (kGroup == 128) {
      std::byte* to = values + (first + l) * kGroup;
      for (int k = 0; k < kGroup; ++k) {
        to[k] = static_cast<std::byte>(static_cast<uint8_t>(static_cast<int8_t>(t.q[k][l])));
      }
    } else {
      std::byte* to = values + (first + l) * (kGroup / 2);
      for (int k = 0; k < kGroup; k += 2) {
        to[k / 2] = static_cast<std::byte>((t.q[k][l] + 8) | (t.q[k + 1][l] + 8) << 4);
      }
    }
  }
}

// The groups of one chunk.
template <int kGroup>
bool quantise_groups(const HostArray& matrix, std::byte* values, std::byte* scales, int64_t begin,
                     int64_t end) {
  Tile<kGroup> tile;
  bool finite = true;
  for (int64_t first = begin; first < end; first += kLanes) {
    visit_stored(matrix.dtype,
                 [&]<typename T>(T) { load<kGroup, T>(tile, matrix.data, first, end); });
    cpu::vectorised([&tile]() __attribute__((always_inline)) {
      if constexpr (kGroup == 32) {
        quantise_int4(tile);
      } else {
        quantise_int8(tile);
      }
    });
    finite = finite && tile.finite;
    store(tile, values, scales, first, end);
  }
  return finite;
}

}  // namespace

struct Quantiser::State {
  cpu::ThreadPool pool;
};

Quantiser::Quantiser(int threads)
    : state_(new State{cpu::ThreadPool(threads > 0 ? threads : cpu::available_cores())}) {}
Quantiser::~Quantiser() = default;

bool Quantiser::quantise(const HostArray& matrix, LinearFormat format, std::span<std::byte> values,
                         std::span<std::byte> scales) {
  check(format != LinearFormat::kStored && matrix.cols % group_of(format) == 0,
        "quantise: the columns do not divide into groups");
  check(static_cast<int64_t>(values.size()) == matrix.rows * value_bytes(format, matrix.cols) &&
            static_cast<int64_t>(scales.size()) == matrix.rows * scale_bytes(format, matrix.cols),
        "quantise: the room does not fit the matrix");
  const int64_t groups = matrix.rows * (matrix.cols / group_of(format));
  std::atomic<bool> finite{true};
  state_->pool.run((groups + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk, end = std::min(groups, begin + kChunk);
    const bool good = format == LinearFormat::kInt4
                          ? quantise_groups<32>(matrix, values.data(), scales.data(), begin, end)
                          : quantise_groups<128>(matrix, values.data(), scales.data(), begin, end);
    if (!good) finite = false;
  });
  return finite;
}

}  // namespace bifrons
