// Names of output files.
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "tools/bifrons/output_names.h"

namespace bifrons::testing {
namespace {

using namespace cli;

const NameFacts kFacts = {42, 7, "a-fox", "toy"};

TEST(Names, PatternsAreFilledIn) {
  EXPECT_EQ(expand_name("x.png", kFacts), "x.png");
  EXPECT_EQ(expand_name("{seed}-{slug}-{model}.png", kFacts), "42-a-fox-toy.png");
  EXPECT_EQ(expand_name("{index} {index:04} %d %03d", kFacts), "7 0007 7 007");
  EXPECT_EQ(expand_name("{{seed}} 100%% 5%", kFacts), "{seed} 100% 5%");
  EXPECT_EQ(expand_name("50%off %s %n %1000d", kFacts), "50%off %s %n %1000d");
}

TEST(Names, UnknownFieldsAreUsageErrors) {
  for (const std::string pattern :
       {"{", "{seed", "{}", "{id}", "{index:}x{", "{index:-4}", "{index:9999}", "{seed:04}"}) {
    EXPECT_THROW(expand_name(pattern, kFacts), Error) << pattern;
  }
}

TEST(Names, FormatsByEnding) {
  EXPECT_EQ(format_of_output("a.PNG"), PictureFormat::kPng);
  EXPECT_EQ(format_of_output("a.b/c.jpeg"), PictureFormat::kJpeg);
  for (const std::string name : {"a", "a.gif", "a.png/b", ".png/", "png"}) {
    EXPECT_THROW(format_of_output(name), Error) << name;
  }
}

TEST(Names, OnePatternForSeveralPicturesIsNumbered) {
  const TemporaryDirectory scratch;
  const std::vector<NameFacts> facts = {{1, 1, "a", "m"}, {2, 2, "a", "m"}};
  const auto plan = plan_outputs({(scratch / "x.png").string(), false, true}, facts);
  EXPECT_EQ(plan.files[0], scratch / "x-0001.png");
  EXPECT_EQ(plan.files[1], scratch / "x-0002.png");
  EXPECT_EQ(plan.sheet, scratch / "x-grid.png");
  const auto seeds = plan_outputs({(scratch / "{seed}.png").string(), false, false}, facts);
  EXPECT_EQ(seeds.files[1], scratch / "2.png");
  EXPECT_TRUE(scratch.names().empty());
}

TEST(Names, AFormatThisBuildLacksShowsWhilePlanning) {
  const TemporaryDirectory scratch;
  const auto plan = [&] {
    return plan_outputs({(scratch / "x.webp").string(), false, false}, {{1, 1, "a", "m"}});
  };
  bool can_encode = true;
  try {
    encode_picture({1, 1, {0, 0, 0}}, PictureFormat::kWebp, nullptr);
  } catch (const Error&) {
    can_encode = false;
  }
  if (can_encode) {
    EXPECT_NO_THROW(plan());
  } else {
    EXPECT_THROW(plan(), Error);
  }
  EXPECT_TRUE(scratch.names().empty());
}

TEST(Names, DefaultNamesMoveAside) {
  const TemporaryDirectory scratch;
  scratch.write("bifrons-1-a.png", "");
  scratch.write("bifrons-1-a-2.png", "");
  const std::string directory = scratch.path().string();
  EXPECT_EQ(plan_outputs({directory, false, false}, {{1, 1, "a", "m"}}).files[0],
            scratch / "bifrons-1-a-3.png");
  EXPECT_EQ(plan_outputs({directory, true, false}, {{1, 1, "a", "m"}}).files[0],
            scratch / "bifrons-1-a.png");
}

TEST(Names, AFileThatAppearsMeanwhileIsKept) {
  const TemporaryDirectory scratch;
  scratch.write("x.png", "theirs");
  const std::vector<uint8_t> ours = {'o'};
  EXPECT_EQ(save_output(scratch / "x.png", false, ours), scratch / "x-2.png");
  EXPECT_EQ(scratch.read("x.png"), "theirs");
  EXPECT_EQ(save_output(scratch / "x.png", true, ours), scratch / "x.png");
}

// Each name is looked up once. Thousands of equal names do not each count up from 2.
TEST(Names, ManyPicturesOfOneNameAreAllMovedAside) {
  const TemporaryDirectory scratch;
  scratch.write("bifrons-1-a-3.png", "somebody's");
  const std::vector<NameFacts> facts(2000, NameFacts{1, 1, "a", "m"});
  const auto plan = plan_outputs({scratch.path().string() + "/", false, true}, facts);
  const std::set<std::filesystem::path> distinct(plan.files.begin(), plan.files.end());
  EXPECT_EQ(distinct.size(), facts.size());
  EXPECT_EQ(plan.files[0], scratch / "bifrons-1-a.png");
  EXPECT_EQ(plan.files[1], scratch / "bifrons-1-a-2.png");
  EXPECT_EQ(plan.files[2], scratch / "bifrons-1-a-4.png");
  EXPECT_EQ(plan.files[1999], scratch / "bifrons-1-a-2001.png");
  EXPECT_EQ(plan.sheet, scratch / "bifrons-1-a-grid.png");
}

}  // namespace
}  // namespace bifrons::testing
