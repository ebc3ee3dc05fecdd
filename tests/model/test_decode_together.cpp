// Several pictures in one pass of the VQ decoder: each has the bits that it has alone, and one that
// is not finite disturbs no other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "src/model/model.h"
#include "src/weights/checkpoint.h"
#include "tests/support/golden.h"
#include "tests/support/under_test.h"
#include "vision/networks/vq_together.h"

namespace bifrons {
namespace {

constexpr int64_t kMostInAPass = 5;

// The VQ decoder of a toy model, which computes in `activation`.
struct DecoderToy {
  std::unique_ptr<Backend> backend = testing::backend_under_test();
  Model model;
  VqDecoder& decoder = model.decoder;
  Buffer codes, pixels;

  DecoderToy(const std::string& name, DType activation)
      : model(read_config(golden::directory() + name), activation) {
    const Checkpoint checkpoint = Checkpoint::open(golden::directory() + name);
    const PublishedTensors published(checkpoint);
    WeightLoader loader(*backend, published, activation);
    visit(decoder.weights(), model.config.vq, loader);
    decoder.allocate(*backend, kMostInAPass);
    codes = backend->allocate(kMostInAPass * decoder.cells() * size_of(DType::kI32));
    pixels = backend->allocate(kMostInAPass * one());
  }

  int64_t one() const { return decoder.image_size() * decoder.image_size() * 3; }

  // Codes of picture p, without those in `but`.
  std::vector<int32_t> picture(int64_t p, const std::set<int32_t>& but = {}) const {
    std::vector<int32_t> ids;
    for (int64_t i = p + 1; static_cast<int64_t>(ids.size()) < decoder.cells(); ++i) {
      const auto id = static_cast<int32_t>((i * i * 37 + p * 11) % model.config.vq.codebook);
      if (!but.contains(id)) ids.push_back(id);
    }
    return ids;
  }

  // Bytes of the network's output and of the pixels of these pictures in one pass.
  std::vector<std::byte> decoded(const std::vector<std::vector<int32_t>>& pictures,
                                 bool as_pixels) const {
    std::vector<int32_t> all;
    for (const auto& each : pictures) all.insert(all.end(), each.begin(), each.end());
    const auto n = static_cast<int64_t>(pictures.size());
    const int64_t size = decoder.image_size();
    const Tensor ids = codes.view(DType::kI32, {static_cast<int64_t>(all.size())});
    backend->upload(ids, all.data());
    Tensor result = pixels.view(DType::kU8, {n, size, size, 3});
    if (as_pixels) {
      decoder.decode(*backend, result, ids);
    } else {
      result = decoder.decode_to_signal(*backend, ids);
    }
    std::vector<std::byte> bytes(result.bytes());
    backend->download(bytes.data(), result);
    return bytes;
  }
};

struct ToyCase {
  std::string name;
  DType activation;
};

class DecodeTogether : public ::testing::TestWithParam<ToyCase> {
 protected:
  DecoderToy& toy() {
    if (!toy_) toy_ = std::make_unique<DecoderToy>(GetParam().name, GetParam().activation);
    return *toy_;
  }

 private:
  std::unique_ptr<DecoderToy> toy_;
};

TEST_P(DecodeTogether, EachPictureHasItsOwnBits) {
  if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const std::vector<bool> exact = exact_passes(toy().decoder, *toy().backend, kMostInAPass);
  ASSERT_EQ(exact.size(), static_cast<size_t>(kMostInAPass + 1));
  if (toy().backend->memory_space() == MemorySpace::kHost || testing::backend_is_emulated()) {
    EXPECT_EQ(exact, std::vector<bool>(kMostInAPass + 1, true)) << "no library decides here";
  }
  for (const bool as_pixels : {false, true}) {
    std::vector<std::vector<std::byte>> alone;
    for (int64_t p = 0; p < kMostInAPass; ++p) {
      alone.push_back(toy().decoded({toy().picture(p)}, as_pixels));
    }
    EXPECT_NE(alone[0], alone[1]);
    for (int64_t n = 2; n <= kMostInAPass; ++n) {
      if (!exact[n]) continue;
      // The pictures take turns at the places of a pass.
      for (int64_t turn = 0; turn < (testing::backend_is_emulated() ? 1 : n); ++turn) {
        std::vector<std::vector<int32_t>> pictures;
        std::vector<std::byte> expected;
        for (int64_t place = 0; place < n; ++place) {
          const int64_t p = (place + turn) % kMostInAPass;
          pictures.push_back(toy().picture(p));
          expected.insert(expected.end(), alone[p].begin(), alone[p].end());
        }
        EXPECT_EQ(toy().decoded(pictures, as_pixels), expected) << n << " from " << turn;
      }
    }
  }
}

// A row of the codebook is NaN: pictures with this code are not finite.
TEST_P(DecodeTogether, APictureThatIsNotFiniteDisturbsNoOther) {
  if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  constexpr int32_t kDamaged = 5;
  const std::vector<bool> exact = exact_passes(toy().decoder, *toy().backend, kMostInAPass);
  const Tensor table = toy().decoder.weights().codebook.tensor();
  std::vector<std::byte> rows(table.bytes());
  toy().backend->download(rows.data(), table);
  std::memset(rows.data() + kDamaged * table.cols() * size_of(table.dtype), 0xff,
              table.cols() * size_of(table.dtype));
  toy().backend->upload(table, rows.data());

  const auto picture = [&](int64_t p) {
    std::vector<int32_t> ids = toy().picture(p, {kDamaged});
    if (p == 1 || p == 3) ids[static_cast<size_t>(p)] = kDamaged;
    return ids;
  };
  std::vector<std::vector<std::byte>> alone;
  for (int64_t p = 0; p < kMostInAPass; ++p) {
    alone.push_back(toy().decoded({picture(p)}, true));
    EXPECT_EQ(toy().decoder.were_finite(*toy().backend, 1)[0], p != 1 && p != 3) << p;
  }
  for (int64_t n = 2; n <= kMostInAPass; ++n) {
    if (!exact[n]) continue;
    std::vector<std::vector<int32_t>> pictures;
    for (int64_t p = 0; p < n; ++p) pictures.push_back(picture(p));
    const std::vector<std::byte> together = toy().decoded(pictures, true);
    const std::vector<bool> finite = toy().decoder.were_finite(*toy().backend, n);
    for (int64_t p = 0; p < n; ++p) {
      EXPECT_EQ(finite[p], p != 1 && p != 3) << p << " of " << n;
      if (!finite[p]) continue;
      const auto begin = together.begin() + p * toy().one();
      EXPECT_TRUE(std::equal(begin, begin + toy().one(), alone[p].begin())) << p << " of " << n;
    }
    EXPECT_EQ(toy().decoder.were_finite(*toy().backend, n), std::vector<bool>(n, true))
        << "asking clears it";
  }
}

std::string name_of_case(const ::testing::TestParamInfo<ToyCase>& info) {
  std::string name = info.param.name + "_" + std::string(name_of(info.param.activation));
  for (char& letter : name) {
    if (letter == '-') letter = '_';
  }
  return name;
}

// toy-hf and grouped-query have two levels, with upsampling between them.
INSTANTIATE_TEST_SUITE_P(Toys, DecodeTogether,
                         ::testing::Values(ToyCase{"toy-f32", DType::kF32},
                                           ToyCase{"grouped-query", DType::kF32},
                                           ToyCase{"toy-hf", DType::kBf16}),
                         name_of_case);

}  // namespace
}  // namespace bifrons
