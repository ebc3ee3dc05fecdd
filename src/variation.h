// Variations of a picture: which of its codes are kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vision/pictures/picture.h"

namespace bifrons {

// A picture in the encoder's size, made like its training pictures (docs/janus-pro.md 3.5): the
// short side scaled to `size` by Pillow's bicubic filter, the middle of the long side. A picture of
// that size stays as it is.
Picture fitted(const Picture& picture, int64_t size);

// The following functions return DrawRequest::fixed for the codes of a square grid in raster order:
// the code where it is kept, or -1 where it is to be sampled.

// Keeps the uppermost rows. Throws Error (usage): more rows than there are.
std::vector<int32_t> keep_rows(std::span<const int32_t> tokens, int64_t rows);

// Keeps a share 0..1 of all tokens, rounded to whole tokens, chosen by seed. With one seed, a
// smaller share is part of a larger one.
std::vector<int32_t> keep_share(std::span<const int32_t> tokens, double share, uint64_t seed);

// Keeps the tokens whose cell of the mask is darker than middle grey on average. The mask is a
// square of whole cells, at least one pixel per token.
std::vector<int32_t> keep_dark(std::span<const int32_t> tokens, const Picture& mask);

}  // namespace bifrons
