// Gumbel noise of the sampler (Gumbel-max trick): a pure function of seed, step and code, made by
// the counter-based generator Philox. The same bits on every device: only integer operations and
// separately rounded IEEE operations, no libm. Compile without contraction (-ffp-contract=off on
// the host, -fmad=false on CUDA).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace bifrons {

// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): ten rounds
// mix a counter with a key; the key changes from round to round.
constexpr int kPhiloxRounds = 10;

constexpr std::array<uint32_t, 4> philox_round(std::array<uint32_t, 4> counter,
                                               std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  const uint64_t product0 = kMultiplier0 * counter[0], product1 = kMultiplier1 * counter[2];
  return {
      static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
      static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
}

constexpr std::array<uint32_t, 2> philox_next_key(std::array<uint32_t, 2> key) {
  return {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
}

// Four random words, a pure function of counter and key.
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter,
                                         std::array<uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    counter = philox_round(counter, key);
    key = philox_next_key(key);
  }
  return counter;
}

// 2 atanh(s) for |s| < 0.18, i.e. log((1 + s) / (1 - s)); the next term of the series is below
// 2^-28.
constexpr float twice_atanh(float s) {
  const float z = s * s;
  float tail = 1.0f / 9.0f;
  tail = tail * z + 1.0f / 7.0f;
  tail = tail * z + 1.0f / 5.0f;
  tail = tail * z + 1.0f / 3.0f;
  const float twice = s + s;
  return twice + twice * (z * tail);
}

// log(x) of a positive normal float, within 2 units in the last place.
constexpr float fixed_log(float x) {
  constexpr uint32_t kSqrtHalf = 0x3f3504f3u;  // the mantissa is taken from [sqrt(1/2), sqrt(2))
  const uint32_t shifted = std::bit_cast<uint32_t>(x) - kSqrtHalf;
  const int32_t exponent = static_cast<int32_t>(shifted) >> 23;
  const float m = std::bit_cast<float>((shifted & 0x007fffffu) + kSqrtHalf);
  const float e = static_cast<float>(exponent);
  // log 2 in two parts; the first has few enough bits that its product with e is exact.
  constexpr float kLog2High = 0x1.62e4p-1f, kLog2Low = 0x1.7f7d1cp-20f;
  return e * kLog2High + (twice_atanh((m - 1.0f) / (m + 1.0f)) + e * kLog2Low);
}

// exp(x) for x <= 0, zero below -700; about 1e-15 relative.
constexpr double fixed_exp(double x) {
  if (!(x > -700.0)) return 0.0;
  constexpr double kInverseLog2 = 0x1.71547652b82fep+0;
  constexpr double kLog2High = 0x1.62e42feep-1, kLog2Low = 0x1.a39ef35793c76p-33;
  const int64_t n = static_cast<int64_t>(x * kInverseLog2 - 0.5);  // truncation rounds to nearest
  const double r = (x - static_cast<double>(n) * kLog2High) - static_cast<double>(n) * kLog2Low;
  double sum = 1.0;
  for (int k = 14; k >= 1; --k) sum = 1.0 + sum * (r / k);
  return sum * std::bit_cast<double>(static_cast<uint64_t>(n + 1023) << 52);
}

// Probability mass of a code for top-p: exp((logit - highest) / temperature) in units of 2^-43.
// Integers, so that their sum is the same in any order; the sum of a million codes does not
// overflow. A code with less than one unit has mass 0.
constexpr uint64_t drawing_mass(float logit, float highest, float temperature) {
  constexpr double kUnits = 0x1p43;
  // Equal values get the same mass even when both are -inf.
  if (logit == highest) return static_cast<uint64_t>(kUnits);
  return static_cast<uint64_t>(kUnits * fixed_exp((logit - static_cast<double>(highest)) /
                                                  static_cast<double>(temperature)));
}

// The cumulative mass at which top-p stops: at least 1, so that at least one code is kept.
constexpr uint64_t mass_to_reach(float top_p, uint64_t total) {
  const double share = static_cast<double>(top_p) * static_cast<double>(total);
  const uint64_t whole = static_cast<uint64_t>(share);
  const uint64_t up = static_cast<double>(whole) < share ? whole + 1 : whole;
  return up == 0 ? 1 : up < total ? up : total;
}

// Standard Gumbel noise -log(-log(1 - v)), v = (bits + 1/2) / 2^32. Large noise comes from small v,
// where all 32 bits count, so the tail that decides a sample is as fine as float allows.
// Both forms of -log(1 - v) are computed and one is selected by a bit mask, so a loop over this
// function has no branch.
constexpr float gumbel(uint32_t bits) {
  const float v = (static_cast<float>(bits) + 0.5f) * 0x1p-32f;
  const float small = twice_atanh(v / (2.0f - v));  // without forming 1 - v
  const float large = -fixed_log((static_cast<float>(~bits) + 0.5f) * 0x1p-32f);
  const uint32_t take_small = 0u - static_cast<uint32_t>(bits < 0x40000000u);
  return -fixed_log(std::bit_cast<float>((std::bit_cast<uint32_t>(small) & take_small) |
                                         (std::bit_cast<uint32_t>(large) & ~take_small)));
}

// Whether the winning score, logit / temperature + noise, is beyond what a float holds, as it is at
// tiny temperatures. Then so is that of the highest logit, for division keeps the order, and logits
// that differ at all have scores that differ by more than any noise: the highest logit wins.
constexpr bool beyond_noise(float score) {
  return score == std::numeric_limits<float>::infinity() ||
         score == -std::numeric_limits<float>::infinity();
}

// Streams of random words of one seed; they never share a word.
constexpr uint32_t kImageTokenStream = 0;
constexpr uint32_t kThoughtTokenStream = 8;  // text tokens of a thought (src/think.h)
constexpr uint32_t kKeptTokenStream = 16;    // which tokens a variation keeps (src/variation.h)
constexpr uint32_t kReflectionStream = 18;   // seeds of reasons and of later rounds (src/reflect.h)

// The noise of codes 4 block .. 4 block + 3 at a step.
constexpr std::array<float, 4> gumbel_block(uint64_t seed, uint32_t step, uint32_t block,
                                            uint32_t stream = kImageTokenStream) {
  const std::array<uint32_t, 4> words = philox(
      {step, block, stream, 0}, {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return {gumbel(words[0]), gumbel(words[1]), gumbel(words[2]), gumbel(words[3])};
}

}  // namespace bifrons
