// --think on the command line: thoughts in pictures, reports, manifests and batches that go on.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

class CliThinking : public CliBatch {
 protected:
  Outcome run(std::vector<std::string> words, Surroundings where = {}) const {
    where.directory = scratch.path();
    words.insert(words.end(), {"-m", toy_model(), "-t", "1"});
    return run_bifrons(words, where);
  }
  json info(const std::string& file) const {
    const Outcome outcome = run_bifrons({"info", "--json", file}, {.directory = scratch.path()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out).at("settings");
  }
  const std::vector<std::string> short_ = {"--think=reasongen-r1", "--think-max-tokens", "12"};
  std::vector<std::string> with(std::vector<std::string> words) const {
    words.insert(words.end(), short_.begin(), short_.end());
    return words;
  }
};

TEST_F(CliThinking, ThePictureTellsItsThoughtAndLikeDrawsWithIt) {
  const Outcome drawn = run(with({"generate", "a red cat", "-s", "7", "-o", "a.png"}));
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_EQ(drawn.out, "a.png\n");
  EXPECT_NE(drawn.err.find("thought of seed 7: "), std::string::npos) << drawn.err;
  EXPECT_NE(drawn.err.find("the thought was cut at 11 tokens"), std::string::npos) << drawn.err;
  const json settings = info("a.png");
  EXPECT_EQ(settings["think"]["name"], "reasongen-r1");
  EXPECT_EQ(settings["think"]["end"], "length");
  EXPECT_EQ(settings["thought_tokens"].size(), 11u);
  const Outcome shown = run_bifrons({"info", "a.png"}, {.directory = scratch.path()});
  EXPECT_NE(shown.out.find("thought "), std::string::npos);

  ASSERT_EQ(run({"generate", "--like", "a.png", "-o", "b.png"}).exit_code, 0);
  const json again = info("b.png");
  EXPECT_EQ(again["thought"], settings["thought"]);
  EXPECT_EQ(again["think"]["end"], "given");
  const Outcome other = run({"generate", "--like", "a.png", "-s", "8", "--json", "-o", "c.png"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_EQ(json::parse(other.out)["pictures"][0]["thought"], settings["thought"]);
  const Outcome anew = run({"generate", "--like", "a.png", "-p", "a hat", "-o", "d.png"});
  ASSERT_EQ(anew.exit_code, 0) << anew.err;
  EXPECT_NE(info("d.png")["thought"], settings["thought"]);
  EXPECT_EQ(info("d.png")["think"]["max_tokens"], 12);
}

TEST_F(CliThinking, AThoughtByHand) {
  for (const bool on_stdin : {false, true}) {
    const std::string text = "A red cat sits left of a hat.";
    Surroundings where;
    if (on_stdin) where.input = text + "\n";
    const Outcome drawn = run({"generate", "a cat", "--thought", on_stdin ? "-" : text, "-s", "1",
                               "-o", on_stdin ? "in.png" : "out.png"},
                              where);
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  }
  EXPECT_EQ(scratch.read("in.png"), scratch.read("out.png"));
  EXPECT_EQ(info("in.png")["thought"], "A red cat sits left of a hat.");
  // The style draws from "{prompt}. {thought}".
  const Outcome plain = run({"generate", "a cat. A red cat sits left of a hat.", "-s", "1",
                             "--tokens-out", "p.json", "-o", "p.png"});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  const Outcome told = run({"generate", "a cat", "--thought", "A red cat sits left of a hat.", "-s",
                            "1", "--tokens-out", "t.json", "-o", "t.png"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  const auto codes = [&](const char* file) {
    return json::parse(scratch.read(file))["pictures"][0]["tokens"];
  };
  EXPECT_EQ(codes("p.json"), codes("t.json"));
}

TEST_F(CliThinking, ThoughtsOnlyGoToStandardOutput) {
  const Outcome plain = run(with({"generate", "a cat", "-s", "3", "-c", "3", "--think-only"}));
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
  const Outcome report =
      run(with({"generate", "a cat", "-s", "3", "-c", "3", "--think-only", "--json"}));
  const json thoughts = json::parse(report.out)["thoughts"];
  ASSERT_EQ(thoughts.size(), 3u);
  EXPECT_EQ(thoughts[1]["seed"], 4);
  EXPECT_NE(thoughts[0]["thought"], thoughts[1]["thought"]);
  const Outcome drawn = run(with({"generate", "a cat", "-s", "4", "-o", "x.png"}));
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_EQ(info("x.png")["thought"], thoughts[1]["thought"]);
}

// The lines are a prompt file: drawing from them gives the pictures of drawing at once.
TEST_F(CliThinking, ABatchOfThoughtsIsAPromptFile) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a cat\",\"seed\":3,\"count\":3,\"id\":\"cat\",\"tag\":[1]}\n"
                "{\"prompt\":\"a hat\",\"cfg\":2,\"thought\":\"It is red.\"}\n"
                "{\"prompt\":\"a car\",\"image\":\"car.png\"}\n"
                "{\"prompt\":\"\"}\n"
                "{\"prompt\":\"a cat\",\"seed\":4,\"id\":\"again\"}\n");
  const std::vector<std::string> style = {"--think=janus-pro-r1", "--think-max-tokens", "12"};
  const auto with_style = [&](std::vector<std::string> words) {
    words.insert(words.end(), style.begin(), style.end());
    return words;
  };
  const Outcome alone = run(with_style({"batch", "p.jsonl", "--think-only", "--batch", "2"}));
  EXPECT_EQ(alone.exit_code, 3) << alone.err;
  EXPECT_NE(alone.err.find("p.jsonl:3: --think has no place in an edit"), std::string::npos);
  EXPECT_NE(alone.err.find("p.jsonl:4: the prompt is empty"), std::string::npos) << alone.err;
  const std::vector<json> lines = json_lines_of(alone.out.substr(0, alone.out.rfind('\n')));
  ASSERT_EQ(lines.size(), 5u) << alone.out;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lines[i]["seed"], 3 + i);
    EXPECT_EQ(lines[i]["id"], "cat");
    EXPECT_EQ(lines[i]["tag"], json::array({1}));
    EXPECT_EQ(lines[i]["think"], "janus-pro-r1");
  }
  EXPECT_EQ(lines[3]["thought"], "It is red.");
  EXPECT_EQ(lines[3]["cfg"], 2.0);
  EXPECT_EQ(lines[4]["thought"], lines[1]["thought"]) << "of one prompt and seed";
  EXPECT_EQ(run(with_style({"batch", "p.jsonl", "--think-only", "--batch", "1"})).out, alone.out);
  EXPECT_EQ(run(with_style({"batch", "p.jsonl", "--think-only", "--strict"})).exit_code, 65);

  scratch.write("thoughts.jsonl", alone.out);
  ASSERT_EQ(
      run(with_style({"batch", "thoughts.jsonl", "-o", "out", "--name", "{line}.png"})).exit_code,
      0);
  const Outcome whole = run(with_style({"generate", "a cat", "-s", "4", "-o", "whole.png"}));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(info("out/2.png")["thought"], info("whole.png")["thought"]);
  const auto codes = [&](const std::string& file) { return run({"encode", file, "-o", "-"}).out; };
  EXPECT_EQ(codes("out/2.png"), codes("whole.png"));
}

TEST_F(CliThinking, ThoughtsAloneNeedNoPlaceForPictures) {
  scratch.write("p.txt", "a cat\na hat\na car\n");
  for (const std::vector<std::string>& option : std::vector<std::vector<std::string>>{
           {"-o", "out"}, {"--gallery"}, {"--best-of", "2"}, {"--grid"}, {"--dry-run"}}) {
    std::vector<std::string> words = with({"batch", "p.txt", "--think-only"});
    words.insert(words.end(), option.begin(), option.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 2) << option[0];
    EXPECT_NE(outcome.err.find("--think-only draws nothing"), std::string::npos) << outcome.err;
  }
  EXPECT_NE(run({"batch", "p.txt", "--think-only"}).err.find("--think-only goes with --think"),
            std::string::npos);
  EXPECT_NE(run({"batch", "p.txt"}).err.find("--output is required"), std::string::npos);
  const std::string all = run(with({"batch", "p.txt", "--think-only"})).out;
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 3);
  EXPECT_EQ(run(with({"batch", "p.txt", "--think-only", "--shard", "0/2"})).out.find("a hat"),
            std::string::npos);

