// Packs the rows of a file into panels, one small block at a time, so that only the panels take
// memory.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/linear.h"

namespace bifrons::cpu {
namespace {

// Bytes of a row per block; a block fits in the cache.
constexpr int64_t kBlockBytes = 256;

struct RowSource {
  std::span<const HostArray> parts;

  // Address of stacked row r; null past the end.
  const std::byte* row(int64_t r) const {
    for (const HostArray& part : parts) {
      if (r < part.rows) return part.data + r * part.cols * size_of(part.dtype);
      r -= part.rows;
    }
    return nullptr;
  }
};

// Unit: the elements that stay together, i.e. a pair of bf16, one f16 or one f32.
template <typename Unit>
void pack_panel(std::byte* panel, const RowSource& source, int64_t first_row, int64_t row_bytes) {
  constexpr int kUnits = kBlockBytes / sizeof(Unit);
  const std::byte* rows[kPanelRows];
  for (int r = 0; r < kPanelRows; ++r) rows[r] = source.row(first_row + r);
  Unit block[kPanelRows][kUnits];
  Unit turned[kUnits][kPanelRows];
  for (int64_t at = 0; at < row_bytes; at += kBlockBytes) {
    const int64_t bytes = std::min(kBlockBytes, row_bytes - at);
    const int64_t units = (bytes + sizeof(Unit) - 1) / sizeof(Unit);
    for (int r = 0; r < kPanelRows; ++r) {
      if (bytes < kBlockBytes || !rows[r]) std::memset(block[r], 0, sizeof block[r]);
      if (rows[r]) std::memcpy(block[r], rows[r] + at, bytes);
    }
    for (int u = 0; u < kUnits; ++u) {
      for (int r = 0; r < kPanelRows; ++r) turned[u][r] = block[r][u];
    }
    std::memcpy(panel + at * kPanelRows, turned, units * sizeof turned[0]);
  }
}

}  // namespace

void pack_panels(ThreadPool& pool, const Tensor& storage, std::span<const HostArray> parts) {
  const DType dtype = parts.front().dtype;
  const int64_t in = parts.front().cols;
  int64_t out = 0;
  for (const HostArray& part : parts) out += part.rows;
  const int64_t bytes = panel_bytes(dtype, in);
  check(storage.bytes() >= panel_count(out) * bytes, "linear: storage too small for the panels");
  const RowSource source{parts};
  pool.run(panel_count(out), [&](int64_t p) {
    std::byte* panel = static_cast<std::byte*>(storage.data) + p * bytes;
    const int64_t row_bytes = in * size_of(dtype);
    if (dtype == DType::kF16) return pack_panel<uint16_t>(panel, source, p * kPanelRows, row_bytes);
    pack_panel<uint32_t>(panel, source, p * kPanelRows, row_bytes);
  });
}

}  // namespace bifrons::cpu
