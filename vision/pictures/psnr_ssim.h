// How alike two pictures are, by the two usual measures.
#pragma once

#include "vision/pictures/picture.h"

namespace bifrons {

// Both pictures have the same size.

// Peak signal to noise ratio over all channels in dB; infinite for equal pictures.
double psnr(const Picture& a, const Picture& b);

// Mean structural similarity of the luma 0.299 R + 0.587 G + 0.114 B (Wang, Bovik, Sheikh,
// Simoncelli 2004): 11x11 Gaussian windows of sigma 1.5 that lie inside, K1 0.01, K2 0.03; 1 for
// equal pictures. A picture of fewer pixels a side has smaller windows.
double ssim(const Picture& a, const Picture& b);

}  // namespace bifrons
