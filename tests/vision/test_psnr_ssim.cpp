// PSNR and SSIM compared with their definitions.
#include <gtest/gtest.h>

#include <cmath>

#include "vision/pictures/psnr_ssim.h"

namespace bifrons {
namespace {

Picture noise(int64_t width, int64_t height, uint32_t state) {
  Picture picture{width, height, {}};
  for (int64_t i = 0; i < width * height * 3; ++i) {
    state = state * 1664525u + 1013904223u;
    picture.rgb.push_back(static_cast<uint8_t>(100 + (state >> 24) / 4));
  }
  return picture;
}

// SSIM window by window, without using separability.
double ssim_by_definition(const Picture& a, const Picture& b) {
  const auto luma = [](const Picture& p, int64_t x, int64_t y) {
    const uint8_t* rgb = &p.rgb[3 * (y * p.width + x)];
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  };
  double sum = 0;
  int64_t windows = 0;
  for (int64_t top = 0; top + 11 <= a.height; ++top) {
    for (int64_t left = 0; left + 11 <= a.width; ++left, ++windows) {
      double total = 0, mx = 0, my = 0, vx = 0, vy = 0, c = 0;
      const auto each = [&](const auto& f) {
        for (int64_t y = 0; y < 11; ++y) {
          for (int64_t x = 0; x < 11; ++x) {
            const double w = std::exp(-((x - 5) * (x - 5) + (y - 5) * (y - 5)) / (2 * 1.5 * 1.5));
            f(w, luma(a, left + x, top + y), luma(b, left + x, top + y));
          }
        }
      };
      each([&](double w, double x, double y) { total += w, mx += w * x, my += w * y; });
      mx /= total, my /= total;
      each([&](double w, double x, double y) {
        vx += w / total * (x - mx) * (x - mx);
        vy += w / total * (y - my) * (y - my);
        c += w / total * (x - mx) * (y - my);
      });
      sum += (2 * mx * my + 6.5025) * (2 * c + 58.5225) /
             ((mx * mx + my * my + 6.5025) * (vx + vy + 58.5225));
    }
  }
  return sum / static_cast<double>(windows);
}

TEST(Likeness, EqualPictures) {
  const Picture picture = noise(20, 15, 1);
  EXPECT_EQ(psnr(picture, picture), INFINITY);
  EXPECT_DOUBLE_EQ(ssim(picture, picture), 1);
}

TEST(Likeness, OneGreyLevelIs48Decibels) {
  Picture a = noise(6, 5, 1), b = a;
  for (uint8_t& v : b.rgb) ++v;
  EXPECT_NEAR(psnr(a, b), 20 * std::log10(255.0), 1e-12);
}

TEST(Likeness, SsimIsThatOfItsDefinition) {
  const Picture a = noise(19, 14, 1);
  Picture b = a;
  for (size_t i = 0; i < b.rgb.size(); i += 2) b.rgb[i] = static_cast<uint8_t>(b.rgb[i] + i % 40);
  EXPECT_NEAR(ssim(a, b), ssim_by_definition(a, b), 1e-9);
  EXPECT_NEAR(ssim(a, noise(19, 14, 9)), ssim_by_definition(a, noise(19, 14, 9)), 1e-9);
  EXPECT_LT(ssim(a, noise(19, 14, 9)), 0.5);
}

TEST(Likeness, SmallPicturesHaveSmallWindows) {
  const Picture a = noise(1, 4, 1);
  EXPECT_DOUBLE_EQ(ssim(a, a), 1);
}

}  // namespace
}  // namespace bifrons
