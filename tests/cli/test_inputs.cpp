// Input files that are missing, damaged or hostile. These tests need no model.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/cli/batch_fixture.h"
#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_file.h"

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

// An unreadable file does not hide the files before and after it.
TEST(CliInputs, InfoTakesSeveralFiles) {
  const TemporaryDirectory scratch;
  const PictureMetadata metadata = {"", R"({"schema":1,"prompt":"a fox"})"};
  write_picture(scratch, "a.png", &metadata);
  write_picture(scratch, "[b, c].png", nullptr);
  scratch.write("bad.png", "no picture");
  const Surroundings where = {.directory = scratch.path()};
  const Outcome human = run_bifrons({"info", "a.png", "bad.png", "none.png", "[b, c].png"}, where);
  EXPECT_EQ(human.exit_code, 3);
  EXPECT_NE(human.out.find("\"a.png\": PNG"), std::string::npos) << human.out;
  EXPECT_NE(human.out.find("\n\"[b, c].png\": PNG"), std::string::npos) << human.out;
  EXPECT_NE(human.err.find("bad.png"), std::string::npos) << human.err;
  EXPECT_NE(human.err.find("none.png"), std::string::npos) << human.err;

  const Outcome machine = run_bifrons({"info", "--json", "a.png", "bad.png", "[b, c].png"}, where);
  EXPECT_EQ(machine.exit_code, 3);
  const auto lines = json_lines_of(machine.out);
  ASSERT_EQ(lines.size(), 3u) << machine.out;
  EXPECT_EQ(lines[0]["settings"]["prompt"], "a fox");
  EXPECT_EQ(lines[1]["file"], "bad.png");
  EXPECT_TRUE(lines[1].contains("error"));
  EXPECT_EQ(lines[2]["file"], "[b, c].png");
  EXPECT_EQ(run_bifrons({"info", "a.png", "[b, c].png"}, where).exit_code, 0);
  EXPECT_EQ(run_bifrons({"info", "bad.png"}, where).exit_code, 65);
}

TEST(CliInputs, InfoReadsStdin) {
  const TemporaryDirectory scratch;
  write_picture(scratch, "a.png", nullptr);
  const Outcome outcome = run_bifrons({"info", "-"}, {.input = scratch.read("a.png")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("stdin: PNG, 8x8"), std::string::npos) << outcome.out;
}

// Code points that change the text around them are escaped on stdout. The decoded strings are
// equal.
TEST(CliInputs, JsonShowsNoControlCharacters) {
  const TemporaryDirectory scratch;
  const std::string hostile = "a\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\x7f\xf3\xa0\x80\x81 \xc3\xa9";
  const std::string models = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/";
  std::filesystem::copy(models + "toy-f32", scratch / hostile);
  write_picture(scratch, hostile + ".png", nullptr);
  const Surroundings where = {.directory = scratch.path()};
  scratch.write("p.txt", "a fox\n");
  const std::vector<std::vector<std::string>> commands = {
      {"inspect", "-m", hostile, "--json"},
      {"inspect", "-m", hostile},
      {"info", "--json", hostile + ".png"},
      {"info", "--json", hostile + ".png", hostile + ".none"},
      {"a fox", "-m", hostile, "--json", "-o", hostile + "/x.png"},
      {"batch", "p.txt", "-m", hostile, "-o", hostile + "/out", "--jsonl"},
      {"encode", hostile + ".png", "-m", models + "toy-hf", "--json", "-o", hostile + ".json"},
      {"decode", hostile + ".json", "-m", models + "toy-hf", "--json", "-o", hostile + "/d.png"},
      {"reconstruct", hostile + ".png", "-m", models + "toy-hf", "--json", "-o",
       hostile + "/r.png"},
      {"describe", hostile + ".png", hostile + ".png", "-m", models + "toy-sees", "--json",
       "--max-tokens", "1"}};
  for (const std::vector<std::string>& words : commands) {
    const Outcome outcome = run_bifrons(words, where);
    SCOPED_TRACE(words[0] + outcome.err);
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 3) << outcome.exit_code;
    const std::string text = outcome.out + outcome.err;
    for (const char* sign : {"\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa6", "\x7f", "\xf3\xa0"}) {
      EXPECT_EQ(text.find(sign), std::string::npos) << text;
    }
    const bool is_json = words.size() > 3 || words.back() == "--json";
    if (!is_json) continue;
    std::string strings;
    for (const auto& line : words[0] == "inspect" ? std::vector{nlohmann::json::parse(outcome.out)}
                                                  : json_lines_of(outcome.out)) {
      strings += line.dump();
    }
    const std::string as_json = nlohmann::json(hostile).dump();
    EXPECT_NE(strings.find(as_json.substr(1, as_json.size() - 2)), std::string::npos) << strings;
  }
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
      R"({"schema":1,"prompt":"a","negative_prompt":"\u0000","seed":1,"cfg":5,"temperature":1,"top_k":0,"top_p":1,"rope":"f32"})",
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
      66);  // the settings are valid; the model is missing
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

// doctor reads all data, because a header does not show a flipped bit in the tensors.
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
