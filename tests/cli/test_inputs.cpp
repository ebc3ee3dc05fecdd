// Files given to the program: missing, damaged or hostile. None of it needs a model.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/picture_file.h"

namespace bifrons::testing {
namespace {

Picture small_picture() {
  Picture picture{8, 8, {}};
  for (int i = 0; i < 8 * 8 * 3; ++i) picture.rgb.push_back(static_cast<uint8_t>(i));
  return picture;
}

void write_picture(const TemporaryDirectory& directory, std::string_view name,
                   const PictureMetadata* metadata) {
  const auto file = encode_picture(small_picture(), PictureFormat::kPng, metadata);
  directory.write(name, {reinterpret_cast<const char*>(file.data()), file.size()});
}

TEST(CliInputs, UnreadableFilesHaveCodes) {
  const TemporaryDirectory scratch;
  scratch.write("empty", "");
  scratch.write("text.png", "not a picture");
  mkfifo((scratch / "pipe").c_str(), 0600);
  const std::string directory = scratch.path().string();
  for (const std::vector<std::string>& before :
       {std::vector<std::string>{"info"}, {"decode"}, {"generate", "--like"}}) {
    const auto run = [&](const std::string& file) {
      std::vector<std::string> arguments = before;
      arguments.push_back(file);
      return run_bifrons(arguments).exit_code;
    };
    EXPECT_EQ(run((scratch / "none").string()), 66) << before[0];
    EXPECT_EQ(run((scratch / "empty").string()), 65) << before[0];
    EXPECT_EQ(run((scratch / "text.png").string()), 65) << before[0];
    EXPECT_EQ(run((scratch / "pipe").string()), 65) << before[0];
    EXPECT_EQ(run(directory), 65) << before[0];
  }
}

TEST(CliInputs, HostileTokensAreDataErrors) {
  const std::vector<std::string> texts = {"",
                                          "{",
                                          "null",
                                          "7",
                                          "\"x\"",
                                          "[1.5]",
                                          "[-1]",
                                          "[true]",
                                          "[2147483648]",
                                          "[99999999999999999999]",
                                          "[1e400]",
                                          "[[1]]",
                                          "[{\"schema\":1,\"tokens\":[1]},2]",
                                          "[{\"schema\":1,\"tokens\":[1]},3,{}]",
                                          "{}",
                                          "{\"schema\":2,\"tokens\":[]}",
                                          "{\"schema\":\"1\",\"tokens\":[]}",
                                          "{\"schema\":1}",
                                          "{\"schema\":1,\"tokens\":{}}",
                                          "{\"schema\":1,\"tokens\":[1],\"seed\":-1}",
                                          "[1] 2",
                                          "[1,]",
                                          "[\"\xff\"]",
                                          std::string("[1\0]", 4),
                                          std::string(1000000, '['),
                                          "[" + std::string(100000, '{')};
  for (const std::string& text : texts) {
    const Outcome outcome = run_bifrons({"decode", "-"}, {.input = text});
    EXPECT_EQ(outcome.exit_code, 65) << text.substr(0, 60) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1);
  }
}

TEST(CliInputs, InfoTellsAllItKnows) {
  const TemporaryDirectory scratch;
  const PictureMetadata metadata = {"a fox\nSteps: 1", R"({"schema":1,"prompt":"a \u001b fox"})"};
  write_picture(scratch, "x.png", &metadata);
  const Outcome human = run_bifrons({"info", (scratch / "x.png").string()});
  EXPECT_EQ(human.exit_code, 0);
  EXPECT_NE(human.out.find("8x8"), std::string::npos);
  EXPECT_NE(human.out.find("marked as made by a trained model"), std::string::npos);
  EXPECT_NE(human.out.find("\"a \\x1b fox\""), std::string::npos) << human.out;

  const Outcome machine = run_bifrons({"info", "--json", (scratch / "x.png").string()});
  const auto report = nlohmann::json::parse(machine.out);
  EXPECT_EQ(report["parameters"], metadata.parameters);
  EXPECT_EQ(report["settings"]["prompt"], "a \x1b fox");
  EXPECT_EQ(report["marked_generated"], true);
  EXPECT_EQ(report["width"], 8);

  write_picture(scratch, "bare.png", nullptr);
  const Outcome bare = run_bifrons({"info", (scratch / "bare.png").string()});
  EXPECT_EQ(bare.exit_code, 0);
  EXPECT_NE(bare.out.find("no settings"), std::string::npos);
}

TEST(CliInputs, HostileSettingsAreDataErrors) {
  const TemporaryDirectory scratch;
  const std::string good =
      R"("prompt":"a","seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"f32")";
  const std::vector<std::string> texts = {
      "",
      "x",
      "[]",
      "{}",
      "{\"schema\":2," + good + "}",
      "{\"schema\":1}",
      R"({"schema":1,"prompt":7,"seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"f32"})",
      R"({"schema":1,"prompt":"a","seed":-1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"f32"})",
      R"({"schema":1,"prompt":"a","seed":1,"cfg":1e9,"temperature":1,"top_k":0,"top_p":1,"rope":"f32"})",
      R"({"schema":1,"prompt":"a","seed":1,"cfg":5,"temperature":-1,"top_k":0,"top_p":1,"rope":"f32"})",
      R"({"schema":1,"prompt":"a","seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":0,"rope":"f32"})",
      R"({"schema":1,"prompt":"a","seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"x"})",
      R"({"schema":1,"prompt":"a\u0000b","seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"f32"})",
      R"({"schema":1,"prompt":"a","negative_prompt":"\u001b[1m","seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"f32"})",
      std::string(100000, '[')};
  for (const std::string& text : texts) {
    const PictureMetadata metadata = {"", text};
    write_picture(scratch, "x.png", &metadata);
    const Outcome outcome =
        run_bifrons({"generate", "--like", (scratch / "x.png").string(), "-m", "/nowhere"});
    EXPECT_EQ(outcome.exit_code, 65) << text.substr(0, 60) << outcome.err;
  }
  const PictureMetadata metadata = {"", "{\"schema\":1," + good + "}"};
  write_picture(scratch, "x.png", &metadata);
  EXPECT_EQ(
      run_bifrons({"generate", "--like", (scratch / "x.png").string(), "-m", "/nowhere"}).exit_code,
      66);  // the settings are fine; the model is what is missing
}

