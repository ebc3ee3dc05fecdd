// Quantised panels of int8 on AMX tiles of bytes: 16 rows of x by the 16 rows of a panel. With few
// rows, and for int4, AVX-512 VNNI is faster; both give the same bits.
#include <immintrin.h>

#include "kernels/cpu/quantised_kernels.h"
#include "kernels/cpu/tiles.h"

namespace bifrons::cpu {
namespace {

struct AmxDot {};
using Weights = Int8Weights<AmxDot>;

constexpr int kTileRows = 16;
constexpr int kDepth = 64;                   // k of a tile
constexpr int kPitch = 2 * Weights::kGroup;  // bytes from one row of x to the next

// From so many rows of x on tiles are used.
constexpr int64_t kFewestRows = 17;

// Tile registers 0 and 1 hold the sums of high and low bytes, 2 and 3 bytes of x, 4 weights.
void shape_tiles(int64_t rows) {
  TileShapes shapes;
  for (int i = 0; i < 5; ++i) {
    shapes.rows[i] = static_cast<uint8_t>(i < 4 ? rows : kDepth / 4);
    shapes.row_bytes[i] = 64;
  }
  stores_are_done();
  _tile_loadconfig(&shapes);
}

// Products of a tile of weights with both bytes of x.
void multiply(const std::byte* weights, const std::byte* x) {
  _tile_loadd(4, weights, 64);
  _tile_loadd(2, x, kPitch);
  _tile_loadd(3, x + Weights::kGroup, kPitch);
  _tile_dpbsud(0, 2, 4);
  _tile_dpbsud(1, 3, 4);
}

// Sums of `rows` rows of x from `first` on, [row][kQuantisedRows].
void accumulate(const QuantisedJob& job, int64_t first, int64_t rows, float* sums) {
  alignas(64) int32_t high[kTileRows * kQuantisedRows];
  alignas(64) int32_t low[kTileRows * kQuantisedRows];
  for (int64_t m = 0; m < rows; ++m) {
    _mm512_store_ps(sums + m * kQuantisedRows, _mm512_setzero_ps());
  }
  const std::byte* panel = job.panel;
  const std::byte* of_groups = panel;  // scales
  for (int64_t g = 0; g < job.groups; ++g, panel += Weights::kValueBytes) {
    if (g % 2 == 0) {
      of_groups = panel;
      panel += 64;
    }
    for (int line = 0; line <= Weights::kValueBytes; line += 64) {
      __builtin_prefetch(panel + kPrefetch + line, 0, 3);
    }
    const int64_t at = g * job.rows + first;
    const std::byte* x = job.x + at * kPitch;
    _tile_zero(0);
    _tile_zero(1);
    multiply(panel, x);
    multiply(panel + kQuantisedRows * kDepth, x + kDepth);
    _tile_stored(0, high, 64);
    _tile_stored(1, low, 64);
    stores_are_done();
    const __m256i bf16 =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(of_groups + g % 2 * 32));
    const __m512 sw = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
    for (int64_t m = 0; m < rows; ++m) {
      const __m512i bytes = _mm512_slli_epi32(_mm512_load_si512(high + m * kQuantisedRows), 8);
      const __m512i both = _mm512_add_epi32(bytes, _mm512_load_si512(low + m * kQuantisedRows));
      const __m512i total = _mm512_add_epi32(both, _mm512_set1_epi32(job.x_offsets[at + m]));
      const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(job.x_scales[at + m]), sw);
      float* sum = sums + m * kQuantisedRows;
      _mm512_store_ps(sum, _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(total), _mm512_load_ps(sum)));
    }
  }
}

void run_int8(const QuantisedJob& job) {
  if (job.rows < kFewestRows) return kVnniQuantised.int8(job);
  alignas(64) float sums[kTileRows * kQuantisedRows];
  int64_t shaped = 0;
  for (int64_t first = 0; first < job.rows; first += kTileRows) {
    const int64_t rows = job.rows - first < kTileRows ? job.rows - first : kTileRows;
    if (rows != shaped) shape_tiles(shaped = rows);
    accumulate(job, first, rows, sums);
    for (int64_t m = 0; m < rows; ++m) {
      finish_columns<AmxDot>(job, sums + m * kQuantisedRows, job.y + (first + m) * job.y_pitch,
                             job.columns);
    }
  }
  _tile_release();
}

void run_int4(const QuantisedJob& job) { kVnniQuantised.int4(job); }

constexpr QuantisedKernels amx_kernels() {
  QuantisedKernels kernels;
  kernels.int8 = run_int8;
  kernels.int4 = run_int4;
  return kernels;
}

}  // namespace

const QuantisedKernels kAmxQuantised = amx_kernels();

}  // namespace bifrons::cpu
