// Lines and files that a batch refuses. A dry run, --strict and the run itself report the same
// lines.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <thread>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

class CliBatchRefusals : public CliBatch {
 protected:
  // Lines of stderr about a line of the file.
  static std::set<std::string> told(const std::string& err, const std::string& file) {
    std::set<std::string> found;
    for (size_t from = 0; from < err.size();) {
      const size_t end = std::min(err.find('\n', from), err.size());
      const std::string line = err.substr(from, end - from);
      if (line.starts_with(file + ":")) found.insert(line);
      from = end + 1;
    }
    return found;
  }

  // Checks how the three runs end when all lines of the file except `bad` ones are good.
  void expect_alike(const std::string& file, size_t bad,
                    const std::vector<std::string>& more = {}) const {
    const auto with = [&](std::vector<std::string> words) {
      words.insert(words.end(), more.begin(), more.end());
      return batch(file, words);
    };
    const Outcome dry = with({"--dry-run"});
    const Outcome strict = with({"--strict"});
    const Outcome both = with({"--strict", "--dry-run"});
    EXPECT_EQ(manifest_rows(), 0);
    const Outcome run = with({});
    EXPECT_EQ(dry.exit_code, bad > 0 ? 3 : 0) << dry.err;
    EXPECT_EQ(strict.exit_code, bad > 0 ? 65 : 0) << strict.err;
    EXPECT_EQ(both.exit_code, strict.exit_code) << both.err;
    EXPECT_EQ(run.exit_code, dry.exit_code) << run.err;
    EXPECT_EQ(told(run.err, file).size(), bad) << run.err;
    EXPECT_EQ(told(dry.err, file), told(run.err, file));
    EXPECT_EQ(told(strict.err, file), told(run.err, file));
    EXPECT_EQ(told(both.err, file), told(run.err, file));
  }

  int64_t manifest_rows() const {
    return fs::exists(scratch / "out/metadata.jsonl") ? std::ssize(manifest()) : 0;
  }
};

TEST_F(CliBatchRefusals, OfALineAreTheSameThreeWays) {
  const std::string good = "{\"prompt\":\"a good fox\"}\n";
  std::string longest;
  for (int i = 0; i < 3000; ++i) longest += " fox";
  const std::vector<std::string> bad = {
      "not json",
      R"({"prompt":"a","width":123})",
      R"({"prompt":"a","size":"123x123"})",
      R"({"prompt":"a","seed":18446744073709551615,"count":2})",
      R"({"prompt":"a","seed":18446744073709551616})",
      R"({"prompt":"a","seed":-2})",
      R"({"prompt":"a","cfg":-1})",
      R"({"prompt":"a","id":"../x"})",
      R"({"prompt":" "})",
      R"({"id":"x"})",
      R"({"prompt":")" + longest + "\"}",
      R"({"prompt":")" + longest + R"(","count":3})",
      "{\"prompt\":\"a\\u0001\"}",
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(bad[i].substr(0, 60));
    scratch.write("p.jsonl", good + bad[i] + "\n");
    expect_alike("p.jsonl", 1, {"-o", "out" + std::to_string(i)});
  }
  std::string all = good;
  for (const std::string& each : bad) all += each + "\n";
  scratch.write("p.jsonl", all);
  expect_alike("p.jsonl", bad.size());
}

TEST_F(CliBatchRefusals, OfTextLinesAndTemplates) {
  fs::create_directories(scratch / "wildcards");
  scratch.write("wildcards/c.txt", "red\n\x01\n");
  scratch.write("p.txt",
                "a fox\n--prompt \"a red car\" --width 123\na fox --seed x\n{a|b\na __none__ fox\n"
                "a fox --unknown 3\na fox --id x\na cat --id X\na dog --id y --count 2\n"
                "a bird --id y-0002\n");
  expect_alike("p.txt", 7, {"--expand"});
}