TEST(CliInputs, PromptsFromStdinAreChecked) {
  const auto run = [](const std::string& input) {
    return run_bifrons({"-", "-m", "/nowhere"}, {.input = input}).exit_code;
  };
  EXPECT_EQ(run("a \xff fox"), 65);
  EXPECT_EQ(run(std::string("a\0fox", 5)), 65);
  EXPECT_EQ(run(std::string((1 << 20) + 1, 'a')), 65);
  EXPECT_EQ(run("a fox\n"), 66);
  EXPECT_EQ(run_bifrons({"tokenize", "-", "-m", "."}, {.input = "\xfe"}).exit_code, 65);
}

// doctor reads what it calls good: headers say nothing of a flipped bit behind them.
TEST(CliInputs, DoctorFindsADamagedTorchFile) {
  const TemporaryDirectory scratch;
  const std::string model = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/wide-head";
  for (const char* name : {"config.json", "pytorch_model.bin", "tokenizer.json"}) {
    std::filesystem::copy_file(model + "/" + name, scratch / name);
  }
  const std::vector<std::string> doctor = {"doctor", "-m", scratch.path().string()};
  EXPECT_EQ(run_bifrons(doctor, {.directory = scratch.path()}).exit_code, 0);
  std::string bytes = scratch.read("pytorch_model.bin");
  char& middle = bytes[bytes.size() / 2];
  middle = static_cast<char>(middle ^ 1);
  scratch.write("pytorch_model.bin", bytes);
  const Outcome damaged = run_bifrons(doctor, {.directory = scratch.path()});
  EXPECT_EQ(damaged.exit_code, 65) << damaged.out;
  EXPECT_NE(damaged.out.find("checksum"), std::string::npos) << damaged.out;
}

}  // namespace
}  // namespace bifrons::testing
