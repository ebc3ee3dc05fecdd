// `bifrons batch` and its kin as a user meets them, on a toy model.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kToy = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/toy-f32";

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> found;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    found.push_back(json::parse(text.substr(from, end - from)));
    from = end + 1;
  }
  return found;
}

class CliBatch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kToy)) GTEST_SKIP() << "this checkout has no toy model";
  }

  std::vector<std::string> words(const std::string& file, std::vector<std::string> more) const {
    std::vector<std::string> all = {"batch", file, "-m", kToy, "-t", "1"};
    if (std::find(more.begin(), more.end(), "-o") == more.end()) {
      more.insert(more.end(), {"-o", "out"});
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome batch(const std::string& file, const std::vector<std::string>& more = {},
                Surroundings where = {}) const {
    where.directory = scratch.path();
    return run_bifrons(words(file, more), where);
  }

  // Every picture below a directory by name, with its bytes.
  std::map<std::string, std::string> pictures(const std::string& directory) const {
    std::map<std::string, std::string> found;
    if (!fs::exists(scratch / directory)) return found;
    // What is hidden may be in use by a program that runs, and goes while one looks.
    for (fs::recursive_directory_iterator at(scratch / directory), end; at != end; ++at) {
      const std::string name = at->path().lexically_relative(scratch / directory).string();
      if (name.starts_with(".")) {
        at.disable_recursion_pending();
      } else if (at->is_regular_file() && name.find("metadata") == name.npos) {
        found[name] = scratch.read(directory + "/" + name);
      }
    }
    return found;
  }
  std::vector<json> manifest(const std::string& directory = "out") const {
    return lines_of(scratch.read(directory + "/metadata.jsonl"));
  }

  const TemporaryDirectory scratch;
};

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
  const Outcome alone = run_bifrons({"generate", "-m", kToy, "-s", "11", "--cfg", "4", "--temp",
                                     "0.7", "-o", "alone.png", "a red fox"},
                                    {.directory = scratch.path()});
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_EQ(scratch.read("out/x.png"), scratch.read("alone.png"));
}

// The law: the same bytes whatever happens.
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
    // A second writer is told who is there.
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
  EXPECT_EQ(batch("p.tsv").exit_code, 3);
  EXPECT_EQ(json::parse(batch("p.tsv", {"--dry-run", "--jsonl"}).out)["to_draw"], 0);
}

TEST_F(CliBatch, StdinTemplatesAndEvents) {
  const Outcome events =
      batch("-", {"--format", "txt", "--expand", "--combinatorial", "--jsonl", "-s", "4"},
            {.input = "a {red|blue} fox\n{open\n"});
  EXPECT_EQ(events.exit_code, 3) << events.err;
  const auto lines = lines_of(events.out);
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
  std::set<std::string> texts;
  for (const json& line : manifest()) {
    EXPECT_EQ(line["template"], "a {red|blue} fox");
    texts.insert(line["text"]);
  }
  EXPECT_EQ(texts, (std::set<std::string>{"a red fox", "a blue fox"}));
}

TEST_F(CliBatch, ForeignFilesAndChangedSettings) {
  scratch.write("p.txt", "a fox --id a\na cat --id b\n");
  fs::create_directories(scratch / "out");
  scratch.write("out/a.png", "somebody's");
  const Outcome first = batch("p.txt");
  EXPECT_EQ(first.exit_code, 3) << first.err;
  EXPECT_EQ(scratch.read("out/a.png"), "somebody's");
  ASSERT_EQ(batch("p.txt", {"-y"}).exit_code, 0);
  EXPECT_NE(scratch.read("out/a.png"), "somebody's");
  const Outcome changed = batch("p.txt", {"--cfg", "2"});
  EXPECT_EQ(changed.exit_code, 0);
  EXPECT_NE(changed.err.find("2 pictures have other settings"), std::string::npos) << changed.err;
  EXPECT_EQ(manifest().size(), 2u);
}

