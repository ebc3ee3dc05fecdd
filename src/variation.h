// From a picture to what of it a variation keeps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vision/picture.h"

namespace bifrons {

// A picture as the encoder takes it, the way its training pictures were made
// (docs/janus-pro.md 3.5): the short side scaled to `size` by Pillow's bicubic filter, the middle of
// the long side. A picture of that size stays as it is.
Picture fitted(const Picture& picture, int64_t size);

// The following give DrawRequest::fixed for the codes of a square grid in raster order: a code that
// is kept, or -1 for one to be drawn.

// The uppermost rows. Throws Error (usage): more rows than there are.
std::vector<int32_t> keep_rows(std::span<const int32_t> tokens, int64_t rows);

// A share 0..1 of all tokens, rounded to whole tokens, chosen by seed. A smaller share of one seed
// is part of a larger one.
std::vector<int32_t> keep_share(std::span<const int32_t> tokens, double share, uint64_t seed);

// Those whose cell of the mask is darker than middle grey on average. The mask is a square of at
// least one pixel a token.
std::vector<int32_t> keep_dark(std::span<const int32_t> tokens, const Picture& mask);

}  // namespace bifrons