// A question that is too long for the model is refused before any picture for it is drawn.
TEST_F(CliBatchRefusals, OfQuestionsThatAreTooLong) {
  std::string longest = "is it {prompt}";
  for (int i = 0; i < 3000; ++i) longest += " now";
  scratch.write("p.txt", "a fox --count 3\na cat\n");
  expect_alike("p.txt", 2, {"--best-of", "2", "--match-question", longest});
}

TEST_F(CliBatchRefusals, OfNamesThatAreTaken) {
  fs::create_directories(scratch / "out/c.png");
  fs::create_directories(scratch / "elsewhere");
  scratch.write("out/a.png", "somebody's");
  scratch.write("out/f", "a file");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / "out/link");
  scratch.write("p.txt",
                "a fox --id a --seed 3\na fox --id b\na fox --id c\na fox --output link/d\n"
                "a fox --output f/e\na fox --id a --seed 3\n");
  expect_alike("p.txt", 5);
  EXPECT_EQ(scratch.read("out/a.png"), "somebody's");
  EXPECT_TRUE(fs::is_empty(scratch / "elsewhere"));
  // Files that the next run replaces are no obstacle.
  EXPECT_EQ(batch("p.txt", {"--dry-run", "--overwrite"}).exit_code, 3);
  EXPECT_EQ(told(batch("p.txt", {"--dry-run", "--overwrite"}).err, "p.txt").size(), 3u);
}

