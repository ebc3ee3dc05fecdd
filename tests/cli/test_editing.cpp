// edit and --reflect on the command line.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/io/sha256.h"
#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

std::string edited_toy(const std::string& name = "toy-hf") {
  return std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/" + name;
}

class Editing : public ::testing::Test {
 protected:
  void SetUp() override {
    Picture made{20, 12, {}};
    for (int i = 0; i < 20 * 12 * 3; ++i) made.rgb.push_back(static_cast<uint8_t>(i * 37 % 256));
    const auto file = encode_pixels(made, PictureFormat::kPng);
    scratch_.write("in.png", {reinterpret_cast<const char*>(file.data()), file.size()});
  }

  Outcome run(std::vector<std::string> arguments, const std::string& input = {},
              const std::string& model = "toy-hf") const {
    return run_bifrons(arguments, {.directory = scratch_.path(),
                                   .input = input,
                                   .variables = {{"BIFRONS_MODEL", edited_toy(model)}}});
  }
  nlohmann::json settings(const std::string& name) const {
    const std::string file = scratch_.read(name);
    const std::span data(reinterpret_cast<const uint8_t*>(file.data()), file.size());
    return nlohmann::json::parse(read_picture_info(data).metadata.settings);
  }
  void expect_fails(std::vector<std::string> arguments, int code, const std::string& part,
                    const std::string& model = "toy-hf") const {
    const Outcome outcome = run(std::move(arguments), {}, model);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }

  TemporaryDirectory scratch_;
};

