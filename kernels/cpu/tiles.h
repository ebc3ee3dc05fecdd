// Shapes of the AMX tile registers; private to each unit that includes it.
#pragma once

#include <cstdint>

namespace bifrons::cpu {
namespace {

// The operand of ldtilecfg (Intel SDM 2, LDTILECFG, palette 1).
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// g++ does not model which memory the tile instructions read and write, so it might remove stores
// to it or move loads.
void stores_are_done() { __asm__ volatile("" ::: "memory"); }

}  // namespace
}  // namespace bifrons::cpu
