// `bifrons batch` on the command line: prompt files become pictures, also with stops and errors.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST_F(CliBatch, DrawsAFileNamesBadLinesAndResumes) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a fox\",\"seed\":7,\"count\":2,\"id\":\"fox\",\"tag\":\"x\"}\n"
                "{\"prompt\":\n"
                "{\"prompt\":\"a cat\",\"output\":\"cats/one.png\",\"cfg\":3}\n");
  const Outcome first = batch("p.jsonl");
  EXPECT_EQ(first.exit_code, 3) << first.err;
  EXPECT_NE(first.err.find("p.jsonl:2: not JSON"), std::string::npos) << first.err;
  EXPECT_EQ(std::count(first.out.begin(), first.out.end(), '\n'), 3);
  EXPECT_NE(first.out.find("out/fox-0001.png\n"), std::string::npos);
  const auto drawn = pictures("out");
  EXPECT_EQ(drawn.size(), 3u);
  ASSERT_TRUE(drawn.contains("cats/one.png"));
  std::map<std::string, json> by_name;
  for (const json& line : manifest()) by_name[line["file_name"]] = line;
  EXPECT_EQ(by_name["fox-0002.png"]["text"], "a fox");
  EXPECT_EQ(by_name["fox-0002.png"]["seed"], 8);
  EXPECT_EQ(by_name["fox-0002.png"]["tag"], "x");
  EXPECT_EQ(by_name["cats/one.png"]["cfg"], 3);
  EXPECT_EQ(by_name["cats/one.png"]["bytes"], drawn.at("cats/one.png").size());

  const Outcome second = batch("p.jsonl");
  EXPECT_EQ(second.exit_code, 3);
  EXPECT_EQ(second.out, "");
  EXPECT_EQ(pictures("out"), drawn);
  EXPECT_EQ(manifest().size(), 3u);
}

TEST_F(CliBatch, ASlashBehindTheDirectoryIsNoPartOfTheNames) {
  scratch.write("p.jsonl", "{\"prompt\":\"a fox\",\"seed\":7,\"id\":\"fox\"}\n");
  EXPECT_EQ(batch("p.jsonl", {"-o", "out/"}).out, "out/fox.png\n");
}

TEST_F(CliBatch, APictureIsTheOneThatGenerateDraws) {
  scratch.write("p.txt", "a red fox --seed 11 --cfg 4 --temp 0.7 --id x\nanother --seed 3\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const Outcome alone = run_bifrons({"generate", "-m", toy_model(), "-s", "11", "--cfg", "4",
                                     "--temp", "0.7", "-o", "alone.png", "a red fox"},
                                    {.directory = scratch.path()});
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_EQ(scratch.read("out/x.png"), scratch.read("alone.png"));
}

// The bytes of the pictures are the same under all these conditions.
TEST_F(CliBatch, BatchSizeOrderShardsAndDevicesChangeNoByte) {
  std::vector<std::string> prompts;
  for (int i = 0; i < 9; ++i) {
    prompts.push_back("a fox of " + std::string(static_cast<size_t>(i), 'x') + " --cfg " +
                      std::to_string(1 + i % 4));
  }
  const auto write = [&](const std::string& name) {
    std::string text;
    for (const std::string& prompt : prompts) text += prompt + "\n";
    scratch.write(name, text);
  };
  write("p.txt");
  ASSERT_EQ(batch("p.txt", {"--batch", "1", "-o", "one"}).exit_code, 0);
  const auto whole = pictures("one");
  ASSERT_EQ(whole.size(), 9u);
  std::mt19937 random(3);
  for (const std::string lanes : {"2", "3", "7", "16"}) {
    std::shuffle(prompts.begin(), prompts.end(), random);
    write("shuffled.txt");
    ASSERT_EQ(batch("shuffled.txt", {"--batch", lanes, "-o", "lanes" + lanes}).exit_code, 0);
    EXPECT_EQ(pictures("lanes" + lanes), whole) << lanes;
  }
  ASSERT_EQ(batch("p.txt", {"--devices", "cpu,cpu", "-o", "two"}).exit_code, 0);
  EXPECT_EQ(pictures("two"), whole);

  for (const std::string shard : {"2", "0", "1"}) {
    const Outcome part = batch("p.txt", {"--shard", "auto", "-o", "parts", "--batch", "2"},
                               {.variables = {{"SLURM_ARRAY_TASK_ID", shard},
                                              {"SLURM_ARRAY_TASK_MIN", "0"},
                                              {"SLURM_ARRAY_TASK_MAX", "2"},
                                              {"SLURM_ARRAY_TASK_COUNT", "3"}}});
    ASSERT_EQ(part.exit_code, 0) << part.err;
    EXPECT_NE(part.err.find("shard " + shard + " of 3"), std::string::npos) << part.err;
  }
  EXPECT_EQ(pictures("parts"), whole);
  const Outcome check = run_bifrons({"merge", "--check", "parts"}, {.directory = scratch.path()});
  EXPECT_EQ(check.exit_code, 0) << check.err;
  ASSERT_EQ(run_bifrons({"merge", "parts"}, {.directory = scratch.path()}).exit_code, 0);
  const auto merged = manifest("parts");
  ASSERT_EQ(merged.size(), 9u);
  for (size_t i = 0; i < merged.size(); ++i) EXPECT_EQ(merged[i]["index"], i);
  ASSERT_EQ(
      run_bifrons({"merge", "parts", "one", "-o", "all"}, {.directory = scratch.path()}).exit_code,
      0);
  EXPECT_EQ(pictures("all"), whole);
}

