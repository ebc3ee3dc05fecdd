// Packs quantised matrices, row-major as in a file, into the panels of the kernels.
#include <cstring>

#include "kernels/cpu/quantised_linear.h"

namespace bifrons::cpu {
namespace {

// A row of the stacked parts; null pointers past the end.
struct Row {
  const std::byte* values = nullptr;
  const std::byte* scales = nullptr;
};

Row row_of(std::span<const QuantisedArray> parts, int64_t r) {
  for (const QuantisedArray& part : parts) {
    if (r < part.rows) {
      return {part.values + r * value_bytes(part.format, part.cols),
              part.scales + r * scale_bytes(part.format, part.cols)};
    }
    r -= part.rows;
  }
  return {};
}

uint32_t load_dword(const std::byte* from) {
  uint32_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

// The halves of the low 16 bits in the low halves of four bytes.
uint32_t in_low_halves(uint32_t bits) {
  bits = (bits | bits << 8) & 0x00ff00ffu;
  return (bits | bits << 4) & 0x0f0f0f0fu;
}

// Four bytes of int4 as in a file, eight k in order, as the kernels take them: the first four in
// low halves, the next four in high ones.
uint32_t interleaved(uint32_t bits) {
  return in_low_halves(bits & 0xffffu) | in_low_halves(bits >> 16) << 4;
}

void pack_panel(std::byte* panel, const Row* rows, LinearFormat format, int64_t in) {
  const int64_t group = group_of(format), groups = in / group;
  const int64_t row_bytes = value_bytes(format, group);  // of one group
  std::byte* scales = panel;
  for (int64_t g = 0; g < groups; ++g) {
    if (g % 2 == 0) {
      scales = panel;
      panel += 64;
    }
    for (int r = 0; r < kQuantisedRows; ++r) {
      if (rows[r].scales == nullptr) continue;
      std::memcpy(scales + (g % 2 * kQuantisedRows + r) * 2, rows[r].scales + g * 2, 2);
    }
    for (int64_t at = 0; at < row_bytes; at += 4) {
      for (int r = 0; r < kQuantisedRows; ++r, panel += 4) {
        if (rows[r].values == nullptr) continue;
        const uint32_t stored = load_dword(rows[r].values + g * row_bytes + at);
        const uint32_t bits =
            format == LinearFormat::kInt4 ? interleaved(stored) : stored ^ 0x80808080u;
        std::memcpy(panel, &bits, sizeof bits);
      }
    }
  }
}

}  // namespace

void pack_quantised(ThreadPool& pool, const Tensor& storage,
                    std::span<const QuantisedArray> parts) {
  const LinearFormat format = parts.front().format;
  const int64_t in = parts.front().cols, bytes = quantised_panel_bytes(format, in);
  int64_t out = 0;
  for (const QuantisedArray& part : parts) out += part.rows;
  check(storage.bytes() >= quantised_panel_count(out) * bytes,
        "linear: storage too small for the panels");
  pool.run(quantised_panel_count(out), [&](int64_t p) {
    Row rows[kQuantisedRows];
    for (int r = 0; r < kQuantisedRows; ++r) rows[r] = row_of(parts, p * kQuantisedRows + r);
    pack_panel(static_cast<std::byte*>(storage.data) + p * bytes, rows, format, in);
  });
}

}  // namespace bifrons::cpu
