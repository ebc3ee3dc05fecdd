// A NaN or infinity in any tensor is refused: no picture, codes or text are made from it.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "src/understand.h"
#include "tests/engine/damaged_model.h"

namespace bifrons::testing {
namespace {

class NotFinite : public DamagedModel {};

TEST_F(NotFinite, NanInTheWeightsIsReported) {
  put("language_model.model.norm.weight", 0x7fc00000u);
  ErrorKind kind{};
  const std::string sentence = fault(&kind);
  EXPECT_EQ(kind, ErrorKind::kData);
  EXPECT_NE(sentence.find("finite"), std::string::npos) << sentence;
}

constexpr uint32_t kNotFinite[] = {0x7fc00000u, 0x7f800000u, 0xff800000u};  // NaN, inf, -inf

// NaN or infinity in a tensor between codes and pixels, for all kinds of layers: no picture is
// made.
TEST_F(NotFinite, NoPictureIsDecodedFromNumbersThatAreNotFinite) {
  for (const std::string toy : {"toy-f32", "toy-hf"}) {
    use(toy);
    ASSERT_EQ(fault(), "");
    for (const auto& [name, file] : tensors()) {
      const bool tokenizer = name.find("vqmodel.") != std::string::npos ||
                             name.find("gen_vision_model.") != std::string::npos;
      const bool encoder = name.find(".encoder.") != std::string::npos ||
                           name.find(".quant_conv.") != std::string::npos ||
                           name.find("codebook_used") != std::string::npos;
      if (!tokenizer || encoder) continue;
      for (const uint32_t bits : kNotFinite) {
        const std::string good = put(name, bits);
        ErrorKind kind{};
        const std::string sentence = fault(&kind);
        EXPECT_NE(sentence.find("finite"), std::string::npos) << name << " " << bits << sentence;
        EXPECT_EQ(kind, ErrorKind::kData) << name;
        directory_.write(file, good);
      }
    }
  }
}

TEST_F(NotFinite, NoCodesAreMadeFromNumbersThatAreNotFinite) {
  use("toy-hf");
  const auto encoded = [&]() -> std::string {
    try {
      Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
      const int64_t size = engine.model().image_size;
      Picture picture{size, size, std::vector<uint8_t>(size * size * 3, 77)};
      for (size_t i = 0; i < picture.rgb.size(); i += 5) picture.rgb[i] = 200;
      engine.encode(picture);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      return error.what();
    }
  };
  EXPECT_EQ(encoded(), "");
  for (const auto& [name, file] : tensors()) {
    const bool encoder = name.starts_with("model.vqmodel.encoder.") ||
                         name.starts_with("model.vqmodel.quant_conv.") ||
                         name.starts_with("model.vqmodel.quantize.embedding.");
    if (!encoder) continue;
    for (const uint32_t bits : kNotFinite) {
      const std::string good = put(name, bits);
      EXPECT_NE(encoded().find("finite"), std::string::npos) << name << " " << bits;
      directory_.write(file, good);
    }
  }
}

// The same in the vision tower and the aligner: no text is made.
TEST_F(NotFinite, NoTextIsMadeFromNumbersThatAreNotFinite) {
  for (const std::string toy : {"toy-f32", "toy-sees"}) {
    use(toy);
    const auto said = [&]() -> std::string {
      try {
        Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
        Understanding understanding = Understanding::open(engine);
        Picture picture{9, 7, std::vector<uint8_t>(9 * 7 * 3, 77)};
        for (size_t i = 0; i < picture.rgb.size(); i += 5) picture.rgb[i] = 200;
        understanding.show(picture);
        understanding.say("What is it?", {.max_tokens = 1});
        return "";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kData);
        return error.what();
      }
    };
    EXPECT_EQ(said(), "");
    for (const auto& [name, file] : tensors()) {
      const bool seeing =
          name.starts_with("vision_model.vision_tower.") || name.starts_with("aligner.");
      if (!seeing || name.find("attn_pool") != std::string::npos) continue;
      for (const uint32_t bits : kNotFinite) {
        const std::string good = put(name, bits);
        EXPECT_NE(said().find("finite"), std::string::npos) << name << " " << bits;
        directory_.write(file, good);
      }
    }
  }
}

// A batch reports the failed pictures, on whichever thread they are decoded.
TEST_F(NotFinite, ABatchReportsPicturesThatAreNotFinite) {
  put("gen_vision_model.decoder.conv_out.bias", 0x7fc00000u);
  for (const bool beside : {false, true}) {
    Engine engine =
        Engine::open({.model = directory_.path(), .threads = 1, .decode_beside = beside});
    uint64_t next = 0;
    std::set<uint64_t> failed;
    const BatchStats stats = engine.draw_batch(
        [&]() -> std::optional<BatchJob> {
          if (next == 3) return {};
          return BatchJob{next++, {.prompt = "a cat", .seed = next}};
        },
        [&](BatchResult result) {
          ASSERT_TRUE(result.error.has_value());
          EXPECT_FALSE(result.drawing.has_value());
          EXPECT_EQ(result.error->kind(), ErrorKind::kData);
          failed.insert(result.id);
        },
        {.lanes = 2});
    EXPECT_EQ(failed, (std::set<uint64_t>{0, 1, 2}));
    EXPECT_EQ(stats.pictures, 0);
    EXPECT_EQ(stats.failures, 3);
    EXPECT_FALSE(stats.stopped);
  }
}

}  // namespace
}  // namespace bifrons::testing
