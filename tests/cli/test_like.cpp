// Settings in pictures of other programs.
#include <gtest/gtest.h>

#include <random>

#include "tools/bifrons/like.h"

namespace bifrons::testing {
namespace {

using namespace cli;

LikeSettings like(const std::string& parameters) { return settings_like({parameters, ""}, "x"); }

TEST(Like, TheTextOfA1111) {
  const LikeSettings found = like(
      "a red fox, (masterpiece:1.2),\nin the snow\nNegative prompt: blurry,\ndark\n"
      "Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 1234567890, Size: 512x512, "
      "Model: \"a, \\\"b\\\": c\", Version: v1.9.3");
  EXPECT_EQ(found.settings.prompt, "a red fox, (masterpiece:1.2),\nin the snow");
  EXPECT_EQ(found.settings.negative_prompt, "blurry,\ndark");
  EXPECT_EQ(found.settings.seed, 1234567890u);
  EXPECT_EQ(found.settings.guidance, 7.5);
  EXPECT_FALSE(found.settings.temperature);
  EXPECT_EQ(found.warning,
            "x has the settings of another program; taken: prompt, negative prompt, cfg, seed");
}

TEST(Like, PartsMayBeMissing) {
  EXPECT_EQ(like("a fox").settings.prompt, "a fox");
  EXPECT_FALSE(like("a fox").settings.seed);
  EXPECT_EQ(like("a fox: red, a hat: blue").settings.prompt, "a fox: red, a hat: blue");
  const LikeSettings bare = like("Steps: 20, Seed: 7, CFG scale: 3");
  EXPECT_FALSE(bare.settings.prompt);
  EXPECT_EQ(bare.settings.seed, 7u);
  EXPECT_EQ(like("a fox\r\nNegative prompt: b\r\nSteps: 2, Seed: 7").settings.negative_prompt, "b");
  // stable-diffusion.cpp writes both. The second is another setting.
  EXPECT_EQ(
      like("a fox\nSteps: 20, CFG scale: 7.000000, Guidance: 3.5, Seed: 42").settings.guidance, 7);
}

TEST(Like, WhatIsOutOfRangeIsLeftAndSaid) {
  const LikeSettings found = like("a fox\nSteps: 20, CFG scale: 700, Seed: -1, Top P: 0");
  EXPECT_FALSE(found.settings.guidance);
  EXPECT_FALSE(found.settings.seed);
  EXPECT_NE(found.warning.find("out of range and left: cfg \"700\", top p \"0\""),
            std::string::npos)
      << found.warning;
}

TEST(Like, ObjectsOfOtherPrograms) {
  const LikeSettings found = like(
      R"({"prompt":"a fox","negativePrompt":"b","seed":"12","guidance_scale":4,"steps":30,"loras":[]})");
  EXPECT_EQ(found.settings.prompt, "a fox");
  EXPECT_EQ(found.settings.negative_prompt, "b");
  EXPECT_EQ(found.settings.seed, 12u);
  EXPECT_EQ(found.settings.guidance, 4);
}

TEST(Like, TheGraphOfComfyUI) {
  const auto of = [](const std::string& graph) { return settings_like({"", "", graph}, "x"); };
  const std::string texts =
      R"("6":{"inputs":{"text":"a fox","clip":["4",1]}},"7":{"inputs":{"text":["9",0]}},)"
      R"("9":{"inputs":{"string":"blue"}},"8":{"inputs":{"conditioning":["6",0]}})";
  const LikeSettings found =
      of(R"({"3":{"class_type":"KSampler","inputs":{"seed":156680208700286,"cfg":8.0,"steps":20,)"
         R"("sampler_name":"euler","positive":["8",0],"negative":["7",0]}},)" +
         texts + "}");
  EXPECT_EQ(found.settings.prompt, "a fox");
  EXPECT_EQ(found.settings.negative_prompt, "blue");
  EXPECT_EQ(found.settings.seed, 156680208700286u);
  EXPECT_EQ(found.settings.guidance, 8);
  for (const std::string graph : {"{}", "{", "[]", R"({"3":7})", R"({"3":{"inputs":[]}})",
                                  R"({"3":{"inputs":{"seed":[1],"positive":["3",0]}}})",
                                  R"({"3":{"inputs":{"seed":"x","positive":[]}}})",
                                  R"({"3":{"inputs":{"positive":["3",0]}}})"}) {
    EXPECT_THROW(of(graph), Error) << graph;
  }
}

TEST(Like, OurOwnTextWithoutTheRecord) {
  DrawRequest request;
  request.prompt = "a fox\nNegative prompt: mine";
  request.negative_prompt = "a dog";
  request.seed = 9;
  request.temperature = 0.5;
  request.top_k = 40;
  const PictureMetadata metadata = describe(request, RopeMode::kF32, {}, "cpu");
  const Settings settings = like(metadata.parameters).settings;
  EXPECT_EQ(settings.prompt, request.prompt);
  EXPECT_EQ(settings.negative_prompt, "a dog");
  EXPECT_EQ(settings.seed, 9u);
  EXPECT_EQ(settings.temperature, 0.5);
  EXPECT_EQ(settings.top_k, 40);
  EXPECT_EQ(settings_like(metadata, "x").warning, "");
}

TEST(Like, NothingToTakeIsOneSentence) {
  for (const std::string& text :
       {std::string(), std::string("  \n"), std::string("{}"), std::string("{\"a\":1}"),
        std::string("{"), std::string("a\x1b[31m"), std::string("\xff"), std::string(2u << 20, 'x'),
        std::string(9000, '{')}) {
    EXPECT_THROW(like(text), Error) << text.substr(0, 20);
  }
}

TEST(Like, RandomTextGivesSettingsOrASentence) {
  std::mt19937 random(17);
  const std::vector<std::string> parts{
      "Seed: ", "CFG scale: ", "Negative prompt:", ",",  ":",       "\n", "\"", "\\", "7", "a", " ",
      "{",      "}",           "\xc3\xa9",         "-1", "Steps: 1"};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t n = random() % 14; n > 0; --n) text += parts[random() % parts.size()];
    try {
      EXPECT_FALSE(like(text).warning.empty());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
    }
  }
}

}  // namespace
}  // namespace bifrons::testing
