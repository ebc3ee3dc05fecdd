// Speculative decoding: accepts drafts and moves the windows.
#include "kernels/drafts.h"

#include <algorithm>
#include <array>

#include "kernels/cpu/ops.h"

namespace bifrons::cpu {
namespace {

int32_t* row_of(const Tensor& t, int64_t row) { return reinterpret_cast<int32_t*>(t.row(row)); }

void accept(const DraftWindows& windows, const Tensor& ids, int64_t p, int64_t width) {
  const int64_t rows = windows.rows();
  int32_t* const inputs = windows.inputs.as<int32_t>() + rows * p * width;
  int32_t* const step = windows.step.as<int32_t>() + p * width;
  int32_t* const position = windows.position.as<int32_t>() + rows * p * width;
  int32_t& pass = windows.pass.as<int32_t>()[p];
  const int64_t slots = windows.ring.cols() / (1 + width);
  int32_t* const slot = row_of(windows.ring, p) + pass % slots * (1 + width);
  const DraftWindow window{.inputs = inputs,
                           .sampled = ids.as<int32_t>() + rows * p * width,
                           .forced = row_of(windows.forced, p),
                           .rows = rows,
                           .begin = step[0],
                           .width = width,
                           .tokens = windows.forced.cols()};
  const int64_t live = window.live();
  ++pass;
  slot[0] = 0;
  if (live == 0) return;
  int64_t last = 0;
  while (!window.ends(last)) ++last;
  slot[0] = static_cast<int32_t>(last + 1);
  for (int64_t w = 0; w <= last; ++w) slot[1 + w] = window.code(w);
  std::array<int32_t, kMostWindow> next{};
  for (int64_t w = 0; w < width; ++w) next[w] = window.next_input(last, w);
  const int64_t begin = window.begin + last + 1, first = position[0] + last + 1;
  for (int64_t w = 0; w < width; ++w) {
    const int32_t at = begin + w < window.tokens ? static_cast<int32_t>(first + w) : -1;
    step[w] = static_cast<int32_t>(begin + w);
    std::fill_n(inputs + rows * w, rows, next[w]);
    std::fill_n(position + rows * w, rows, at);
  }
}

}  // namespace

void accept_drafts(const DraftWindows& windows, const Tensor& ids) {
  const int64_t pictures = windows.pass.count();
  for (int64_t p = 0; p < pictures; ++p) accept(windows, ids, p, windows.step.count() / pictures);
}

}  // namespace bifrons::cpu