TEST_F(CliBatch, VerifyAndFresh) {
  scratch.write("p.txt", "a fox --id a\na cat --id b\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const auto good = pictures("out");
  std::string bad = good.at("a.png");
  bad[bad.size() / 2] ^= 1;
  scratch.write("out/a.png", bad);
  EXPECT_EQ(batch("p.txt").out, "");
  EXPECT_EQ(batch("p.txt", {"--resume", "verify"}).out, "out/a.png\n");
  EXPECT_EQ(pictures("out"), good);
  const Outcome fresh = batch("p.txt", {"--fresh"});
  EXPECT_EQ(std::count(fresh.out.begin(), fresh.out.end(), '\n'), 2);
  EXPECT_EQ(pictures("out"), good);
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

TEST_F(CliBatch, MergeSaysWhatAManifestHasLost) {
  scratch.write("p.txt", "a fox --count 4\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const std::string whole = scratch.read("out/metadata.jsonl");
  const auto merge = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "merge");
    return run_bifrons(more, {.directory = scratch.path()});
  };
  EXPECT_EQ(merge({"--check", "out"}).exit_code, 0);
  scratch.write("out/metadata.jsonl", whole.substr(whole.find('\n') + 1));
  const Outcome shorter = merge({"--check", "out"});
  EXPECT_EQ(shorter.exit_code, 3);
  EXPECT_NE(shorter.err.find("lists 3 pictures, but the run finished 4"), std::string::npos)
      << shorter.err;
  scratch.write("out/metadata.jsonl", whole.substr(0, whole.size() - 5));
  const Outcome torn = merge({"out"});
  EXPECT_EQ(torn.exit_code, 3);
  EXPECT_NE(torn.err.find("metadata.jsonl\":4: the line is torn"), std::string::npos) << torn.err;
  EXPECT_EQ(merge({"--check", "out"}).exit_code, 3);
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  EXPECT_EQ(merge({"out"}).exit_code, 0);
  EXPECT_EQ(merge({"--check", "out"}).exit_code, 0);
}

// A hash of the whole file's pictures, which a shard sees although it draws only some.
TEST_F(CliBatch, ShardsOfOneFileAgree) {
  scratch.write("p.txt", "a fox\na cat\na dog\n");
  const auto check = [&] {
    return run_bifrons({"merge", "--check", "out"}, {.directory = scratch.path()});
  };
  ASSERT_EQ(batch("p.txt", {"--shard", "0/4"}).exit_code, 0);
  ASSERT_EQ(batch("p.txt", {"--shard", "1/2"}).exit_code, 0);
  ASSERT_EQ(batch("p.txt", {"--shard", "0/2"}).exit_code, 0);
  const Outcome whole = check();
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  ASSERT_EQ(batch("p.txt", {"--shard", "0/2", "--cfg", "2"}).exit_code, 0);
  const Outcome mixed = check();
  EXPECT_EQ(mixed.exit_code, 3);
  EXPECT_NE(mixed.err.find("did not all draw the same"), std::string::npos) << mixed.err;
}

TEST_F(CliBatch, AManifestOfSomebodyElseStays) {
  scratch.write("p.txt", "a fox\n");
  fs::create_directories(scratch / "out");
  const std::string theirs = R"({"file_name":"x.png","text":"theirs"})";
  scratch.write("out/metadata.jsonl", theirs);
  const Outcome refused = batch("p.txt");
  EXPECT_EQ(refused.exit_code, 73);
  EXPECT_NE(refused.err.find("metadata.jsonl\" is not of a batch"), std::string::npos)
      << refused.err;
  EXPECT_EQ(scratch.read("out/metadata.jsonl"), theirs);
  EXPECT_EQ(pictures("out").size(), 0u);
}

TEST_F(CliBatch, SheetAndGallery) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a </script><b>fox\",\"id\":\"a\"}\n{\"prompt\":\"cat\"}\n");
  ASSERT_EQ(batch("p.jsonl", {"--grid", "--gallery"}).exit_code, 0);
  EXPECT_TRUE(scratch.read("out-grid.png").starts_with("\x89PNG"));
  const std::string page = scratch.read("out/index.html");
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  const size_t from = page.find("type=\"application/json\">");
  ASSERT_NE(from, std::string::npos);
  const size_t start = page.find('[', from), end = page.find("]</script>", start);
  EXPECT_EQ(json::parse(page.substr(start, end - start + 1)).size(), 2u);
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_EQ(page.find("https://"), std::string::npos);
  scratch.write("out/index.html", "<p>mine");
  EXPECT_EQ(run_bifrons({"gallery", "out"}, {.directory = scratch.path()}).exit_code, 73);
  EXPECT_EQ(scratch.read("out/index.html"), "<p>mine");
}

