// Drawing with a real model: file names, metadata and reproduction.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

class Drawing : public ::testing::Test {
 protected:
  void SetUp() override {
    if (model_for_tests().empty()) GTEST_SKIP() << "no model in this checkout";
  }

  Outcome run(std::vector<std::string> arguments, const std::string& input = {}) const {
    return run_bifrons(arguments, {.directory = scratch_.path(),
                                   .input = input,
                                   .variables = {{"BIFRONS_MODEL", model_for_tests()}}});
  }
  PictureFileInfo info(const std::string& name) const {
    const std::string file = scratch_.read(name);
    return read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  }
  nlohmann::json settings(const std::string& name) const {
    return nlohmann::json::parse(info(name).metadata.settings);
  }
  std::string bytes(const std::string& name) const { return scratch_.read(name); }

  TemporaryDirectory scratch_;
};

TEST_F(Drawing, DefaultNameCarriesSeedAndSlugAndMovesAside) {
  const Outcome first = run({"A Fox, in the snow!", "-s", "7"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, "bifrons-7-a-fox-in-the-snow.png\n");
  EXPECT_NE(first.err.find("seed 7"), std::string::npos);
  const Outcome second = run({"A Fox, in the snow!", "-s", "7", "-q"});
  EXPECT_EQ(second.out, "bifrons-7-a-fox-in-the-snow-2.png\n");
  EXPECT_EQ(second.err, "");
  EXPECT_EQ(bytes("bifrons-7-a-fox-in-the-snow.png"), bytes("bifrons-7-a-fox-in-the-snow-2.png"));
}

TEST_F(Drawing, RandomSeedIsPrintedAndRecorded) {
  ASSERT_EQ(run({"a fox", "-o", "a.png"}).exit_code, 0);
  const Outcome second = run({"a fox", "-o", "b.png"});
  const uint64_t seed = settings("b.png")["seed"];
  EXPECT_NE(second.err.find("seed " + std::to_string(seed)), std::string::npos);
  EXPECT_NE(settings("a.png")["seed"], seed);
}

TEST_F(Drawing, LikeReproducesTheBytesAndFlagsWin) {
  const std::string prompt = "a fox\nNegative prompt: \xe7\x8c\xab \"x\" <&>";
  ASSERT_EQ(run({"-p", prompt, "-s", "18446744073709551615", "--cfg", "3.25", "--temp", "0.9",
                 "--top-k", "50", "--top-p", "0.95", "--rope", "bf16", "-o", "a.png"})
                .exit_code,
            0);
  ASSERT_EQ(run({"--like", "a.png", "-o", "b.png"}).exit_code, 0);
  EXPECT_EQ(bytes("a.png"), bytes("b.png"));
  EXPECT_EQ(settings("b.png")["prompt"], prompt);

  ASSERT_EQ(run({"--like", "a.png", "-s", "5", "--cfg", "2", "-o", "c.png"}).exit_code, 0);
  EXPECT_EQ(settings("c.png")["seed"], 5);
  EXPECT_EQ(settings("c.png")["cfg"], 2.0);
  EXPECT_EQ(settings("c.png")["temperature"], 0.9);

  ASSERT_EQ(run({"--like", "a.png", "-o", "d.jpg"}).exit_code, 0);
  ASSERT_EQ(run({"--like", "d.jpg", "-o", "e.png"}).exit_code, 0);
  EXPECT_EQ(bytes("a.png"), bytes("e.png"));
}

TEST_F(Drawing, MetadataSaysItAllOrNothing) {
  ASSERT_EQ(run({"a fox", "-s", "3", "-o", "a.png"}).exit_code, 0);
  const PictureFileInfo full = info("a.png");
  EXPECT_TRUE(full.marked_generated);
  EXPECT_TRUE(full.metadata.parameters.starts_with("a fox\nSteps: "));
  EXPECT_NE(full.metadata.parameters.find("Seed: 3, Size: "), std::string::npos);
  EXPECT_EQ(settings("a.png")["schema"], 1);
  EXPECT_EQ(bytes("a.png").find(model_for_tests()), std::string::npos);  // no paths in the file

  ASSERT_EQ(run({"a fox", "-s", "3", "--no-metadata", "-o", "b.png"}).exit_code, 0);
  EXPECT_FALSE(info("b.png").marked_generated);
  EXPECT_EQ(info("b.png").metadata.parameters + info("b.png").metadata.settings, "");
  EXPECT_EQ(run({"--like", "b.png"}).exit_code, 65);
}

TEST_F(Drawing, CountMakesNumberedFilesAndEachCanBeMadeAlone) {
  const Outcome many = run({"a fox", "-s", "5", "-c", "3", "--grid", "-o", "x.png"});
  ASSERT_EQ(many.exit_code, 0) << many.err;
  EXPECT_EQ(many.out, "x-0001.png\nx-0002.png\nx-0003.png\nx-grid.png\n");
  ASSERT_EQ(run({"a fox", "-s", "7", "-o", "alone.png"}).exit_code, 0);
  EXPECT_EQ(bytes("alone.png"), bytes("x-0003.png"));
  EXPECT_GT(info("x-grid.png").width, 2 * info("alone.png").width);
}

TEST_F(Drawing, PatternsAndDirectories) {
  EXPECT_EQ(run({"a fox", "-s", "5", "-c", "2", "-q", "-o", "{seed}_{index:03}_{slug}.png"}).out,
            "5_001_a-fox.png\n6_002_a-fox.png\n");
  EXPECT_EQ(run({"a fox", "-s", "5", "-q", "-o", "p%04d.png"}).out, "p0001.png\n");
  EXPECT_EQ(run({"a fox", "-s", "5", "-q", "-o", "new/deep/"}).out,
            "new/deep/bifrons-5-a-fox.png\n");
  EXPECT_EQ(run({"a fox", "-s", "5", "-o", "{id}.png"}).exit_code, 2);
  EXPECT_EQ(run({"a fox", "-s", "5", "-o", "x.gif"}).exit_code, 2);
}

TEST_F(Drawing, ExistingFilesAreRefusedUnlessTold) {
  scratch_.write("x.png", "mine");
  const Outcome refused = run({"a fox", "-o", "x.png"});
  EXPECT_EQ(refused.exit_code, 73);
  EXPECT_NE(refused.err.find("exists already"), std::string::npos);
  EXPECT_EQ(bytes("x.png"), "mine");
  scratch_.write("t.json", "mine");
  EXPECT_EQ(run({"a fox", "-o", "z.png", "--tokens-out", "t.json"}).exit_code, 73);
  EXPECT_EQ(run({"a fox", "-o", "x.png", "-y"}).exit_code, 0);
  EXPECT_NE(bytes("x.png"), "mine");
  EXPECT_EQ(scratch_.names(), (std::set<std::string>{"x.png", "t.json"}));
}

TEST_F(Drawing, UnwritablePlacesAreFoundBeforeDrawing) {
  scratch_.write("file", "");
  for (const std::string output : {"file/x.png", "none/x.png", "file/", "file/deep/"}) {
    const Outcome outcome = run({"a fox", "-o", output});
    EXPECT_EQ(outcome.exit_code, 73) << output << outcome.err;
    EXPECT_EQ(outcome.err.find("seed"), std::string::npos) << outcome.err;  // no drawing yet
  }
  EXPECT_EQ(run({"doctor", "-o", "file"}).exit_code, 73);
  EXPECT_EQ(scratch_.names(), (std::set<std::string>{"file"}));
}

TEST_F(Drawing, StdinAndDashesAndEmptyPrompts) {
  ASSERT_EQ(run({"-", "-o", "a.png"}, "a fox\r\n").exit_code, 0);
  EXPECT_EQ(settings("a.png")["prompt"], "a fox");
  ASSERT_EQ(run({"-o", "b.png", "--", "--fox"}).exit_code, 0);
  EXPECT_EQ(settings("b.png")["prompt"], "--fox");
  ASSERT_EQ(run({"--prompt=--version", "-o", "v.png"}).exit_code, 0);
  EXPECT_EQ(settings("v.png")["prompt"], "--version");
  ASSERT_EQ(run({"-p", "--not one", "-p", "[a, b]", "-o", "c.png"}).exit_code, 0);
  EXPECT_EQ(settings("c.png")["prompt"], "[a, b]");
  const Outcome empty = run({"", "-o", "d.png"});
  EXPECT_EQ(empty.exit_code, 0) << empty.err;
  EXPECT_NE(empty.err.find("the prompt is empty"), std::string::npos);
}

TEST_F(Drawing, JsonIsOneObject) {
  const Outcome outcome = run({"a fox", "-s", "2", "-c", "2", "--grid", "--json", "-o", "x.png",
                               "--tokens-out", "t.json", "-n", "a dog"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report["schema"], 1);
  EXPECT_EQ(report["pictures"].size(), 2u);
  EXPECT_EQ(report["pictures"][1]["file"], "x-0002.png");
  EXPECT_EQ(report["pictures"][1]["seed"], 3);
  EXPECT_EQ(report["grid"], "x-grid.png");
  EXPECT_EQ(report["tokens_file"], "t.json");
  EXPECT_EQ(report["negative_prompt"], "a dog");
}

// The files are the same with and without speculative decoding, including their settings.
TEST_F(Drawing, SpeculationChangesNoFile) {
  const auto draw = [&](const std::string& speculate, const std::string& file) {
    const Outcome outcome = run({"a fox", "-s", "2", "-c", "2", "--json", "--speculate", speculate,
                                 "-o", file + "-{index}.png"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    int64_t passes = 0;
    const auto report = nlohmann::json::parse(outcome.out);
    for (const auto& picture : report["pictures"]) {
      passes += picture["passes"].get<int64_t>();
    }
    return passes;
  };
  const int64_t plain = draw("off", "off");
  EXPECT_LE(draw("auto", "auto"), plain);
  EXPECT_LT(draw("8", "eight"), plain);
  EXPECT_EQ(draw("1", "one"), plain);
  for (const std::string index : {"1", "2"}) {
    for (const std::string other : {"auto", "eight", "one"}) {
      EXPECT_EQ(bytes("off-" + index + ".png"), bytes(other + "-" + index + ".png")) << other;
    }
  }
  for (const std::string wrong : {"0", "65", "always", "-1"}) {
    const Outcome refused = run({"a fox", "--speculate", wrong, "-o", "no.png"});
    EXPECT_EQ(refused.exit_code, 2) << wrong;
    EXPECT_NE(refused.err.find("--speculate takes auto, off"), std::string::npos) << refused.err;
  }
}

TEST_F(Drawing, TokensDecodeToTheSamePixels) {
  ASSERT_EQ(
      run({"a fox", "-s", "2", "--no-metadata", "-o", "a.png", "--tokens-out", "t.json"}).exit_code,
      0);
  const auto tokens = nlohmann::json::parse(bytes("t.json"));
  EXPECT_EQ(tokens["seed"], 2);
  EXPECT_EQ(tokens["prompt"], "a fox");
  EXPECT_EQ(tokens["grid"][0].get<int>() * tokens["grid"][1].get<int>(),
            static_cast<int>(tokens["tokens"].size()));
  ASSERT_EQ(run({"decode", "t.json", "--no-metadata", "-o", "b.png"}).exit_code, 0);
  EXPECT_EQ(bytes("a.png"), bytes("b.png"));
  const Outcome bare = run({"decode", "-", "--no-metadata", "-o", "-"}, tokens["tokens"].dump());
  EXPECT_EQ(bare.out, bytes("a.png"));
  ASSERT_EQ(run({"decode", "t.json", "-o", "marked.png"}).exit_code, 0);
  EXPECT_TRUE(info("marked.png").marked_generated);
  EXPECT_EQ(run({"decode", "-", "-o", "c.png"}, "[1, 2]").exit_code, 65);
  auto wrong = tokens["tokens"];
  wrong[0] = 2147483647;
  EXPECT_EQ(run({"decode", "-", "-o", "c.png"}, wrong.dump()).exit_code, 65);
}

// Another model's name in the tokens file gives a warning. A wrong grid is an error.
TEST_F(Drawing, TokensOfAnotherGridOrModelAreNoticed) {
  ASSERT_EQ(run({"a fox", "-s", "2", "-o", "a.png", "--tokens-out", "t.json"}).exit_code, 0);
  auto tokens = nlohmann::json::parse(bytes("t.json"));
  tokens["model"] = {{"name", "another"}, {"hash", "0000000000000000"}};
  const Outcome other = run({"decode", "-", "-o", "b.png"}, tokens.dump());
  EXPECT_EQ(other.exit_code, 0);
  EXPECT_NE(other.err.find("\"another\""), std::string::npos) << other.err;
  for (const nlohmann::json& grid :
       {nlohmann::json{1, 2}, nlohmann::json{1}, nlohmann::json("x")}) {
    tokens["grid"] = grid;
    EXPECT_EQ(run({"decode", "-", "-o", "c.png"}, tokens.dump()).exit_code, 65) << grid;
  }
}

TEST_F(Drawing, CodesNeedAFileOfTheirOwn) {
  for (const std::string both : {"a.png", "./a.png"}) {
    EXPECT_EQ(run({"a fox", "-o", "a.png", "--tokens-out", both, "-y"}).exit_code, 2);
  }
  EXPECT_EQ(run({"a fox", "-o", "a.png", "--tokens-out", "-"}).exit_code, 2);
  std::filesystem::create_symlink("loop", scratch_ / "loop");
  EXPECT_EQ(run({"a fox", "-o", "a.png", "--tokens-out", "loop/t.json"}).exit_code, 73);
  std::filesystem::remove(scratch_ / "loop");
  EXPECT_TRUE(scratch_.names().empty());
}

// The file with the codes to keep is untrusted input.
TEST_F(Drawing, KeptCodesThatDoNotFitAreDataErrors) {
  ASSERT_EQ(run({"a fox", "-s", "2", "-o", "a.png", "--tokens-out", "t.json"}).exit_code, 0);
  const size_t count = nlohmann::json::parse(bytes("t.json"))["tokens"].size();
  for (const std::vector<int>& fixed :
       {std::vector<int>{1, 2, 3}, std::vector<int>(count, 99999)}) {
    auto settings = this->settings("a.png");
    settings["fixed"] = fixed;
    const PictureMetadata metadata = {"", settings.dump()};
    const auto file = encode_picture({1, 1, {0, 0, 0}}, PictureFormat::kPng, &metadata);
    scratch_.write("like.png", {reinterpret_cast<const char*>(file.data()), file.size()});
    const Outcome outcome = run({"--like", "like.png", "-o", "b.png"});
    EXPECT_EQ(outcome.exit_code, 65) << outcome.err;
    EXPECT_NE(outcome.err.find("\"like.png\""), std::string::npos) << outcome.err;
  }
}

TEST_F(Drawing, OtherSizesAndDevicesAreRefused) {
  const Outcome size = run({"a fox", "--size", "1023x1023"});
  EXPECT_EQ(size.exit_code, 2);
  EXPECT_NE(size.err.find("no other size"), std::string::npos);
  const Outcome device = run({"a fox", "--device", "abacus"});
  EXPECT_TRUE(device.exit_code == 2 || device.exit_code == 69) << device.err;
  EXPECT_TRUE(scratch_.names().empty());
}

TEST_F(Drawing, ReportsOnModels) {
  EXPECT_EQ(run({"inspect"}).exit_code, 0);
  EXPECT_TRUE(nlohmann::json::parse(run({"inspect", "--json"}).out).is_object());
  const Outcome devices = run({"devices"});
  EXPECT_EQ(devices.exit_code, 0) << devices.err;
  EXPECT_EQ(devices.out.find("cpu "), 0u) << devices.out;
  EXPECT_NE(devices.out.find("cuda"), std::string::npos) << devices.out;
  const Outcome doctor = run({"doctor"});
  EXPECT_EQ(doctor.exit_code, 0) << doctor.out;
  EXPECT_EQ(doctor.out.find("fail"), std::string::npos);
  const auto ids = nlohmann::json::parse(run({"tokenize", "-"}, "a fox\n").out);
  EXPECT_EQ(ids, nlohmann::json::parse(run({"tokenize", "a fox\n"}).out));
  EXPECT_NE(ids, nlohmann::json::parse(run({"tokenize", "a fox"}).out));  // the line end counts
}

}  // namespace
}  // namespace bifrons::testing
