// The VQ encoder against what two reference implementations made of the same pictures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/model/model.h"
#include "src/weights/checkpoint.h"
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
  std::vector<float> expected_latents(int64_t p) const {
    const auto all = expected.values<float>("encode.latents");
    const size_t one = all.size() / pictures;
    return {all.begin() + p * one, all.begin() + (p + 1) * one};
  }
};

// Largest difference relative to the largest value.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(double{a[i]} - double{b[i]}));
    largest = std::max(largest, std::abs(double{b[i]}));
  }
  return most / largest;
}

TEST(Encoder, LatentsAndCodesOfTheReferences) {
  ToyEncoder toy(DType::kF32);
  const auto codes = toy.expected.values<int32_t>("encode.codes");
  const size_t one = codes.size() / toy.pictures;
  for (int64_t p = 0; p < toy.pictures; ++p) {
    const auto z = toy.latents(p);
    EXPECT_LE(difference(z, toy.expected_latents(p)), 2e-5);
    const std::vector<int32_t> exact(codes.begin() + p * one, codes.begin() + (p + 1) * one);
    EXPECT_EQ(toy.encoder->nearest(z), exact);
  }
}

// bf16 keeps 8 bits; some ten roundings one after another stay within a few per cent.
TEST(Encoder, LatentsInBf16AreNear) {
  ToyEncoder toy(DType::kBf16);
  for (int64_t p = 0; p < toy.pictures; ++p) {
    const double rounding = difference(toy.latents(p), toy.expected_latents(p));
    EXPECT_LE(rounding, 0.05);
    EXPECT_GT(rounding, 1e-4) << "bf16 must round";
  }
}

TEST(Encoder, NearnessIsOfDirections) {
  ToyEncoder toy(DType::kF32);
  const auto z = toy.latents(0);
  std::vector<float> longer;
  for (const float v : z) longer.push_back(1000 * v);
  EXPECT_EQ(toy.encoder->nearest(longer), toy.encoder->nearest(z));
  // A point on a code is that code.
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

TEST(Encoder, AbsentEncoderIsOneSentence) {
  const std::string directory = golden::directory() + "toy-f32";
  const auto backend = make_cpu_backend(1);
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const std::string sentence = testing::refusal_of(
      [&] { load_encoder(*backend, read_config(directory), DType::kF32, checkpoint, directory); });
  testing::expect_contains(sentence, "this model has no encoder");
}

}  // namespace
}  // namespace bifrons
