// Setting names of other programs, and columns that are no settings.
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/byte_streams.h"

namespace bifrons::testing {
namespace {

TEST(SettingNames, OtherProgramsNamesMeanWhatTheySay) {
  const std::vector<std::pair<Field, std::vector<std::string>>> names{
      {Field::kGuidance,
       {"cfg", "cfg_weight", "cfg_scale", "CFG scale", "cfgScale", "guidance", "guidance_scale",
        "guidanceScale", "guidance-scale", "Guidance Scale", "cfgweight"}},
      {Field::kNegativePrompt,
       {"negative", "neg_prompt", "negativePrompt", "Negative prompt", "negative-prompt",
        "uncond"}},
      {Field::kCount,
       {"n", "count", "parallel_size", "num_images_per_prompt", "num_samples", "number_of_samples",
        "num_images", "numberOfImages", "n_images", "num_outputs", "num_return_sequences"}},
      {Field::kBatchSize, {"batch_size", "batchSize", "n_samples"}},
      {Field::kBatches, {"n_iter", "batch_count", "Batch count"}},
      {Field::kTopK, {"top_k", "topk", "topK", "Top K", "TOP-K"}},
      {Field::kTopP, {"top_p", "topp", "Top P"}},
      {Field::kTemperature, {"temp", "temperature", "Temperature"}},
      {Field::kSeed, {"seed", "Seed", "noise_seed", "random_seed"}}};
  for (const auto& [field, all] : names) {
    for (const std::string& name : all) EXPECT_EQ(field_of(name), field) << name;
  }
}

TEST(SettingNames, WhatLooksLikeASettingIsAskedAbout) {
  for (const std::string name : {"cfg_wieght",
                                 "cfgs",
                                 "cfg_rescale",
                                 "guidence_scale",
                                 "guidance2",
                                 "seeed",
                                 "seeds",
                                 "seed_value",
                                 "base_seed",
                                 "negative_promt",
                                 "negativ_prompt",
                                 "negatives",
                                 "temprature",
                                 "temperture",
                                 "temperature_text",
                                 "top_kk",
                                 "topk_value",
                                 "top_p_min",
                                 "num_images_total",
                                 "numsample",
                                 "parallel_sizes",
                                 "promt",
                                 "prompts",
                                 "captoin",
                                 "batch_sizes",
                                 "num_image_per_prompt",
                                 "num_imgs",
                                 "image_count",
                                 "pictures_per_prompt",
                                 "num_return_images",
                                 "repeats"}) {
    EXPECT_FALSE(field_of(name)) << name;
    EXPECT_FALSE(nearly_field(name).empty()) << name;
  }
}

// Columns of GenEval, PartiPrompts, DPG-Bench, T2I-CompBench, DrawBench, WISE and of caption data
// sets.
TEST(SettingNames, ForeignColumnsAreLeftInPeace) {
  for (const std::string name : {"tag",
                                 "include",
                                 "exclude",
                                 "Category",
                                 "Challenge",
                                 "Note",
                                 "item_id",
                                 "keywords",
                                 "proposition_id",
                                 "dependency",
                                 "category_broad",
                                 "category_detailed",
                                 "tuple",
                                 "question_natural_language",
                                 "class",
                                 "subset",
                                 "split",
                                 "test",
                                 "topic",
                                 "top",
                                 "team",
                                 "need",
                                 "item",
                                 "name",
                                 "url",
                                 "hash",
                                 "similarity",
                                 "punsafe",
                                 "image_id",
                                 "customer_id",
                                 "Explanation",
                                 "Subcategory",
                                 "prompt_id",
                                 "prompt_length",
                                 "top_performer",
                                 "num_pages",
                                 "num_examples",
                                 "step",
                                 "next",
                                 "style",
                                 "amount",
                                 "country",
                                 "stop",
                                 "image",
                                 "source",
                                 "note",
                                 "num_objects",
                                 "difficulty",
                                 "filename",
                                 "language",
                                 "relation",
                                 "attribute",
                                 "spatial",
                                 "width",
                                 "height",
                                 "size",
                                 "steps",
                                 "sampler",
                                 "model",
                                 "type",
                                 "label"}) {
    EXPECT_TRUE(!field_of(name)) << name;
    EXPECT_EQ(name == "filename" ? "" : nearly_field(name), "") << name;
  }
}

TEST(SettingNames, EveryFormatKnowsThem) {
  const auto json = read_all(
      R"({"prompt":"a","cfg_weight":3,"parallel_size":2,"negative":"blue"})"
      "\n"
      R"({"custom_id":"r","url":"/v1/images/generations","body":{"prompt":"a","guidance_scale":3,"num_images_per_prompt":2,"neg_prompt":"blue"}})"
      "\n",
      PromptFormat::kJsonLines);
  const auto csv =
      read_all("prompt,CFG weight,num_samples,negative\na,3,2,blue\n", PromptFormat::kCsv);
  const auto tsv = read_all(
      "prompt\tguidance_scale\tnumber_of_samples\tneg_prompt\na\t3\t2\tblue\n", PromptFormat::kTsv);
  const auto text = read_all(
      "a --cfg_weight 3 --parallel-size 2 --negative blue\n"
      "--prompt=a --guidance_scale=3 --num_images 2 --neg-prompt blue\n",
      PromptFormat::kText);
  for (const auto* all : {&json, &csv, &tsv, &text}) {
    ASSERT_TRUE(all->bad.empty()) << all->bad[0].reason;
    EXPECT_TRUE(all->warnings.empty()) << all->warnings[0];
    for (const PromptLine& line : all->lines) {
      EXPECT_EQ(line.prompt, "a");
      EXPECT_EQ(line.guidance, 3);
      EXPECT_EQ(line.count, 2);
      EXPECT_EQ(line.negative_prompt, "blue");
      EXPECT_TRUE(line.extras.empty());
    }
  }
  EXPECT_EQ(json.lines.size() + csv.lines.size() + tsv.lines.size() + text.lines.size(), 6u);
}

TEST(SettingNames, BatchesAndTheirSizeMakeACount) {
  const auto json =
      read_all(R"({"prompt":"a","batch_size":2,"n_iter":3})", PromptFormat::kJsonLines);
  EXPECT_EQ(json.lines.at(0).count, 6);
  EXPECT_EQ(read_all("prompt,batch_size,n_iter\na,2,3\n", PromptFormat::kCsv).lines.at(0).count, 6);
  EXPECT_EQ(read_all("a --batch_size 2 --n_iter 3\n", PromptFormat::kText).lines.at(0).count, 6);
  EXPECT_EQ(read_all("a --batch-count 3\n", PromptFormat::kText).lines.at(0).count, 3);
}

TEST(SettingNames, TwoNamesForOneSettingAreABadLine) {
  for (const std::string line :
       {R"({"prompt":"a","cfg":1,"cfg_weight":2})", R"({"prompt":"a","n":1,"num_samples":2})",
        R"({"prompt":"a","n":1,"batch_size":2})", R"({"prompt":"a","n_iter":1,"batch_count":2})",
        R"({"prompt":"a","batch_size":1000,"n_iter":1000})"}) {
    EXPECT_EQ(read_all(line, PromptFormat::kJsonLines).bad.size(), 1u) << line;
  }
  for (const std::string line :
       {"a --cfg 1 --cfg_weight 2\n", "a --count 2 --n_iter 2\n", "a --count 2 --num_images 2\n"}) {
    EXPECT_EQ(read_all(line, PromptFormat::kText).bad.size(), 1u) << line;
  }
  EXPECT_EQ(read_all("a --seed 1 --seed 2\n", PromptFormat::kText).lines.at(0).seed, 2u);
  EXPECT_EQ(read_all("prompt,n,batch_size\na,1,2\n", PromptFormat::kCsv).bad.size(), 1u);
  EXPECT_THROW(read_all("prompt,cfg,cfg_weight\na,1,2\n", PromptFormat::kCsv), Error);
}

TEST(SettingNames, AKeyThatLooksLikeASettingIsSaidOnce) {
  const auto all = read_all(
      "{\"prompt\":\"a\",\"cfg_wieght\":3}\n{\"prompt\":\"b\",\"cfg_wieght\":3,\"tag\":1}\n",
      PromptFormat::kJsonLines);
  ASSERT_EQ(all.warnings.size(), 1u);
  EXPECT_NE(all.warnings[0].find("did you mean cfg_weight?"), std::string::npos) << all.warnings[0];
  EXPECT_EQ(all.lines.at(1).extras.size(), 2u);
}

TEST(SettingNames, ASecondPromptIsSaidOnce) {
  const auto json = read_all(
      "{\"prompt\":\"a\",\"text\":\"b\"}\n{\"text\":\"c\",\"Prompt\":\"d\"}\n{\"text\":\"e\"}\n"
      "{\"prompt\":null,\"caption\":\"f\"}\n",
      PromptFormat::kJsonLines);
  ASSERT_TRUE(json.bad.empty()) << json.bad[0].reason;
  EXPECT_EQ(json.lines.at(1).prompt, "d");
  EXPECT_EQ(json.lines.at(3).prompt, "f");
  EXPECT_EQ(json.warnings.size(), 1u);
  const auto csv = read_all("caption,prompt\na,b\nc,d\n", PromptFormat::kCsv);
  ASSERT_EQ(csv.warnings.size(), 1u);
  EXPECT_NE(csv.warnings[0].find("\"prompt\" is drawn, \"caption\" is not"), std::string::npos);
  EXPECT_EQ(csv.lines.at(0).prompt, "b");
}

// A manifest keeps the columns of its prompt file under their names. Only its own members are
// settings.
TEST(SettingNames, AManifestIsDrawnByItsOwnMembers) {
  const auto all = read_all(
      R"({"file_name":"a.png","text":"a fox","caption":"c","cfg_weight":9,"cfg":3,"seed":7,"crc32":"0","key":"k"})",
      PromptFormat::kJsonLines);
  ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
  EXPECT_EQ(all.lines.at(0).guidance, 3);
  EXPECT_EQ(all.lines.at(0).prompt, "a fox");
  EXPECT_TRUE(all.warnings.empty());
}

TEST(SettingNames, WholeNumbersMayHaveAZeroFraction) {
  const auto csv = read_all("prompt,seed,n\na,7.0,2.00\nb,7.000000,1\n", PromptFormat::kCsv);
  ASSERT_EQ(csv.lines.size(), 2u);
  EXPECT_EQ(csv.lines[0].seed, 7u);
  EXPECT_EQ(csv.lines[0].count, 2);
  EXPECT_EQ(csv.lines[1].seed, 7u);
  const auto json = read_all(
      "{\"prompt\":\"a\",\"seed\":7.0,\"top_k\":5e1,\"n\":2.0}\n{\"prompt\":\"a\",\"seed\":-1.0}\n",
      PromptFormat::kJsonLines);
  ASSERT_TRUE(json.bad.empty()) << json.bad[0].reason;
  EXPECT_EQ(json.lines.at(0).seed, 7u);
  EXPECT_EQ(json.lines.at(0).top_k, 50);
  EXPECT_FALSE(json.lines.at(1).seed);
  for (const std::string seed : {"7.5", "1e3", "1.23457E+09", "1.000", "7.", ".0", "-2.0", "0x7"}) {
    EXPECT_EQ(read_all("prompt,seed\na," + seed + "\n", PromptFormat::kCsv).bad.size(), 1u) << seed;
  }
  for (const std::string seed : {"7.5", "1e19", "-2.0", "1e300", "0.5"}) {
    const std::string line = "{\"prompt\":\"a\",\"seed\":" + seed + "}";
    EXPECT_EQ(read_all(line, PromptFormat::kJsonLines).bad.size(), 1u) << seed;
  }
}

}  // namespace
}  // namespace bifrons::testing