// A run keeps pictures whose manifest is lost. So a dry run accepts them.
TEST_F(CliBatchRefusals, PicturesThatLostTheirManifestAreNotInTheWay) {
  scratch.write("p.txt", "a fox --id a\na cat --count 2\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const auto drawn = pictures("out");
  fs::remove(scratch / "out/metadata.jsonl");
  EXPECT_EQ(batch("p.txt", {"--dry-run"}).exit_code, 0);
  EXPECT_EQ(batch("p.txt", {"--strict"}).exit_code, 0);
  EXPECT_EQ(pictures("out"), drawn);
}

// Other errors are the same in all three, too: places, devices, models and whole files.
TEST_F(CliBatchRefusals, OfTheWholeAreTheSame) {
  scratch.write("p.txt", "a fox\n");
  scratch.write("p.csv", "Category\nx\n");
  scratch.write("wide.txt",
                "\xff\xfe"
                "a");
  scratch.write("file", "x");
  for (const char* each : {"foreign", "page", "hidden", "damaged/.bifrons"}) {
    fs::create_directories(scratch / each);
  }
  scratch.write("foreign/metadata.jsonl", "{\"file_name\":\"x.png\",\"text\":\"theirs\"}\n");
  scratch.write("page/index.html", "theirs");
  scratch.write("hidden/.bifrons", "x");
  scratch.write("damaged/.bifrons/random.json", "x");
  scratch.write("random.txt", "a fox --seed -1\n");
  const std::string last = "18446744073709551615";
  for (const std::vector<std::string>& each : std::vector<std::vector<std::string>>{
           words("none.txt", {}), words("p.csv", {}), words("wide.txt", {}),
           words("p.txt", {"-o", "file/out"}), words("p.txt", {"-o", "file"}),
           words("p.txt", {"-o", "foreign"}), words("p.txt", {"-o", "foreign/"}),
           words("p.txt", {"-o", "hidden"}), words("p.txt", {"-o", "page", "--gallery"}),
           words("random.txt", {"-o", "damaged"}), words("p.txt", {"--devices", "gpu9"}),
           words("p.txt", {"--devices", "cpu,gpu9"}), words("p.txt", {"--devices", "cpu,"}),
           words("p.txt", {"--shard", "3/3"}), words("p.txt", {"--combinatorial"}),
           words("p.txt", {"--seed", last, "--count", "2"}),
           words("p.txt", {"--seed", "18446744073709551616"}), words("p.txt", {"--seed", "-2"}),
           words("p.txt", {"-m", "/nowhere"})}) {
    SCOPED_TRACE(::testing::PrintToString(each));
    std::vector<std::string> dry = each;
    dry.emplace_back("--dry-run");
    const Outcome of_dry = run_bifrons(dry, {.directory = scratch.path()});
    const Outcome of_run = run_bifrons(each, {.directory = scratch.path()});
    EXPECT_NE(of_run.exit_code, 0);
    EXPECT_EQ(of_dry.exit_code, of_run.exit_code);
    EXPECT_EQ(of_dry.err, of_run.err);
  }
}

TEST_F(CliBatchRefusals, RepeatedLinesAreDrawnAndListed) {
  scratch.write("p.csv", "id,prompt,seed,tag\n,a fox,,1\n,a fox,,2\n,a cat,7,3\n,a cat,7,4\n");
  const Outcome dry = batch("p.csv", {"--dry-run", "--jsonl"});
  EXPECT_EQ(nlohmann::json::parse(dry.out)["to_draw"], 3) << dry.out;
  const Outcome run = batch("p.csv");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(pictures("out").size(), 3u);
  std::map<std::string, std::string> by_tag;
  for (const auto& line : manifest()) by_tag[line["tag"]] = line["sha256"];
  ASSERT_EQ(by_tag.size(), 4u);
  EXPECT_NE(by_tag["1"], by_tag["2"]);
  EXPECT_EQ(by_tag["3"], by_tag["4"]);
  EXPECT_EQ(run_bifrons({"merge", "--check", "out"}, {.directory = scratch.path()}).exit_code, 0);
  const auto before = scratch.read("out/metadata.jsonl");
  EXPECT_EQ(batch("p.csv").err.find("earlier runs"), std::string::npos);
  EXPECT_EQ(scratch.read("out/metadata.jsonl"), before);
}

TEST_F(CliBatchRefusals, RandomSeedsStayWithTheirDirectory) {
  scratch.write("p.txt", "a fox\na fox --seed -1\na cat\n");
  const std::vector<std::string> random = {"--seed", "-1"};
  ASSERT_EQ(batch("p.txt", random).exit_code, 0);
  const auto first = pictures("out");
  EXPECT_EQ(first.size(), 3u);
  scratch.write("p.txt", "a dog\na fox\na fox --seed -1\na cat\n");
  ASSERT_EQ(batch("p.txt", random).exit_code, 0);
  const auto more = pictures("out");
  EXPECT_EQ(more.size(), 4u);
  for (const auto& [name, bytes] : first) EXPECT_EQ(more.at(name), bytes);
  ASSERT_EQ(batch("p.txt", {"--seed", "-1", "-o", "other"}).exit_code, 0);
  for (const auto& [name, bytes] : pictures("other")) EXPECT_FALSE(more.contains(name)) << name;
  ASSERT_EQ(batch("p.txt", {"--seed", "-1", "--fresh"}).exit_code, 0);
  for (const auto& [name, bytes] : pictures("out")) EXPECT_FALSE(more.contains(name)) << name;
  for (const std::string shard : {"0/2", "1/2"}) {
    ASSERT_EQ(batch("p.txt", {"--seed", "-1", "-o", "parts", "--shard", shard}).exit_code, 0);
  }
  EXPECT_EQ(run_bifrons({"merge", "--check", "parts"}, {.directory = scratch.path()}).exit_code, 0);
  EXPECT_EQ(pictures("parts").size(), 4u);
}

// Older versions made a seed of -1 from the prompt. Their pictures count as done.
TEST_F(CliBatchRefusals, PicturesOfOlderVersionsStayDone) {
  scratch.write("p.txt", "a fox\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const auto before = pictures("out");
  scratch.write("p.txt", "a fox --seed -1\na cat --seed -1\n");
  const Outcome outcome = batch("p.txt");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(pictures("out").size(), 2u);
  for (const auto& [name, bytes] : before) EXPECT_EQ(pictures("out").at(name), bytes);
}

// Every command that counts seeds up refuses an overflow. -1 is a random seed in every command.
TEST_F(CliBatchRefusals, SeedsOfOtherCommands) {
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"-m", toy_model(), "-t", "1"});
    return run_bifrons(words, {.directory = scratch.path()});
  };
  const std::string last = "18446744073709551615";
  ASSERT_EQ(run({"generate", "a fox", "-s", last, "-o", "a.png"}).exit_code, 0);
  for (const std::vector<std::string>& each :
       {std::vector<std::string>{"generate", "a fox", "-s", last, "-c", "2", "-o", "x/"},
        {"generate", "a fox", "-s", last, "--best-of", "2", "-o", "x/"},
        {"generate", "--like", "a.png", "-c", "2", "-o", "x/"},
        {"vary", "a.png", "-p", "a cat", "-s", last, "-c", "2", "-o", "x/"}}) {
    const Outcome outcome = run(each);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_NE(outcome.err.find("go past the largest one"), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(scratch / "x"));
  }
  for (const std::vector<std::string>& each :
       {std::vector<std::string>{"generate", "a fox", "-s", "-1", "-o", "r.png", "-y"},
        {"generate", "--like", "a.png", "--seed=-1", "-o", "r.png", "-y"},
        {"grid", "a fox", "-x", "cfg=1,2", "-s", "-1", "-o", "g.png", "--overwrite"},
        {"describe", "a.png", "-s", "-1", "--temp", "1", "--max-tokens", "2"},
        {"ask", "a.png", "what?", "-s-1", "--temp", "1", "--max-tokens", "2"}}) {
    const Outcome outcome = run(each);
    EXPECT_EQ(outcome.exit_code, 0) << ::testing::PrintToString(each) << outcome.err;
    if (each[0] != "generate") continue;
    const std::string drawn = scratch.read("r.png");
    ASSERT_EQ(run(each).exit_code, 0);
    EXPECT_NE(scratch.read("r.png"), drawn) << "not random";
  }
}

