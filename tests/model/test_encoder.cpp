// The VQ encoder compared with two reference implementations on the same pictures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/model/model.h"
#include "src/weights/checkpoint.h"
#include "tests/support/differences.h"
#include "tests/support/golden.h"
#include "tests/weights/expect_error.h"

namespace bifrons {
namespace {

struct ToyEncoder {
  std::string directory = golden::directory() + "toy-hf";
  std::unique_ptr<Backend> backend = make_cpu_backend(2);
  std::unique_ptr<VqEncoder> encoder;
  golden::Tensors expected{directory + "/expected/expected.safetensors"};
  std::vector<float> pixels = expected.values<float>("encode.pixels");
  DType activation;
  int64_t pictures = expected.shape("encode.pixels")[0];

  explicit ToyEncoder(DType activation_) : activation(activation_) {
    const Checkpoint checkpoint = Checkpoint::open(directory);
    encoder = load_encoder(*backend, read_config(directory), activation, checkpoint, directory);
  }

  // z [grid^2, code_dim] of picture `p`.
  std::vector<float> latents(int64_t p) {
    const int64_t size = encoder->image_size(), n = size * size * 3;
    const Buffer memory = backend->allocate(n * 4);
    const Tensor x = memory.view(activation, {size, size, 3});
    std::vector<Bf16> rounded(n);
    std::transform(pixels.begin() + p * n, pixels.begin() + (p + 1) * n, rounded.begin(), to_bf16);
    backend->upload(
        x, activation == DType::kF32 ? static_cast<const void*>(&pixels[p * n]) : rounded.data());
    const Tensor z = encoder->latents(*backend, x);
    std::vector<float> values(z.count());
    backend->download(values.data(), z);
    return values;
  }
  // The part of an expected tensor that belongs to picture `p`.
  std::vector<float> of(const std::string& name, int64_t p) const {
    const auto all = expected.values<float>(name);
    const size_t one = all.size() / pictures;
    return {all.begin() + p * one, all.begin() + (p + 1) * one};
  }
  std::vector<float> expected_latents(int64_t p) const { return of("encode.latents", p); }
};

// Distance of two vectors after scaling both to unit length.
double angle(const float* a, const float* b, size_t size) {
  double aa = 0, bb = 0, off = 0;
  for (size_t i = 0; i < size; ++i) {
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  for (size_t i = 0; i < size; ++i) {
    const double d = a[i] / std::sqrt(aa) - b[i] / std::sqrt(bb);
    off += d * d;
  }
  return std::sqrt(off);
}

TEST(Encoder, LatentsAndCodesOfTheReferences) {
  ToyEncoder toy(DType::kF32);
  const auto codes = toy.expected.values<int32_t>("encode.codes");
  const size_t one = codes.size() / toy.pictures;
  for (int64_t p = 0; p < toy.pictures; ++p) {
    const auto z = toy.latents(p);
    const auto reference = toy.expected_latents(p);
    EXPECT_LE(largest_difference(z, reference), 2e-5 * largest(reference));
    const std::vector<int32_t> exact(codes.begin() + p * one, codes.begin() + (p + 1) * one);
    EXPECT_EQ(toy.encoder->nearest(z), exact);
  }
}

// The tolerance is the reference's own distance from f32, as in test_goldens.cpp.
TEST(Encoder, LatentsInBf16AreAsExactAsTheReferences) {
  ToyEncoder toy(DType::kBf16);
  for (int64_t p = 0; p < toy.pictures; ++p) {
    const auto exact = toy.expected_latents(p), reference = toy.of("encode.latents_bf16", p);
    const auto z = toy.latents(p);
    const double rounding = distance(reference, exact);
    EXPECT_LE(distance(z, exact), 1.25 * rounding);
    EXPECT_LE(distance(z, reference), 2 * rounding);
    EXPECT_GT(distance(z, exact), 0) << "bf16 must round";
  }
}

// If a direction has an error e, the squared distances to two codes change by at most 4 e relative
// to each other. If their gap is larger, the code must be that of the exact latents.
TEST(Encoder, CodesInBf16EqualTheReferencesExceptForNearTies) {
  ToyEncoder toy(DType::kBf16);
  int64_t sure = 0, all = 0;
  for (int64_t p = 0; p < toy.pictures; ++p) {
    const auto z = toy.latents(p), exact = toy.expected_latents(p), gaps = toy.of("encode.gaps", p);
    const auto expected = toy.expected.values<int32_t>("encode.codes");
    const auto found = toy.encoder->nearest(z);
    const size_t size = z.size() / found.size();
    for (size_t t = 0; t < found.size(); ++t, ++all) {
      if (gaps[t] <= 4 * angle(&z[t * size], &exact[t * size], size)) continue;
      ++sure;
      EXPECT_EQ(found[t], expected[p * found.size() + t]) << "picture " << p << ", token " << t;
    }
  }
  EXPECT_GT(sure, all / 2) << "too few to say anything";
}

TEST(Encoder, NearestCodeIgnoresLength) {
  ToyEncoder toy(DType::kF32);
  const auto z = toy.latents(0);
  std::vector<float> longer;
  for (const float v : z) longer.push_back(1000 * v);
  EXPECT_EQ(toy.encoder->nearest(longer), toy.encoder->nearest(z));
  // A latent equal to a code gives that code.
  std::vector<float> rows(toy.encoder->codebook().rows * toy.encoder->codebook().cols);
  toy.backend->download(rows.data(), toy.encoder->codebook().tensor());
  const auto found = toy.encoder->nearest(rows);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], static_cast<int32_t>(i));
}

TEST(Encoder, PixelsSpanMinusOneToOne) {
  ToyEncoder toy(DType::kF32);
  const int64_t size = toy.encoder->image_size();
  Picture picture{size, size, {}};
  uint32_t state = 3;
  for (int64_t i = 0; i < size * size * 3; ++i) {
    state = state * 1664525u + 1013904223u;
    picture.rgb.push_back(static_cast<uint8_t>(state >> 24));
    toy.pixels[i] = static_cast<float>(picture.rgb.back() / 127.5 - 1);
  }
  EXPECT_EQ(toy.encoder->encode(*toy.backend, picture), toy.encoder->nearest(toy.latents(0)));
}

TEST(Encoder, ReportsAMissingEncoder) {
  const std::string directory = golden::directory() + "toy-f32";
  const auto backend = make_cpu_backend(1);
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const std::string sentence = testing::refusal_of(
      [&] { load_encoder(*backend, read_config(directory), DType::kF32, checkpoint, directory); });
  testing::expect_contains(sentence, "this model has no encoder");
}

}  // namespace
}  // namespace bifrons
