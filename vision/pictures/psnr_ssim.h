// PSNR and SSIM: similarity of two pictures.
#pragma once

#include "vision/pictures/picture.h"

namespace bifrons {

// Both pictures must have the same size.

// Peak signal-to-noise ratio over all channels in dB; infinite for equal pictures.
double psnr(const Picture& a, const Picture& b);

// Mean structural similarity (SSIM) of the luma 0.299 R + 0.587 G + 0.114 B; 1 for equal pictures.
// As in Wang, Bovik, Sheikh, Simoncelli 2004: 11x11 Gaussian windows of sigma 1.5 that lie inside
// the picture, K1 = 0.01, K2 = 0.03. Smaller pictures have smaller windows.
double ssim(const Picture& a, const Picture& b);

}  // namespace bifrons