TEST_F(Editing, WritesPicturesThatSayWhatWasEdited) {
  const Outcome outcome =
      run({"edit", "in.png", "make it red", "-s", "7", "-c", "2", "-o", "out/"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("is not known as a model that edits; it is asked as janus-4o is"),
            std::string::npos)
      << outcome.err;
  const auto first = outcome.out.substr(0, outcome.out.find('\n'));
  const nlohmann::json record = settings(first);
  EXPECT_EQ(record["prompt"], "make it red");
  EXPECT_EQ(record["seed"], 7);
  EXPECT_EQ(record["edit"]["style"], "janus-4o");
  EXPECT_EQ(record["edit"]["picture"], "in.png");
  EXPECT_EQ(record["edit"]["image_guidance"], 5.0);
  EXPECT_EQ(record["edit"]["sha256"], sha256(scratch_.read("in.png")));

  // From standard input, the second of them alone.
  const Outcome alone = run({"edit", "-", "make it red", "-s", "8", "-o", "alone.png", "--json"},
                            scratch_.read("in.png"));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  const auto report = nlohmann::json::parse(alone.out);
  EXPECT_EQ(report["edit"]["picture"], "-");
  EXPECT_EQ(report["pictures"][0]["seed"], 8);
  const auto second =
      outcome.out.substr(first.size() + 1, outcome.out.rfind('\n') - first.size() - 1);
  const auto pixels = [&](const std::string& name) {
    const Outcome plain = run({"encode", name, "-o", "-", "-q"});
    return nlohmann::json::parse(plain.out)["tokens"];
  };
  EXPECT_EQ(pixels("alone.png"), pixels(second));

  const Outcome other = run({"edit", "in.png", "make it red", "-s", "8", "-o", "other.png", "-q",
                             "--style", "janus-pro-r1"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_EQ(other.err, "");
  EXPECT_EQ(settings("other.png")["edit"]["style"], "janus-pro-r1");
  EXPECT_FALSE(settings("other.png")["edit"].contains("image_guidance"));

  // The settings of an edit serve another edit, and no other command.
  ASSERT_EQ(run({"edit", "in.png", "make it red", "--like", "alone.png", "-o", "again.png", "-q"})
                .exit_code,
            0);
  EXPECT_EQ(pixels("again.png"), pixels("alone.png"));
  expect_fails({"generate", "--like", "alone.png"}, 65, "it was made from another picture");
}

TEST_F(Editing, RefusesInOneSentence) {
  for (const char* blank : {"", " "}) {
    expect_fails({"edit", "in.png", blank}, 2, "the instruction is empty");
    const std::string said = run({"edit", "in.png", blank}, {}, "toy-hf").err;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  }
  expect_fails({"edit", "in.png", "a hat", "--style", "janus"}, 2,
               "there is no style \"janus\"; there are janus-4o, janus-pro-r1");
  expect_fails({"edit", "in.png", "a hat", "--image-guidance", "101"}, 2, "--image-guidance");
  expect_fails({"edit", "in.png", "a hat", "--image-guidance", "2", "--style", "janus-pro-r1"}, 2,
               "--image-guidance needs a style with three rows");
  expect_fails({"edit", "in.png", "a hat", "-n", "blue"}, 2, "--negative-prompt has no place");
  expect_fails({"edit", "in.png", "a hat", "--think"}, 2, "--think has no place in an edit");
  expect_fails({"edit", "in.png", "a hat", "--thought", "x"}, 2, "--think has no place in an edit");
  expect_fails({"generate", "a hat", "--reflect", "--thought", "x"}, 2,
               "give one of --think and --reflect");
  expect_fails({"edit", "-", "-"}, 2, "only one of picture and instruction");
  expect_fails({"edit", "in.png", "a hat"}, 65, "this model has no encoder", "toy-sees");
  expect_fails({"edit", "none.png", "a hat"}, 66, "none.png");
}

TEST_F(Editing, ReflectionKeepsWhatIsAskedFor) {
  const Outcome outcome = run({"generate", "--reflect=2", "--keep-all", "a red cat", "-s", "1",
                               "-c", "3", "-o", "p_{seed}.png", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(report["pictures"].size(), 3u);
  for (const auto& picture : report["pictures"]) {
    const std::string name = picture["file"];
    const auto& rounds = picture["reflect"];
    ASSERT_GE(rounds.size(), 1u);
    ASSERT_LE(rounds.size(), 3u);
    EXPECT_EQ(settings(name)["reflect"], rounds);
    EXPECT_EQ(rounds[0]["seed"], picture["seed"]);
    for (size_t i = 0; i + 1 < rounds.size(); ++i) {
      EXPECT_FALSE(rounds[i]["match"]);
      const std::string earlier =
          name.substr(0, name.size() - 4) + ".round" + std::to_string(i + 1) + ".png";
      EXPECT_EQ(settings(earlier)["reflect"].size(), i + 1);
    }
  }
}

// The judge, the encoder and the longer prompts are counted before anything is loaded.
TEST_F(Editing, ReflectionIsPartOfTheMemoryPlan) {
  const auto memory = nlohmann::json::parse(run({"inspect", "--json"}).out)["memory"];
  const int64_t plain = memory["bytes"], bytes = memory["bytes_with_reflect"];
  ASSERT_GT(bytes, plain);
  const auto drawn = [&](const std::string& reflect, int64_t limit) {
    return run({"generate", reflect, "a hat", "-s", "1", "-o", "p.png", "-y", "--kv", "stored",
                "--max-memory", fmt::format("{:.9f}", static_cast<double>(limit) / 1e9)});
  };
  EXPECT_EQ(drawn("--reflect=2", bytes).exit_code, 0);
  const Outcome refused = drawn("--reflect=2", bytes - 1);
  EXPECT_EQ(refused.exit_code, 69) << refused.err;
  EXPECT_NE(refused.err.find(fmt::format("needs {} bytes", bytes)), std::string::npos)
      << refused.err;
  EXPECT_EQ(drawn("-q", bytes - 1).exit_code, 0);
}

TEST_F(Editing, ReflectionRefusesInOneSentence) {
  expect_fails({"generate", "--reflect=0", "a hat"}, 2, "--reflect");
  expect_fails({"generate", "--reflect=17", "a hat"}, 2, "--reflect");
  expect_fails({"generate", "--reflect", "a hat", "--best-of", "2"}, 2,
               "give one of --best-of and --reflect");
  expect_fails({"generate", "a hat", "--keep-all"}, 2, "go with --reflect");
  expect_fails({"generate", "a hat", "--reflect", "--keep-all", "-o", "-"}, 2, "--keep-all");
  expect_fails({"generate", "--reflect", "a hat"}, 65, "this model has no encoder", "toy-sees");
}

}  // namespace
}  // namespace bifrons::testing
