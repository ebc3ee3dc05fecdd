// `bifrons batch --best-of` on the command line, with a toy model that draws and understands.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/cli/run_program.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string judging_toy() { return golden::directory() + "toy-sees"; }

class CliBatchBestOf : public ::testing::Test {
 protected:
  Outcome run(std::vector<std::string> words) const {
    return run_bifrons(words, {.directory = scratch.path()});
  }
  static std::vector<std::string> command(const std::vector<std::string>& more,
                                          const std::string& output) {
    std::vector<std::string> all = {"batch", "p.txt", "-m", judging_toy(), "-t", "1", "-o", output};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome batch(const std::vector<std::string>& more, const std::string& output = "out") const {
    return run(command(more, output));
  }
  // Manifest lines by file name.
  std::map<std::string, json> manifest(const std::string& directory = "out") const {
    std::map<std::string, json> found;
    std::ifstream file(scratch / (directory + "/metadata.jsonl"));
    for (std::string line; std::getline(file, line);) {
      json object = json::parse(line);
      found[object["file_name"]] = object;
    }
    return found;
  }
  std::map<std::string, std::string> pictures(const std::string& directory) const {
    std::map<std::string, std::string> found;
    for (const auto& [name, line] : manifest(directory)) {
      found[name] = scratch.read(directory + "/" + name);
    }
    return found;
  }

  const TemporaryDirectory scratch;
};

TEST_F(CliBatchBestOf, FilesAreThoseOfGenerateToTheByte) {
  scratch.write("p.txt", "a cat --seed 10 --count 2 --id cat\na red hat --seed 4 --id hat\n");
  const Outcome drawn = batch({"--best-of", "3", "--jsonl"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const auto generate = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"generate", "-m", judging_toy(), "--best-of", "3", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out)["pictures"];
  };
  json alone = generate({"-p", "a cat", "-s", "10", "-c", "2", "-o", "cat-%04d.png"});
  alone.push_back(generate({"-p", "a red hat", "-s", "4", "-o", "hat.png"})[0]);
  ASSERT_EQ(alone.size(), 3u);
  const auto lines = manifest();
  ASSERT_EQ(lines.size(), 3u);
  for (const json& picture : alone) {
    const std::string name = picture["file"];
    ASSERT_TRUE(lines.contains(name)) << name;
    EXPECT_EQ(scratch.read("out/" + name), scratch.read(name)) << name;
    EXPECT_EQ(lines.at(name)["seed"], picture["seed"]);
    EXPECT_EQ(lines.at(name)["best_of"], picture["best_of"]);
  }
  int events = 0;
  for (size_t from = 0; from < drawn.out.size();) {
    const size_t end = drawn.out.find('\n', from);
    const json event = json::parse(drawn.out.substr(from, end - from));
    from = end + 1;
    if (event["event"] != "image") continue;
    ++events;
    EXPECT_EQ(event["seed"], event["best_of"]["kept"]);
  }
  EXPECT_EQ(events, 3);
}

TEST_F(CliBatchBestOf, LanesDevicesAndShardsChangeNoByte) {
  scratch.write("p.txt", "a cat --count 3\na red hat --count 2\nfox --id fox\na dog\n");
  const std::vector<std::string> best = {"--best-of", "4", "--match-question", "{prompt}?"};
  const auto draw = [&](std::vector<std::string> more, const std::string& output) {
    more.insert(more.end(), best.begin(), best.end());
    const Outcome outcome = batch(more, output);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  };
  draw({"--batch", "1"}, "one");
  const auto whole = pictures("one");
  ASSERT_EQ(whole.size(), 7u);
  EXPECT_EQ(manifest("one").at("fox.png")["best_of"]["question"], "fox?");
  for (const std::string lanes : {"2", "3", "7"}) {
    draw({"--batch", lanes}, "lanes" + lanes);
    EXPECT_EQ(pictures("lanes" + lanes), whole) << lanes;
  }
  draw({"--devices", "cpu,cpu"}, "two");
  EXPECT_EQ(pictures("two"), whole);
  draw({"--shard", "1/2"}, "parts");
  draw({"--shard", "0/2"}, "parts");
  ASSERT_EQ(run({"merge", "parts"}).exit_code, 0);
  EXPECT_EQ(pictures("parts"), whole);
}

TEST_F(CliBatchBestOf, KilledAtAnyTimeItGoesOnToTheSameBytes) {
  std::string prompts;
  for (int i = 0; i < 40; ++i) prompts += "prompt number " + std::to_string(i) + "\n";
  scratch.write("p.txt", prompts);
  ASSERT_EQ(batch({"--best-of", "4"}, "whole").exit_code, 0);
  std::mt19937 random(5);
  for (int round = 0; round < 6; ++round) {
    const pid_t process = start_bifrons(command({"--best-of", "4", "--batch", "3"}, "out"),
                                        {.directory = scratch.path()}, scratch / "err");
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
    kill(process, round % 2 == 0 ? SIGKILL : SIGTERM);
    const auto code = wait_for_exit(process, 120);
    ASSERT_TRUE(code);
    EXPECT_TRUE(*code == 1000 + SIGKILL || *code == 1000 + SIGTERM || *code == 75 || *code == 0)
        << *code << scratch.read("err");
  }
  ASSERT_EQ(batch({"--best-of", "4"}).exit_code, 0);
  EXPECT_EQ(pictures("out"), pictures("whole"));
  EXPECT_EQ(manifest().size(), 40u);
}

TEST_F(CliBatchBestOf, WhatIsDoneDependsOnTheNumberAndTheQuestion) {
  scratch.write("p.txt", "a cat --id a\na hat --id b\n");
  ASSERT_EQ(batch({}).exit_code, 0);
  const auto redrawn = [&](const std::vector<std::string>& more) {
    const Outcome outcome = batch(more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return std::count(outcome.out.begin(), outcome.out.end(), '\n');
  };
  EXPECT_EQ(redrawn({"--best-of", "2"}), 2);
  EXPECT_EQ(redrawn({"--best-of", "2"}), 0);
  EXPECT_EQ(redrawn({"--best-of", "2", "--match-question",
                     "Does this picture show \"{prompt}\"? Answer Yes or No."}),
            0)
      << "what the model asks by itself";
  EXPECT_EQ(redrawn({"--best-of", "2", "--match-question", "{prompt}?"}), 2);
  EXPECT_EQ(redrawn({"--best-of", "3", "--match-question", "{prompt}?"}), 2);
  EXPECT_EQ(redrawn({}), 2);
  EXPECT_FALSE(manifest().at("a.png").contains("best_of"));
}

TEST_F(CliBatchBestOf, ADryRunCountsAllDrawings) {
  scratch.write("p.txt", "a cat --count 3\na hat\n");
  const auto report = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--dry-run", "--jsonl"});
    const Outcome outcome = batch(more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out);
  };
  const json plain = report({});
  EXPECT_EQ(plain["to_draw"], 4);
  EXPECT_EQ(plain["drawings"], 4);
  const json best = report({"--best-of", "5"});
  EXPECT_EQ(best["to_draw"], 4);
  EXPECT_EQ(best["drawings"], 20);
  EXPECT_EQ(best["bytes"], plain["bytes"]) << "one of five is kept";
  EXPECT_TRUE(best["seconds"].is_number()) << best;
  EXPECT_FALSE(fs::exists(scratch / "out"));
  const Outcome text = batch({"--best-of", "5", "--dry-run"});
  EXPECT_NE(text.out.find("drawings    20, of which one in 5 is kept\n"), std::string::npos)
      << text.out;
  ASSERT_EQ(batch({"--best-of", "5"}).exit_code, 0);
  EXPECT_EQ(report({"--best-of", "5"})["drawings"], 0);
}

TEST_F(CliBatchBestOf, AModelThatOnlyDrawsSaysSoAndDrawsNothing) {
  scratch.write("p.txt", "a cat --id cat\n");
  ASSERT_EQ(batch({}).exit_code, 0);
  const auto before = pictures("out");
  fs::copy(judging_toy(), scratch / "blind", fs::copy_options::recursive);
  json config = json::parse(scratch.read("blind/config.json"));
  config.erase("vision_config");
  scratch.write("blind/config.json", config.dump());
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{}, {"--dry-run"}, {"--fresh"}}) {
    std::vector<std::string> words = {"--best-of", "2", "-m", (scratch / "blind").string()};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = batch(words);
    EXPECT_EQ(outcome.exit_code, 65) << outcome.err;
    EXPECT_NE(outcome.err.find("draws but does not see"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(pictures("out"), before) << "nothing drawn, nothing removed";
  }
}

TEST_F(CliBatchBestOf, NumbersAndQuestionsAreChecked) {
  scratch.write("p.txt", "a cat\n");
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--best-of", "0"},
                                             {"--best-of", "257"},
                                             {"--best-of", "2", "--match-question", "a \xff?"}}) {
    EXPECT_EQ(batch(more).exit_code, 2) << more[1];
  }
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

}  // namespace
}  // namespace bifrons::testing