TEST_F(CliBatch, KilledAtAnyTimeItGoesOnToTheSameBytes) {
  std::string prompts;
  for (int i = 0; i < 12; ++i) prompts += "prompt number " + std::to_string(i) + "\n";
  scratch.write("p.txt", prompts);
  ASSERT_EQ(batch("p.txt", {"-o", "whole"}).exit_code, 0);
  std::mt19937 random(9);
  for (int round = 0; round < 6; ++round) {
    const pid_t process = start_bifrons(words("p.txt", {"--batch", "2"}),
                                        {.directory = scratch.path()}, scratch / "err");
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    kill(process, round % 2 == 0 ? SIGKILL : SIGTERM);
    const auto code = wait_for_exit(process, 120);
    ASSERT_TRUE(code);
    EXPECT_TRUE(*code == 1000 + SIGKILL || *code == 1000 + SIGTERM || *code == 75 || *code == 0)
        << *code << scratch.read("err");
  }
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  EXPECT_EQ(pictures("out"), pictures("whole"));
  EXPECT_EQ(manifest().size(), 12u);
}

TEST_F(CliBatch, ASignalEndsWithACodeThatSaysGoOn) {
  scratch.write("p.txt", "a fox --count 100000\n");
  for (const int signal_number : {SIGTERM, SIGINT, SIGUSR1}) {
    const pid_t process =
        start_bifrons(words("p.txt", {}), {.directory = scratch.path()}, scratch / "err");
    while (pictures("out").empty() && !wait_for_exit(process, 0.01)) {
    }
    // A second writer gets an error that names the first one's process.
    const Outcome second = batch("p.txt");
    EXPECT_EQ(second.exit_code, 73);
    EXPECT_NE(second.err.find(std::to_string(process)), std::string::npos) << second.err;
    kill(process, signal_number);
    EXPECT_EQ(wait_for_exit(process, 120), 75) << scratch.read("err");
    for (const json& line : manifest()) {
      EXPECT_EQ(line["bytes"], scratch.read("out/" + line["file_name"].get<std::string>()).size());
    }
    fs::remove_all(scratch / "out");
  }
}

TEST_F(CliBatch, StrictAndDryRunDrawNothing) {
  scratch.write("p.tsv",
                "Prompt\tCategory\tseed\na fox\tanimals\t1\na cat\tanimals\tseven\n"
                "a fox\tanimals\t1\n");
  const Outcome strict = batch("p.tsv", {"--strict"});
  EXPECT_EQ(strict.exit_code, 65) << strict.err;
  EXPECT_NE(strict.err.find("p.tsv:3: "), std::string::npos) << strict.err;
  EXPECT_TRUE(pictures("out").empty());
  const Outcome dry = batch("p.tsv", {"--dry-run", "--jsonl", "-o", "nowhere"});
  EXPECT_EQ(dry.exit_code, 3) << dry.err;
  EXPECT_FALSE(fs::exists(scratch / "nowhere"));
  const json report = json::parse(dry.out);
  EXPECT_EQ(report["lines"], 3);
  EXPECT_EQ(report["bad_lines"], 1);
  EXPECT_EQ(report["pictures"], 1);
  EXPECT_EQ(report["duplicates"], 1);
  EXPECT_EQ(report["to_draw"], 1);
  EXPECT_GT(report["bytes"], 0);
  // The memory plan for the lanes that would draw.
  int64_t sum = 0;
  for (const auto& [name, bytes] : report["memory"]["items"].items()) sum += bytes.get<int64_t>();
  EXPECT_EQ(report["memory"]["bytes"], sum);
  EXPECT_GT(report["memory"]["items"]["keys and values"], 0);
  const Outcome more = batch("p.tsv", {"--dry-run", "--jsonl", "--batch", "3"});
  EXPECT_EQ(json::parse(more.out)["memory"]["pictures"], 3);
  const Outcome text = batch("p.tsv", {"--dry-run", "--batch", "3"});
  EXPECT_NE(text.out.find(" for 3 pictures at once, prompts of 64 tokens\n"), std::string::npos)
      << text.out;
  EXPECT_EQ(batch("p.tsv").exit_code, 3);
  EXPECT_EQ(json::parse(batch("p.tsv", {"--dry-run", "--jsonl"}).out)["to_draw"], 0);
}

