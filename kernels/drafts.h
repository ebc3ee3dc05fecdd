// Verification of drafts in speculative decoding, one window at a time. All backends use these
// functions.
#pragma once

#include <cstdint>

namespace bifrons {

// The window of one picture before accept_drafts() moves it.
struct DraftWindow {
  const int32_t* inputs;   // input of column w at index rows w
  const int32_t* sampled;  // code of column w at index rows w; negative: could not be sampled
  const int32_t* forced;   // [tokens]; -1: not forced
  int64_t rows;            // rows of a column: those of a picture
  int64_t begin;           // image token that column 0 samples
  int64_t width;
  int64_t tokens;

  // Number of columns that sample an image token; the others are idle.
  constexpr int64_t live() const {
    const int64_t left = tokens - begin;
    return left < 0 ? 0 : left < width ? left : width;
  }
  // The code of a live column: the forced one if there is one, else the sampled one.
  constexpr int32_t code(int64_t w) const {
    const int32_t force = forced[begin + w];
    return force >= 0 ? force : sampled[rows * w];
  }
  // Whether the codes behind this live column must be rejected in this pass.
  constexpr bool ends(int64_t w) const {
    const int32_t now = code(w);
    return w + 1 >= live() || now < 0 || inputs[rows * (w + 1)] != now;
  }
  // Input of column w of the next window, after the codes of columns 0 .. last were accepted.
  // Column 0 has the last accepted code. The other columns have drafts: codes of the columns behind
  // it, forced codes, or the code to the left.
  constexpr int32_t next_input(int64_t last, int64_t w) const {
    for (int64_t i = w; i >= 0; --i) {
      const int64_t at = last + i;
      int32_t known = -1;
      if (at < live()) {
        known = code(at);
      } else if (begin + at < tokens) {
        known = forced[begin + at];
      }
      if (known >= 0) return known;
    }
    return 0;
  }
};

}  // namespace bifrons
