// MLX's packed weights: what they stand for (tools/reference/make_mlx_goldens.py), and damage.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "src/weights/checkpoint.h"
#include "src/weights/mlx.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"

namespace bifrons {
namespace {

using testing::expect_contains;
using testing::refusal_of;
using testing::TemporaryDirectory;

const std::string kMlxGolden = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/mlx/";

std::vector<std::byte> read(const Checkpoint& checkpoint, const StoredTensor& tensor,
                            int64_t offset, int64_t bytes) {
  std::vector<std::byte> out(static_cast<size_t>(bytes));
  checkpoint.read(tensor, offset, out);
  return out;
}

TEST(Mlx, PackedMatricesAreThoseOfTheReference) {
  const Checkpoint packed = Checkpoint::open(kMlxGolden + "packed");
  const TemporaryDirectory directory;
  std::filesystem::copy_file(kMlxGolden + "dequantised.safetensors",
                             directory / "model.safetensors");
  const Checkpoint exact = Checkpoint::open(directory.path());
  EXPECT_EQ(packed.quantisation(), "MLX 4-bit");
  EXPECT_EQ(exact.quantisation(), "");
  ASSERT_GE(exact.tensors().size(), 15u);
  for (const StoredTensor& expected : exact.tensors()) {
    SCOPED_TRACE(expected.name);
    const StoredTensor* tensor = packed.find(expected.name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->dtype, DType::kF16);
    EXPECT_EQ(tensor->shape, expected.shape);
    ASSERT_EQ(tensor->bytes, expected.bytes);
    const auto all = read(exact, expected, 0, expected.bytes);
    EXPECT_EQ(read(packed, *tensor, 0, tensor->bytes), all);
    // Any part of it, also one that begins and ends inside of a row and of an element.
    for (const auto& [from, size] : {std::pair<int64_t, int64_t>{0, 64},
                                     {1, 1},
                                     {127, 130},
                                     {2 * 64 * 2, 128},
                                     {tensor->bytes - 3, 3},
                                     {5, 0}}) {
      EXPECT_EQ(read(packed, *tensor, from, size),
                std::vector<std::byte>(all.begin() + from, all.begin() + from + size))
          << from;
    }
  }
  for (const StoredTensor& tensor : packed.tensors()) {
    EXPECT_FALSE(tensor.name.ends_with(".scales") || tensor.name.ends_with(".biases"));
  }
  EXPECT_TRUE(packed.skipped().empty());
}

// One group, of numbers that need no rounding.
template <typename Stored>
void expect_group(DType dtype, int64_t bits, const std::vector<float>& expected, float scale,
                  float bias, const std::vector<uint32_t>& words,
                  const std::function<float(Stored)>& widened,
                  const std::function<Stored(float)>& stored) {
  const MlxMatrix matrix{{bits, 32}, dtype, 1, 32};
  const Stored s = stored(scale), b = stored(bias);
  std::vector<Stored> out(32);
  EXPECT_EQ(dequantise(matrix, std::as_bytes(std::span(words)), std::as_bytes(std::span(&s, 1)),
                       std::as_bytes(std::span(&b, 1)), std::as_writable_bytes(std::span(out))),
            std::nullopt);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(widened(out[i]), expected[i]) << i;
}

TEST(Mlx, TheFirstElementHasTheLowestBits) {
  std::vector<float> four, eight;
  for (int i = 0; i < 32; ++i) four.push_back(static_cast<float>(i % 8) * 0.5f - 1);
  const std::vector<uint32_t> nibbles(4, 0x76543210u);
  std::vector<uint32_t> bytes;
  for (uint32_t i = 0; i < 8; ++i) bytes.push_back(0x03020100u + i * 0x04040404u);
  for (int i = 0; i < 32; ++i) eight.push_back(3 - static_cast<float>(i) * 0.25f);
  const std::function<float(float)> same = [](float x) { return x; };
  const std::function<float(Bf16)> wide = [](Bf16 x) { return to_float(x); };
  const std::function<Bf16(float)> narrow = [](float x) { return to_bf16(x); };
  expect_group<float>(DType::kF32, 4, four, 0.5f, -1, nibbles, same, same);
  expect_group<Bf16>(DType::kBf16, 4, four, 0.5f, -1, nibbles, wide, narrow);
  expect_group<float>(DType::kF32, 8, eight, -0.25f, 3, bytes, same, same);
  expect_group<Bf16>(DType::kBf16, 8, eight, -0.25f, 3, bytes, wide, narrow);
}

// Every f16 is what a scale of it and q = 1 give: subnormals and the largest number too.
TEST(Mlx, RoundingToF16IsToTheNearest) {
  const MlxMatrix matrix{{4, 32}, DType::kF16, 1, 32};
  const std::vector<uint32_t> ones(4, 0x11111111u);
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto scale = static_cast<uint16_t>(bits);
    const float value = to_float(F16{scale});
    if (!std::isfinite(value) || std::abs(value) * 15 > 65504) continue;
    const uint16_t zero = 0;
    std::array<uint16_t, 32> out{};
    ASSERT_FALSE(dequantise(matrix, std::as_bytes(std::span(ones)),
                            std::as_bytes(std::span(&scale, 1)), std::as_bytes(std::span(&zero, 1)),
                            std::as_writable_bytes(std::span(out))));
    EXPECT_EQ(to_float(F16{out[0]}), value) << bits;
  }
}

// A directory with one packed matrix [2, 64], which a test changes before it is written.
struct OneMatrix {
  std::string config = R"({"quantization": {"group_size": 64, "bits": 4}})";
  std::string weight = R"("w.weight":{"dtype":"U32","shape":[2,8],"data_offsets":[8,72]})";
  std::string scales = R"("w.scales":{"dtype":"F16","shape":[2,1],"data_offsets":[4,8]})";
  std::string biases = R"("w.biases":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]})";
  std::string data = std::string(72, '\1');

