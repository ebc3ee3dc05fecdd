// Laws of variations: kept codes stay, and all other codes are sampled.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/bifrons.h"
#include "src/variation.h"
#include "tests/support/golden.h"
#include "tests/support/pillow_golden.h"
#include "tests/weights/expect_error.h"

namespace bifrons {
namespace {

using Codes = std::vector<int32_t>;

// The toy model with a VQ encoder.
Engine open_toy(int pictures_at_once = 1) {
  return Engine::open({.model = golden::directory() + "toy-hf",
                       .device = "cpu",
                       .threads = 2,
                       .pictures_at_once = pictures_at_once});
}

Picture noise(int64_t width, int64_t height, uint32_t state = 1) {
  Picture picture{width, height, {}};
  for (int64_t i = 0; i < width * height * 3; ++i) {
    state = state * 1664525u + 1013904223u;
    picture.rgb.push_back(static_cast<uint8_t>(state >> 24));
  }
  return picture;
}

DrawRequest request(uint64_t seed, Codes fixed = {}) {
  return {.prompt = "a red cat", .seed = seed, .fixed = std::move(fixed)};
}

Drawing draw(Engine& engine, const DrawRequest& r) { return engine.draw({&r, 1})[0]; }

TEST(Variation, KeepingNothingEqualsGenerate) {
  Engine engine = open_toy();
  const Drawing plain = draw(engine, request(5));
  const Drawing varied = draw(engine, request(5, Codes(plain.tokens.size(), -1)));
  EXPECT_EQ(varied.tokens, plain.tokens);
  EXPECT_EQ(varied.picture.rgb, plain.picture.rgb);
}

TEST(Variation, KeepingEverythingEqualsDecode) {
  Engine engine = open_toy();
  const Codes codes = engine.encode(noise(8, 8));
  const Drawing varied = draw(engine, request(5, codes));
  EXPECT_EQ(varied.tokens, codes);
  EXPECT_EQ(varied.picture.rgb, engine.decode(codes).rgb);
}

TEST(Variation, KeptCodesStayAndOthersAreSampled) {
  Engine engine = open_toy();
  const Codes codes = engine.encode(noise(8, 8));
  const Drawing plain = draw(engine, request(7));
  for (const double share : {0.25, 0.5, 0.75}) {
    const Codes fixed = keep_share(codes, share, 7);
    const Codes drawn = draw(engine, request(7, fixed)).tokens;
    bool before_all = true;
    for (size_t i = 0; i < fixed.size(); ++i) {
      before_all &= fixed[i] < 0;
      EXPECT_TRUE(fixed[i] < 0 || drawn[i] == fixed[i]) << i;
      EXPECT_TRUE(!before_all || drawn[i] == plain.tokens[i]) << "nothing was kept before " << i;
    }
  }
}

TEST(Variation, LaterCodesDependOnKeptCodes) {
  Engine engine = open_toy();
  const Drawing plain = draw(engine, request(7));
  const int32_t other = plain.tokens[0] == 3 ? 4 : 3;
  Codes fixed(plain.tokens.size(), -1);
  fixed[0] = other;
  Codes changed = draw(engine, request(7, fixed)).tokens;
  changed[0] = plain.tokens[0];
  EXPECT_NE(changed, plain.tokens);
}

TEST(Variation, KeepingTheSameCodesChangesNothing) {
  Engine engine = open_toy();
  const Drawing plain = draw(engine, request(11));
  for (int64_t rows = 0; rows <= 4; ++rows) {
    EXPECT_EQ(draw(engine, request(11, keep_rows(plain.tokens, rows))).tokens, plain.tokens);
  }
  EXPECT_EQ(draw(engine, request(11, keep_share(plain.tokens, 0.5, 1))).tokens, plain.tokens);
}

TEST(Variation, IndependentOfTheBatch) {
  std::vector<DrawRequest> requests;
  std::vector<Drawing> alone;
  {
    Engine engine = open_toy();
    const Codes codes = engine.encode(noise(8, 8));
    for (uint64_t seed = 0; seed < 6; ++seed) {
      requests.push_back(request(seed, seed % 3 == 0 ? Codes{} : keep_share(codes, 0.4, seed)));
      alone.push_back(draw(engine, requests.back()));
    }
  }
  for (const int at_once : {2, 3, 6}) {
    Engine engine = open_toy(at_once);
    const auto together = engine.draw(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(together[i].tokens, alone[i].tokens) << i << " of " << at_once;
      EXPECT_EQ(together[i].picture.rgb, alone[i].picture.rgb) << i << " of " << at_once;
    }
  }
}

TEST(Variation, CodesThatDoNotFitAreRefused) {
  Engine engine = open_toy();
  for (const Codes& fixed : {Codes(15, -1), Codes(17, -1), Codes(16, 61), Codes(16, -2)}) {
    const std::string sentence =
        testing::refusal_of([&] { draw(engine, request(1, fixed)); }, ErrorKind::kUsage);
    testing::expect_contains(sentence, "to keep");
  }
}

TEST(Variation, RowsAreTheUpperOnes) {
  const Codes codes{1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ(keep_rows(codes, 0), Codes(9, -1));
  EXPECT_EQ(keep_rows(codes, 1), (Codes{1, 2, 3, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(keep_rows(codes, 3), codes);
  testing::expect_contains(testing::refusal_of([&] { keep_rows(codes, 4); }, ErrorKind::kUsage),
                           "4 rows to keep, but this model's pictures have 3");
}

TEST(Variation, SharesAreExactNestedAndSeeded) {
  Codes codes(576);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int32_t>(i);
  Codes smaller(576, -1);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const Codes kept = keep_share(codes, share, 3);
    const auto count = std::count_if(kept.begin(), kept.end(), [](int32_t c) { return c >= 0; });
    EXPECT_EQ(count, std::lround(share * 576));
    for (size_t i = 0; i < kept.size(); ++i) {
      EXPECT_TRUE(kept[i] == -1 || kept[i] == codes[i]);
      EXPECT_TRUE(smaller[i] < 0 || kept[i] == smaller[i]) << share;
    }
    smaller = kept;
  }
  EXPECT_NE(keep_share(codes, 0.5, 3), keep_share(codes, 0.5, 4));
  EXPECT_NE(keep_share(codes, 0.5, 3), keep_share(codes, 0.5, 3 + (uint64_t{1} << 32)));
}

TEST(Variation, WhiteCellsOfTheMaskAreSampled) {
  // 2x2 cells of 2x2 pixels: black; white; half white, which counts as white; a quarter white.
  const uint8_t rows[4][4] = {{0, 0, 255, 255}, {0, 0, 255, 255}, {255, 0, 255, 0}, {0, 255, 0, 0}};
  Picture mask{4, 4, {}};
  for (const auto& row : rows) {
    for (const uint8_t v : row) mask.rgb.insert(mask.rgb.end(), 3, v);
  }
  EXPECT_EQ(keep_dark(Codes{1, 2, 3, 4}, mask), (Codes{1, -1, -1, 4}));
}

// The bytes are those of Pillow, also for extreme aspect ratios.
TEST(Fitted, EveryByteIsPillows) { testing::expect_pillows_bytes("fitted.json", fitted); }

TEST(Fitted, MiddleOfTheLongSide) {
  const Picture wide = noise(9, 4), tall = noise(4, 7);
  const Picture from_wide = fitted(wide, 4), from_tall = fitted(tall, 4);
  ASSERT_EQ(from_wide.rgb.size(), 48u);
  for (int64_t y = 0; y < 4; ++y) {
    for (int64_t x = 0; x < 12; ++x) {
      EXPECT_EQ(from_wide.rgb[y * 12 + x], wide.rgb[y * 27 + 6 + x]);
      EXPECT_EQ(from_tall.rgb[y * 12 + x], tall.rgb[(y + 1) * 12 + x]);
    }
  }
  EXPECT_EQ(fitted(from_wide, 4).rgb, from_wide.rgb);
}

TEST(Fitted, EverySizeGivesTheModelsSize) {
  for (const auto& [width, height] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 1000}, {16384, 1}, {3, 8}, {200, 31}, {384, 385}}) {
    const Picture square = fitted(noise(width, height), 96);
    EXPECT_EQ(square.width, 96);
    EXPECT_EQ(square.height, 96);
    EXPECT_EQ(square.rgb.size(), 96u * 96 * 3);
  }
  // Resizing a picture of one colour keeps the colour.
  EXPECT_EQ(fitted({700, 50, std::vector<uint8_t>(700 * 50 * 3, 77)}, 96).rgb,
            std::vector<uint8_t>(96 * 96 * 3, 77));
}

}  // namespace
}  // namespace bifrons