// A signal stops the program at once, whatever it reads.
class CliBatchStops : public CliBatch, public ::testing::WithParamInterface<std::string> {};

TEST_P(CliBatchStops, WhileItReads) {
  const std::string name = GetParam();
  ASSERT_EQ(mkfifo((scratch / "pipe.txt").c_str(), 0600), 0);
  std::atomic<bool> over = false;
  std::thread writer([&] {
    if (name == "nobody") return;
    std::ofstream pipe(scratch / "pipe.txt");
    const std::string block = name == "lines"     ? "a fox\n"
                              : name == "repeats" ? "a fox --seed 1 --count 100000\n"
                              : name == "blanks"  ? "\n"
                              : name == "a line"  ? "x"
                                                  : "";
    std::string many;
    while (!block.empty() && many.size() < 60'000) many += block;
    while (!over && pipe) {
      // A line that is too long for any text file ends the reading. So this one grows slowly.
      if (many.empty() || name == "a line")
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      pipe << many << std::flush;
    }
  });
  signal(SIGPIPE, SIG_IGN);
  for (const std::string way : {"--dry-run", "--strict"}) {
    if (way == "--strict" && name != "nobody" && name != "nothing") continue;  // fills the disk
    const pid_t process =
        start_bifrons(words("pipe.txt", {way}), {.directory = scratch.path()}, scratch / "err");
    EXPECT_EQ(wait_for_exit(process, 1), std::nullopt) << scratch.read("err");
    kill(process, SIGTERM);
    EXPECT_EQ(wait_for_exit(process, 20), 75) << way << scratch.read("err");
    EXPECT_TRUE(pictures("out").empty());
  }
  over = true;
  if (name == "nobody") unlink((scratch / "pipe.txt").c_str());
  writer.join();
}

INSTANTIATE_TEST_SUITE_P(Pipes, CliBatchStops,
                         ::testing::Values("nobody", "nothing", "lines", "repeats", "blanks",
                                           "a line"),
                         [](const auto& pipe) {
                           std::string name = pipe.param;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace bifrons::testing