  const Outcome table =
      run(with({"grid", "a cat", "-x", "seed=1,2", "-y", "words=cat,hat", "--think-only"}));
  ASSERT_EQ(table.exit_code, 0) << table.err;
  const std::vector<json> cells = json_lines_of(table.out.substr(0, table.out.rfind('\n')));
  ASSERT_EQ(cells.size(), 4u) << table.out;
  EXPECT_EQ(cells[0]["prompt"], "a cat");
  EXPECT_EQ(cells[3]["prompt"], "a hat");
  EXPECT_EQ(cells[3]["seed"], 2);
  const Outcome one = run(with({"generate", "a hat", "-s", "2", "--think-only", "--json"}));
  EXPECT_EQ(json::parse(one.out)["thoughts"][0]["thought"], cells[3]["thought"]);
  EXPECT_EQ(run({"grid", "a cat", "-x", "seed=1,2"}).exit_code, 2);
  EXPECT_EQ(run(with({"grid", "a cat", "-x", "seed=1,2", "--think-only", "-o", "g.png"})).exit_code,
            2);
}

TEST_F(CliThinking, ABatchThinksAndGoesOnWithTheSameBytes) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a cat\",\"seed\":3,\"count\":3,\"id\":\"cat\"}\n"
                "{\"prompt\":\"a hat\",\"seed\":9,\"id\":\"hat\",\"thought\":\"It is red.\"}\n");
  const Outcome first = batch("p.jsonl", with({"--gallery"}));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  auto drawn = pictures("out");
  drawn.erase("index.html");
  std::map<std::string, json> lines;
  for (const json& line : manifest()) lines[line["file_name"]] = line;
  EXPECT_EQ(lines["cat-0002.png"]["think"], "reasongen-r1");
  EXPECT_EQ(lines["hat.png"]["thought"], "It is red.");
  EXPECT_EQ(info("out/hat.png")["think"]["end"], "given");
  const Outcome alone = run(with({"generate", "a cat", "-s", "4", "-o", "alone.png"}));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_EQ(scratch.read("alone.png"), scratch.read("out/cat-0002.png"));
  EXPECT_NE(scratch.read("out/index.html").find("It is red."), std::string::npos);

  std::filesystem::remove(scratch / "out" / "cat-0002.png");
  ASSERT_EQ(batch("p.jsonl", with({"--batch", "1"})).exit_code, 0);
  auto again = pictures("out");
  again.erase("index.html");  // it has times
  EXPECT_EQ(again, drawn);
  // Another style draws all of them again.
  const Outcome dry = batch("p.jsonl", {"--think=janus-pro-r1", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_NE(dry.out.find("changed 4"), std::string::npos) << dry.out << dry.err;
}

TEST_F(CliThinking, GridsTellTheThoughtOfEachCell) {
  const Outcome drawn = run(with({"grid", "a cat", "-x", "seed=1..2", "-o", "grid.png"}));
  if (lacks_a_font(drawn)) GTEST_SKIP() << "no font";
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const json settings = info("grid.png");
  EXPECT_EQ(settings["think"]["name"], "reasongen-r1");
  EXPECT_NE(settings["cells"][0]["thought"], settings["cells"][1]["thought"]);
}

TEST_F(CliThinking, PlansAreShown) {
  const std::string thought =
      "A <|obj_start|>cat<|obj_end|> <|box_start|>(0,0),(500,1000)<|box_end|>";
  const Outcome drawn = run({"generate", "a cat", "--think=got-r1", "--thought", thought, "-s", "1",
                             "--json", "-o", "a.png", "--show-plan", "plan.png"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const json plan = json::parse(drawn.out)["pictures"][0]["plan"];
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0]["name"], "cat");
  EXPECT_EQ(plan[0]["box"][2], 0.5);
  EXPECT_NE(scratch.read("plan.png"), scratch.read("a.png"));
  EXPECT_EQ(info("a.png")["plan"], plan);
}

TEST_F(CliThinking, StylesOfTheUserAndTheirFaults) {
  scratch.write("mine.json", R"({"name":"mine","ask":"Plan {prompt}","draw":"{prompt}: {thought}",)"
                             R"("stop":["<begin_of_image>"],"max_tokens":6})");
  scratch.write("ask.txt", "Say what {} is.\n");
  const Outcome drawn = run({"generate", "a cat", "--think=mine.json", "--think-prompt", "ask.txt",
                             "-s", "1", "-o", "a.png"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_EQ(info("a.png")["think"]["ask"], "Say what {prompt} is.\n");
  scratch.write("bad.json", R"({"name":"mine","asks":""})");
  scratch.write("bad.txt", "Say what it is.");
  const std::vector<std::pair<std::vector<std::string>, std::string>> refused = {
      {{"--think=bad.json"}, "\"asks\" is not a key of a style"},
      {{"--think=none.json"}, "none.json"},
      {{"--think=none"}, "there is no style \"none\""},
      {{"--think", "--think-prompt", "bad.txt"}, "does not hold {prompt}"},
      {{"--think-temp", "1"}, "go with --think"},
      {{"--think-only"}, "goes with --think"},
      {{"--show-plan", "p.png"}, "--show-plan goes with --think"},
      {{"--thought", "a\xff"}, "not valid UTF-8 at byte 1"},
      {{"--think", "--think-max-tokens", "0"}, "--think-max-tokens"},
  };
  for (const auto& [words, sentence] : refused) {
    std::vector<std::string> all = {"generate", "a cat", "-o", "no.png"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = run(all);
    EXPECT_NE(outcome.exit_code, 0) << sentence;
    EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(scratch / "no.png"));
}

}  // namespace
}  // namespace bifrons::testing