  void write(const TemporaryDirectory& directory) const {
    directory.write("config.json", config);
    std::string header;
    for (const std::string& part : {weight, scales, biases}) {
      if (!part.empty()) header += (header.empty() ? "{" : ",") + part;
    }
    directory.write("model.safetensors", testing::safetensors_file(header + "}", data));
  }
  std::string refusal() const {
    const TemporaryDirectory directory;
    write(directory);
    return refusal_of([&] {
      const Checkpoint checkpoint = Checkpoint::open(directory.path());
      for (const StoredTensor& tensor : checkpoint.tensors()) {
        read(checkpoint, tensor, 0, tensor.bytes);
      }
    });
  }
};

TEST(Mlx, FormatsThatAreNotReadAreNamed) {
  const auto refused = [](const std::string& quantization) {
    OneMatrix one;
    one.config = R"({"quantization": )" + quantization + "}";
    return one.refusal();
  };
  expect_contains(refused(R"({"group_size": 64, "bits": 3})"),
                  "config.json\": quantization has 3 bits, and 4 and 8 are read; take the model's "
                  "full weights");
  expect_contains(refused(R"({"group_size": 48, "bits": 4})"),
                  "has groups of 48, and MLX has groups of 32, 64 and 128");
  expect_contains(refused(R"({"bits": 4})"), "quantization has no group_size");
  expect_contains(refused(R"({"group_size": 64})"), "quantization has no bits");
  expect_contains(refused(R"({"group_size": 32, "bits": 4, "mode": "mxfp4"})"),
                  "has the mode \"mxfp4\", and affine alone is read");
  expect_contains(refused(R"({"group_size": 64, "bits": 4, "w": {"group_size": 64, "bits": 6}})"),
                  "quantization.w has 6 bits");
  expect_contains(refused(R"("4bit")"), "quantization is a string, not an object");
  expect_contains(refused(R"({"group_size": 64, "bits": "4"})"), "quantization.bits is a string");
}

TEST(Mlx, PartsThatDoNotFitAreNamed) {
  OneMatrix one;
  const TemporaryDirectory directory;
  one.write(directory);
  EXPECT_EQ(Checkpoint::open(directory.path()).tensors().size(), 1u);  // as it is, it is right

  OneMatrix bad;
  bad.scales.clear();
  bad.biases.replace(bad.biases.find("[2,1]"), 5, "[4,1]");
  bad.biases.replace(bad.biases.find("[0,4]"), 5, "[0,8]");
  expect_contains(bad.refusal(),
                  "tensor \"w.scales\" is missing: \"w.weight\" is packed and needs it");
  bad = one;
  bad.biases.replace(bad.biases.find("w.biases"), 8, "w.biased");
  expect_contains(bad.refusal(), "tensor \"w.biases\" is missing");
  bad = one;
  bad.config = R"({"quantization": {"group_size": 64, "bits": 8}})";
  expect_contains(bad.refusal(),
                  "tensor \"w.weight\" has 32 columns of 8 bits, which groups of 64 do not divide");
  bad.config = R"({"quantization": {"group_size": 32, "bits": 4}})";
  expect_contains(bad.refusal(),
                  "tensor \"w.scales\" is [2, 1] where [2, 8] of \"w.weight\" in groups of 32 with "
                  "4 bits need [2, 2]");
  bad = one;
  bad.weight.replace(bad.weight.find("[2,8]"), 5, "[16]");
  expect_contains(bad.refusal(), "tensor \"w.weight\" is packed, but is no matrix");
  bad = one;
  bad.scales.replace(bad.scales.find("F16"), 3, "I16");
  expect_contains(bad.refusal(), "tensor \"w.scales\" is I16, and scales of bf16, f16 and f32");
  bad = one;
  bad.biases.replace(bad.biases.find("F16"), 3, "BF16");
  expect_contains(bad.refusal(), "tensor \"w.biases\" is BF16, but \"w.scales\" is F16");
  bad = one;
  bad.weight.replace(bad.weight.find("U32"), 3, "F32");
  expect_contains(bad.refusal(), "tensor \"w.scales\" stands beside no packed weight");
  bad = one;
  bad.weight = R"("w.weight":{"dtype":"F32","shape":[2,9],"data_offsets":[0,72]})";
  bad.scales = bad.biases = "";
  expect_contains(bad.refusal(), "says that weights are packed, but the files hold none");
}

TEST(Mlx, ScalesThatAreNotFiniteAreNamed) {
  constexpr uint16_t kInfinite = 0x7c00, kNotANumber = 0x7e00, kLarge = 0x7bff;
  for (const auto& [bits, at] :
       {std::pair{kInfinite, 6}, {kNotANumber, 6}, {kLarge, 6}, {kInfinite, 2}, {kNotANumber, 2}}) {
    OneMatrix one;
    std::memcpy(one.data.data() + at, &bits, 2);
    expect_contains(one.refusal(),
                    "tensor \"w.weight\": row 1 has a scale or a bias that is not "
                    "finite or too large: the weights are damaged");
  }
}

// Without a record of the format nothing is packed, and a config.json that cannot be read is the
// matter of read_config().
TEST(Mlx, WithoutARecordNothingIsPacked) {
  for (const char* config : {"{}", R"({"quantization": null})", "not JSON"}) {
    OneMatrix one;
    one.config = config;
    const TemporaryDirectory directory;
    one.write(directory);
    const Checkpoint checkpoint = Checkpoint::open(directory.path());
    EXPECT_EQ(checkpoint.quantisation(), "");
    EXPECT_EQ(checkpoint.tensors().size(), 2u);
    EXPECT_EQ(checkpoint.skipped().size(), 1u);
  }
}

}  // namespace
}  // namespace bifrons