TEST_F(CliBatch, StdinTemplatesAndEvents) {
  const Outcome events =
      batch("-", {"--format", "txt", "--expand", "--combinatorial", "--jsonl", "-s", "4"},
            {.input = "a {red|blue} fox\n{open\n"});
  EXPECT_EQ(events.exit_code, 3) << events.err;
  const auto lines = json_lines_of(events.out);
  std::map<std::string, int> kinds;
  for (const json& line : lines) {
    EXPECT_EQ(line["schema"], 1);
    ++kinds[line["event"]];
  }
  EXPECT_EQ(kinds["start"], 1);
  EXPECT_EQ(kinds["image"], 2);
  EXPECT_EQ(kinds["error"], 1);
  EXPECT_EQ(lines.back()["event"], "done");
  EXPECT_EQ(lines.back()["exit_code"], 3);
  EXPECT_GE(lines.back()["codes_per_pass"], 1);
  EXPECT_GE(lines.back()["mean_width"], lines.back()["codes_per_pass"]);
  std::set<std::string> texts;
  for (const json& line : manifest()) {
    EXPECT_EQ(line["template"], "a {red|blue} fox");
    texts.insert(line["text"]);
  }
  EXPECT_EQ(texts, (std::set<std::string>{"a red fox", "a blue fox"}));
}

TEST_F(CliBatch, AReaderThatGoesAwayStopsNothing) {
  scratch.write("p.txt", "a fox\na cat\na dog\n");
  const Outcome outcome = batch("p.txt", {}, {.close_reader = true});
  EXPECT_EQ(outcome.exit_code, 73);
  EXPECT_EQ(pictures("out").size(), 3u);
}

TEST_F(CliBatch, NoEscapeSequenceReachesTheTerminal) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"x\",\"id\":\"\\u001b[31m\"}\n\x1b[31m\n"
                "{\"prompt\":\"x\",\"sede\":1,\"\\u001b]0;t\\u0007seedd\":2}\n");
  const Outcome outcome = batch("p.jsonl");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ((outcome.err + outcome.out).find('\x1b'), std::string::npos);
}

TEST_F(CliBatch, RefusalsAndTheirCodes) {
  scratch.write("p.txt", "a fox\n");
  scratch.write("p.csv", "Category\nx\n");
  scratch.write("file", "x");
  struct Case {
    std::vector<std::string> words;
    int code;
  };
  for (const Case& each : std::vector<Case>{{words("none.txt", {}), 66},
                                            {words("p.unknown", {}), 2},
                                            {words("-", {}), 2},
                                            {words("p.txt", {"--shard", "3/3"}), 2},
                                            {words("p.txt", {"--shard", "x"}), 2},
                                            {words("p.txt", {"--devices", "cpu,"}), 2},
                                            {words("p.txt", {"--devices", "gpu9"}), 69},
                                            {words("p.txt", {"--batch", "0"}), 2},
                                            {words("p.txt", {"--combinatorial"}), 2},
                                            {words("p.txt", {"--resume", "maybe"}), 2},
                                            {words("p.txt", {"-o", "file/out"}), 73},
                                            {words("p.csv", {}), 65},
                                            {{"batch", "p.txt"}, 2},
                                            {{"batch", "p.txt", "-o", "out", "-m", "/nowhere"}, 66},
                                            {{"merge", "nothing-here"}, 66},
                                            {{"gallery", "nothing-here"}, 66}}) {
    const Outcome outcome = run_bifrons(each.words, {.directory = scratch.path()});
    EXPECT_EQ(outcome.exit_code, each.code) << ::testing::PrintToString(each.words) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n') > 0, true);
  }
}

// A writer to the pipe may be slow. Complete lines are drawn without waiting for the next ones.
TEST_F(CliBatch, ASlowPipeDoesNotHoldUpWhatCameThrough) {
  ASSERT_EQ(mkfifo((scratch / "prompts.txt").c_str(), 0600), 0);
  std::thread writer([this] {
    std::ofstream pipe(scratch / "prompts.txt");
    pipe << "a fox\na cat\n" << std::flush;
    // The writer continues only when both pictures exist.
    for (int i = 0; i < 600 && pictures("out").size() < 2; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(pictures("out").size(), 2u);
    pipe << "a dog\n";
  });
  EXPECT_EQ(batch("prompts.txt", {"--batch", "8"}).exit_code, 0);
  writer.join();
  EXPECT_EQ(pictures("out").size(), 3u);
}

}  // namespace
}  // namespace bifrons::testing
