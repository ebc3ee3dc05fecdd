// Options under the names of other programs.
#include <gtest/gtest.h>

#include <array>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

class CliNames : public CliBatch {
 protected:
  Outcome generate(std::vector<std::string> more) const {
    std::vector<std::string> all = {"generate", "a fox", "-m", toy_model(), "-t", "1", "-s", "3"};
    all.insert(all.end(), more.begin(), more.end());
    return run_bifrons(all, {.directory = scratch.path()});
  }
};

TEST_F(CliNames, DrawTheSamePicture) {
  ASSERT_EQ(generate({"--cfg", "3", "--top-k", "9", "-n", "blue", "-o", "a.png"}).exit_code, 0);
  const std::string wanted = scratch.read("a.png");
  const std::vector<std::vector<std::string>> others{
      {"--cfg-weight", "3", "--top_k", "9", "--negative", "blue"},
      {"--guidance-scale=3", "--topk", "9", "--neg-prompt", "blue"},
      {"--cfg_scale", "3", "--top_k", "9", "--negative_prompt", "blue"},
      {"--guidance_scale", "3", "--topk=9", "--neg_prompt=blue"}};
  for (std::vector<std::string> words : others) {
    words.insert(words.end(), {"-o", "b.png", "-y"});
    const Outcome drawn = generate(words);
    EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
    EXPECT_EQ(scratch.read("b.png"), wanted) << words[0];
  }
}

TEST_F(CliNames, CountsByAnyName) {
  for (const std::string name : {"--num-images-per-prompt", "--parallel_size", "--num-samples",
                                 "--batch-size", "--n_iter", "--number-of-samples"}) {
    const Outcome drawn = generate({name, "2", "-o", name.substr(2) + "-{index}.png"});
    EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
    EXPECT_TRUE(std::filesystem::exists(scratch / (name.substr(2) + "-2.png"))) << name;
  }
  EXPECT_EQ(generate({"--batch-size", "2", "--n-iter", "2", "-o", "p-{index}.png"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(scratch / "p-4.png"));
}

TEST_F(CliNames, RefusalsSayWhich) {
  const Outcome two = generate({"--cfg", "3", "--cfg-weight", "4"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_NE(two.err.find("--cfg and --cfg-weight say the same"), std::string::npos) << two.err;
  EXPECT_EQ(generate({"--guidance-scale", "3", "--cfg_weight", "4"}).exit_code, 2);
  EXPECT_EQ(generate({"--count", "3", "--num-images", "4"}).exit_code, 2);
  EXPECT_EQ(generate({"--count", "3", "--n-iter", "4"}).exit_code, 2);
  EXPECT_EQ(generate({"--batch-size", "1000", "--n-iter", "1000"}).exit_code, 2);
  EXPECT_EQ(generate({"--cfg-weight", "much"}).exit_code, 2);
  const Outcome dash = generate({"\xe2\x80\x94seed", "7"});
  EXPECT_NE(dash.err.find("write \"--seed\""), std::string::npos) << dash.err;
  scratch.write("p.txt", "a fox\n");
  const Outcome batch_size = batch("p.txt", {"--batch-size", "4"});
  EXPECT_EQ(batch_size.exit_code, 2);
  EXPECT_NE(batch_size.err.find("--batch N"), std::string::npos) << batch_size.err;
}

TEST_F(CliNames, TwoShownNamesAreRefusedToo) {
  const std::vector<std::array<std::string, 2>> pairs{
      {"--cfg", "--guidance"},     {"--guidance", "--cfg-scale"},
      {"--temp", "--temperature"}, {"--count", "--batch-count"},
      {"-c", "--count"},           {"--cfg-weight", "--cfg_weight"}};
  for (const auto& [a, b] : pairs) {
    const Outcome two = generate({a, "3", b + "=1"});
    EXPECT_EQ(two.exit_code, 2) << a;
    EXPECT_NE(two.err.find(a + " and " + b + " say the same; give one of them"), std::string::npos)
        << two.err;
  }
  const Outcome seeds = generate({"--seed", "4"});  // beside -s
  EXPECT_EQ(seeds.exit_code, 2);
  EXPECT_NE(seeds.err.find("-s and --seed say the same"), std::string::npos) << seeds.err;
}

TEST_F(CliNames, OneNameTwiceTakesTheLast) {
  ASSERT_EQ(generate({"--cfg", "3", "-o", "a.png"}).exit_code, 0);
  const Outcome twice = generate({"--cfg", "9", "--cfg=3", "-o", "b.png"});
  ASSERT_EQ(twice.exit_code, 0) << twice.err;
  EXPECT_EQ(scratch.read("a.png"), scratch.read("b.png"));
  // A name that is a value is no option.
  EXPECT_EQ(generate({"--cfg", "3", "--negative-prompt=--guidance", "-o", "c.png"}).exit_code, 0);
}

TEST_F(CliNames, BatchAndGridKnowThem) {
  scratch.write("p.txt", "a fox\n");
  ASSERT_EQ(batch("p.txt", {"--cfg_weight", "3", "--num-images-per-prompt", "2"}).exit_code, 0);
  ASSERT_EQ(manifest().size(), 2u);
  EXPECT_EQ(manifest().at(0)["cfg"], 3);
  EXPECT_EQ(run_bifrons({"grid", "a fox", "-m", toy_model(), "-x", "seed=1,2", "--guidance-scale",
                         "3", "-o", "g.png"},
                        {.directory = scratch.path()})
                .exit_code,
            0);
  EXPECT_EQ(run_bifrons({"generate", "--help"}).out.find("cfg-weight"), std::string::npos);
  EXPECT_EQ(run_bifrons({"completion", "bash"}).out.find("cfg-weight"), std::string::npos);
}

TEST_F(CliNames, MisleadingKeysAreWarnedOfWhereABatchRuns) {
  scratch.write("p.jsonl", "{\"prompt\":\"a\",\"guidence_scale\":3,\"tag\":\"x\"}\n");
  const Outcome drawn = batch("p.jsonl");
  EXPECT_EQ(drawn.exit_code, 0);
  EXPECT_NE(drawn.err.find("did you mean guidance_scale?"), std::string::npos) << drawn.err;
  EXPECT_EQ(drawn.err.find("tag"), std::string::npos) << drawn.err;
}

}  // namespace
}  // namespace bifrons::testing