TEST_F(CliBatch, GridOverTwoAxes) {
  const std::vector<std::string> grid = {"grid", "-m", kToy, "-t", "1", "-o", "g.png"};
  const auto run_grid = [&](std::vector<std::string> more) {
    more.insert(more.begin(), grid.begin(), grid.end());
    return run_bifrons(more, {.directory = scratch.path()});
  };
  const Outcome good = run_grid({"-x", "cfg=1,3", "-y", "words=fox,cat", "a fox"});
  if (good.exit_code == 66) GTEST_SKIP() << good.err;
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.out, "g.png\n");
  EXPECT_EQ(run_grid({"-x", "cfg=1,3", "a fox"}).exit_code, 73);  // it is there already
  fs::remove(scratch / "g.png");
  EXPECT_EQ(run_grid({"-x", "words=dog,cat", "a fox"}).exit_code, 2);
  EXPECT_EQ(run_grid({"-x", "steps=1,2", "a fox"}).exit_code, 2);
  EXPECT_EQ(run_grid({"-x", "cfg=1,x", "a fox"}).exit_code, 2);
  EXPECT_EQ(run_grid({"-x", "seed=1..1000", "a fox"}).exit_code, 2);
  const Outcome unknown = run_grid({"-x", "cfg=1,3", "a \xf4\x8f\xbf\xbd fox"});
  EXPECT_EQ(unknown.exit_code, 66);
  EXPECT_NE(unknown.err.find("no font"), std::string::npos) << unknown.err;
  EXPECT_FALSE(fs::exists(scratch / "g.png"));
}

// Nothing of an earlier run goes before the file that replaces it has been looked at.
TEST_F(CliBatch, FreshWaitsForAFileThatIsTaken) {
  scratch.write("good.txt", "a fox\na cat\n");
  ASSERT_EQ(batch("good.txt").exit_code, 0);
  const auto before = pictures("out");
  scratch.write("bad.txt", "a fox\nb --nope 3\n");
  EXPECT_EQ(batch("bad.txt", {"--fresh", "--strict"}).exit_code, 65);
  scratch.write("bad.csv", "foo,bar\n1,2\n");
  EXPECT_EQ(batch("bad.csv", {"--fresh"}).exit_code, 65);
  EXPECT_EQ(pictures("out"), before);
}

TEST_F(CliBatch, PicturesOfOtherSettingsAreSaidToStay) {
  scratch.write("p.txt", "a fox\na cat\n");
  EXPECT_EQ(batch("p.txt").err.find("earlier runs"), std::string::npos);
  EXPECT_EQ(batch("p.txt").err.find("earlier runs"), std::string::npos);
  const Outcome other = batch("p.txt", {"--cfg", "7"});
  EXPECT_EQ(other.exit_code, 0);
  EXPECT_NE(other.err.find("2 pictures of earlier runs"), std::string::npos) << other.err;
}

TEST_F(CliBatch, AGalleryOfNothingIsNoError) {
  scratch.write("bad.txt", "b --nope 3\n");
  EXPECT_EQ(batch("bad.txt", {"--gallery"}).exit_code, 3);
  scratch.write("none.txt", "");
  EXPECT_EQ(batch("none.txt", {"--gallery"}).exit_code, 0);
}

// Before any model is loaded, let alone anything drawn.
TEST_F(CliBatch, APlaceThatCannotBeWrittenIsSaidFirst) {
  scratch.write("p.txt", "a fox\n");
  scratch.write("out", "a file");
  std::vector<std::string> all = words("p.txt", {});
  *std::find(all.begin(), all.end(), kToy) = scratch.path().string();  // holds no model
  const Outcome outcome = run_bifrons(all, {.directory = scratch.path()});
  EXPECT_EQ(outcome.exit_code, 73) << outcome.err;
  fs::remove(scratch / "out");
  fs::create_directory(scratch / "out");
  scratch.write("out/index.html", "mine");
  EXPECT_EQ(batch("p.txt", {"--gallery"}).exit_code, 73);
  EXPECT_TRUE(pictures("out").size() <= 1) << "only the page that is somebody else's";
}

// Whoever writes to the pipe may take their time: what is there is drawn.
TEST_F(CliBatch, ASlowPipeDoesNotHoldUpWhatCameThrough) {
  ASSERT_EQ(mkfifo((scratch / "prompts.txt").c_str(), 0600), 0);
  std::thread writer([this] {
    std::ofstream pipe(scratch / "prompts.txt");
    pipe << "a fox\na cat\n" << std::flush;
    // Not before both are there does the pipe go on.
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
