// encode, reconstruct and vary on the command line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

// The toy model with an encoder: 8x8 pixels, 4x4 tokens.
std::string toy() { return std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/toy-hf"; }

class Varying : public ::testing::Test {
 protected:
  void SetUp() override { write("in.png", picture(8, 8)); }

  Outcome run(std::vector<std::string> arguments, const std::string& input = {}) const {
    return run_bifrons(
        arguments,
        {.directory = scratch_.path(), .input = input, .variables = {{"BIFRONS_MODEL", toy()}}});
  }
  static Picture picture(int64_t width, int64_t height) {
    Picture made{width, height, {}};
    for (int64_t i = 0; i < width * height * 3; ++i) {
      made.rgb.push_back(static_cast<uint8_t>(i * 37 % 256));
    }
    return made;
  }
  void write(const std::string& name, const Picture& made) const {
    const auto file = encode_pixels(made, PictureFormat::kPng);
    scratch_.write(name, {reinterpret_cast<const char*>(file.data()), file.size()});
  }
  std::string bytes(const std::string& name) const { return scratch_.read(name); }
  nlohmann::json settings(const std::string& name) const {
    const std::string file = bytes(name);
    const std::span data(reinterpret_cast<const uint8_t*>(file.data()), file.size());
    return nlohmann::json::parse(read_picture_info(data).metadata.settings);
  }
  void expect_fails(std::vector<std::string> arguments, int code, const std::string& part) const {
    const Outcome outcome = run(std::move(arguments));
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }

  TemporaryDirectory scratch_;
};

TEST_F(Varying, ReconstructIsDecodeOfEncode) {
  const Outcome encoded = run({"encode", "in.png", "-o", "tokens.json"});
  ASSERT_EQ(encoded.exit_code, 0) << encoded.err;
  EXPECT_EQ(encoded.out, "tokens.json\n");
  const auto tokens = nlohmann::json::parse(bytes("tokens.json"));
  EXPECT_EQ(tokens["tokens"].size(), 16u);
  EXPECT_FALSE(tokens.contains("seed"));
  ASSERT_EQ(run({"decode", "tokens.json", "-o", "decoded.png"}).exit_code, 0);
  const Outcome again = run({"reconstruct", "in.png", "-o", "again.png"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, "again.png\n");
  EXPECT_NE(again.err.find("PSNR "), std::string::npos);
  EXPECT_NE(again.err.find("SSIM "), std::string::npos);
  EXPECT_EQ(bytes("again.png"), bytes("decoded.png"));
}

TEST_F(Varying, NumbersGoToStdoutOnlyAsJson) {
  const Outcome outcome = run({"reconstruct", "in.png", "-o", "a.png", "--json", "-q"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report["file"], "a.png");
  EXPECT_GT(report["psnr"], 0);
  EXPECT_LE(report["ssim"], 1);
  const Outcome tokens = run({"encode", "in.png", "-o", "-", "-q"});
  EXPECT_EQ(nlohmann::json::parse(tokens.out)["tokens"].size(), 16u);
}

TEST_F(Varying, OtherSizesAreFitted) {
  write("wide.png", picture(40, 16));
  const Outcome outcome = run({"reconstruct", "wide.png", "-o", "a.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the middle of 40x16 pixels, scaled to 8x8"), std::string::npos);
}

TEST_F(Varying, FullStrengthIsGenerateAndNoneIsReconstruct) {
  ASSERT_EQ(run({"a cat", "-s", "3", "-o", "plain.png"}).exit_code, 0);
  ASSERT_EQ(
      run({"vary", "in.png", "-p", "a cat", "-s", "3", "--strength", "1", "-o", "v.png"}).exit_code,
      0);
  EXPECT_EQ(bytes("v.png"), bytes("plain.png"));

  ASSERT_EQ(run({"reconstruct", "in.png", "-o", "r.png", "--no-metadata"}).exit_code, 0);
  ASSERT_EQ(run({"vary", "in.png", "-p", "a cat", "-s", "3", "--strength", "0", "-o", "w.png",
                 "--no-metadata"})
                .exit_code,
            0);
  EXPECT_EQ(bytes("w.png"), bytes("r.png"));
}

TEST_F(Varying, KeptRowsStayAndLikeDrawsThePictureAgain) {
  ASSERT_EQ(run({"encode", "in.png", "-o", "in.json"}).exit_code, 0);
  const Outcome outcome = run({"vary", "in.png", "-p", "a cat", "-s", "3", "--keep-rows", "2", "-o",
                               "v.png", "--tokens-out", "v.json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "v.png\n");
  EXPECT_NE(outcome.err.find("keeping 8 of 16 tokens"), std::string::npos);
  const auto before = nlohmann::json::parse(bytes("in.json"))["tokens"];
  const auto after = nlohmann::json::parse(bytes("v.json"))["tokens"];
  const auto fixed = settings("v.png")["fixed"];
  for (int i = 0; i < 16; ++i) {
    EXPECT_TRUE(i >= 8 || after[i] == before[i]) << i;
    EXPECT_EQ(fixed[i], i < 8 ? before[i] : nlohmann::json(-1)) << i;
  }
  ASSERT_EQ(run({"--like", "v.png", "-o", "again.png"}).exit_code, 0);
  EXPECT_EQ(bytes("again.png"), bytes("v.png"));
  // Varying another picture with --like uses the settings, not the kept parts.
  write("other.png", picture(9, 9));
  ASSERT_EQ(
      run({"vary", "other.png", "--like", "v.png", "--keep-rows", "1", "-o", "o.png"}).exit_code,
      0);
  EXPECT_EQ(settings("o.png")["prompt"], "a cat");
  EXPECT_EQ(settings("o.png")["fixed"][7], -1);

  const Outcome info = run({"info", "v.png"});
  EXPECT_NE(info.out.find("16 values"), std::string::npos) << info.out;
}

TEST_F(Varying, MaskSaysWhatIsDrawn) {
  Picture mask{8, 8, std::vector<uint8_t>(192, 0)};
  std::fill(mask.rgb.begin() + 96, mask.rgb.end(), uint8_t{255});  // lower half
  write("mask.png", mask);
  ASSERT_EQ(run({"vary", "in.png", "-p", "a cat", "-s", "3", "--mask", "mask.png", "-o", "m.png"})
                .exit_code,
            0);
  ASSERT_EQ(run({"vary", "in.png", "-p", "a cat", "-s", "3", "--keep-rows", "2", "-o", "k.png"})
                .exit_code,
            0);
  EXPECT_EQ(bytes("m.png"), bytes("k.png"));
  write("small.png", picture(4, 4));
  expect_fails({"vary", "in.png", "-p", "a", "--mask", "small.png"}, 65,
               "a mask has the picture's");
}

TEST_F(Varying, WhatCannotBeDoneIsOneSentence) {
  expect_fails({"vary", "in.png"}, 2, "no prompt");
  expect_fails({"vary", "in.png", "-p", "a", "--keep-rows", "1", "--strength", "1"}, 2, "one of");
  expect_fails({"vary", "in.png", "-p", "a", "--keep-rows", "5"}, 2, "have 4 rows of tokens");
  expect_fails({"vary", "in.png", "-p", "a", "--strength", "1.5"}, 2, "--strength");
  expect_fails({"vary", "none.png", "-p", "a"}, 66, "none.png");
  expect_fails({"encode", ".", "-o", "x.json"}, 65, "not a regular file");
  scratch_.write("bad.png", "GIF89a");
  expect_fails({"reconstruct", "bad.png"}, 65, "only PNG, JPEG and WebP are read");
  scratch_.write("x.json", "");
  expect_fails({"encode", "in.png", "-o", "x.json"}, 73, "x.json");
  expect_fails({"encode", "in.png", "-o", "-", "--json"}, 2, "both want stdout");
  const std::string blind = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/toy-f32";
  expect_fails({"encode", "in.png", "-o", "y.json", "-m", blind}, 65, "this model has no encoder");
}

}  // namespace
}  // namespace bifrons::testing
