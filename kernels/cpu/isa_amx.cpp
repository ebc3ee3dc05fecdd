// AVX-512 with AMX tiles: GEMM of bf16 weights and activations, tiles of 16 rows of x by 16 rows of
// a panel.
#include "kernels/cpu/group_norm_avx512.h"
#include "kernels/cpu/tiles.h"

namespace bifrons::cpu {
namespace {

// A type private to this unit, for the templates of panel_kernels.h.
struct Amx {};

constexpr int kTile = 16;                       // rows of a tile, and dwords of a row
constexpr int kBlock = 2 * kTile;               // rows of x in one pass
constexpr int kStep = 16;                       // pairs of k in a row of a tile of x
constexpr int kPairBytes = kPanelRows * 4;      // one pair of k of all rows of a panel
constexpr int kStepBytes = kStep * kPairBytes;  // part of a panel in two tiles

// Tile registers 0 to 3 hold sums, [16 rows of x][half of the panel]; 4 and 5 hold x; 6 and 7
// weights. The pairs of k in a panel already have the layout that the instruction needs.
void shape_tiles(int64_t rows) {
  TileShapes shapes;
  const auto low = static_cast<uint8_t>(rows < kTile ? rows : kTile);
  const auto high = static_cast<uint8_t>(rows > kTile ? rows - kTile : 1);
  const uint8_t of_tile[8] = {low, low, high, high, low, high, kStep, kStep};
  for (int i = 0; i < 8; ++i) {
    shapes.rows[i] = of_tile[i];
    shapes.row_bytes[i] = 64;
  }
  stores_are_done();
  _tile_loadconfig(&shapes);
}

template <bool kBoth>
void multiply(const std::byte* x, int64_t x_pitch, const std::byte* weights) {
  _tile_loadd(4, x, x_pitch);
  _tile_loadd(6, weights, kPairBytes);
  _tile_loadd(7, weights + 64, kPairBytes);
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  if constexpr (kBoth) {
    _tile_loadd(5, x + kTile * x_pitch, x_pitch);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

// Multiplies the last pairs of k, padded with zeros.
template <bool kBoth>
void multiply_rest(const PanelJob& job, int64_t rows, const std::byte* x,
                   const std::byte* weights) {
  const int64_t pairs = job.steps % kStep;
  alignas(64) std::byte some_x[kBlock * 64] = {};
  alignas(64) std::byte some_weights[kStepBytes] = {};
  for (int64_t m = 0; m < rows; ++m) {
    __builtin_memcpy(some_x + m * 64, x + m * job.x_pitch, pairs * 4);
  }
  __builtin_memcpy(some_weights, weights, pairs * kPairBytes);
  stores_are_done();
  multiply<kBoth>(some_x, 64, some_weights);
}

template <bool kBoth>
void accumulate_tiles(const PanelJob& job, int64_t rows, const std::byte* x, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kBoth) {
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::byte* weights = job.panel;
  for (int64_t s = kStep; s <= job.steps; s += kStep, x += 64, weights += kStepBytes) {
    for (int line = 0; line < kStepBytes; line += 64) {
      __builtin_prefetch(weights + kPrefetch + line, 0, 3);
    }
    multiply<kBoth>(x, job.x_pitch, weights);
  }
  if (job.steps % kStep != 0) multiply_rest<kBoth>(job, rows, x, weights);
  _tile_stored(0, sums, kPairBytes);
  _tile_stored(1, sums + kTile, kPairBytes);
  if constexpr (kBoth) {
    _tile_stored(2, sums + kTile * kPanelRows, kPairBytes);
    _tile_stored(3, sums + kTile * kPanelRows + kTile, kPairBytes);
  }
}

// Every sum is one chain over steps of 32 k. Within a step the products of even k and of odd k are
// summed separately, then added to the sum. Subnormals are taken as zero, in and out (Intel SDM 2,
// TDPBF16PS).
void run_tiles(const PanelJob& job) {
  alignas(64) float sums[kBlock * kPanelRows];
  int64_t shaped = 0;
  for (int64_t first = 0; first < job.rows; first += kBlock) {
    const int64_t rows = job.rows - first < kBlock ? job.rows - first : kBlock;
    if (rows != shaped) shape_tiles(shaped = rows);
    const std::byte* x = job.x + first * job.x_pitch;
    if (rows > kTile) {
      accumulate_tiles<true>(job, rows, x, sums);
    } else {
      accumulate_tiles<false>(job, rows, x, sums);
    }
    for (int64_t m = 0; m < rows; ++m) {
      finish<Amx>(job, sums + m * kPanelRows, job.y + (first + m) * job.y_pitch);
    }
  }
  _tile_release();
}

constexpr InstructionSet amx() {
  InstructionSet set = avx512_table("amx");
  set.bf16_pairs = run_tiles;
  set.quantised = &kAmxQuantised;
  return set;
}

constexpr InstructionSet kAmx = amx();

}  // namespace

const InstructionSet& amx_instruction_set() { return kAmx; }

}  // namespace bifrons::cpu
