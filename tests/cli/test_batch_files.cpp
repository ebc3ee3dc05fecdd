// Several prompt files, folders of captions and JSON arrays as arguments of `batch`.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class CliBatchFiles : public CliBatch {
 protected:
  Outcome batch_of(std::vector<std::string> files, const std::vector<std::string>& more = {},
                   Surroundings where = {}) const {
    std::vector<std::string> rest(files.begin() + 1, files.end());
    rest.insert(rest.end(), more.begin(), more.end());
    return batch(files.front(), rest, where);
  }
  std::vector<json> sorted_manifest() const {
    std::vector<json> lines = manifest();
    std::sort(lines.begin(), lines.end(),
              [](const json& a, const json& b) { return a["index"] < b["index"]; });
    return lines;
  }
};

TEST_F(CliBatchFiles, SeveralFilesAreOneBatch) {
  scratch.write("a.txt", "a fox --seed 1\na fox --seeed 2\n");
  scratch.write("b.jsonl", "{\"prompt\":\"a cat\",\"seed\":2,\"id\":\"cat\"}\n");
  scratch.write("c.json", "[\"a dog\"]");
  const Outcome first = batch_of({"a.txt", "b.jsonl", "c.json"}, {"--jsonl"});
  EXPECT_EQ(first.exit_code, 3) << first.err;
  EXPECT_NE(first.err.find("a.txt:2: unknown option"), std::string::npos) << first.err;
  EXPECT_NE(first.out.find(R"("event":"error","prompt_file":"a.txt","line":2)"), std::string::npos);
  const auto lines = sorted_manifest();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["prompt_file"], "a.txt");
  EXPECT_EQ(lines[1]["prompt_file"], "b.jsonl");
  EXPECT_EQ(lines[1]["line"], 1);
  EXPECT_EQ(lines[2]["text"], "a dog");
  const json failed = json_lines_of(scratch.read("out/.bifrons/errors.jsonl")).at(0);
  EXPECT_EQ(failed["prompt_file"], "a.txt");
  EXPECT_EQ(failed["line"], 2);
  const auto drawn = pictures("out");
  EXPECT_EQ(batch_of({"a.txt", "b.jsonl", "c.json"}).out, "");
  EXPECT_EQ(pictures("out"), drawn);

  const Outcome strict = batch_of({"b.jsonl", "a.txt"}, {"--strict", "-o", "strict"});
  EXPECT_EQ(strict.exit_code, 65);
  EXPECT_NE(strict.err.find("a.txt:2: "), std::string::npos) << strict.err;
  EXPECT_FALSE(fs::exists(scratch / "strict"));
  const Outcome dry = batch_of({"b.jsonl", "a.txt"}, {"--dry-run", "-o", "dry"});
  EXPECT_EQ(dry.exit_code, 3);
  EXPECT_NE(dry.err.find("a.txt:2: "), std::string::npos) << dry.err;
  EXPECT_NE(dry.out.find("lines       3, of them bad 1"), std::string::npos) << dry.out;
}

TEST_F(CliBatchFiles, OneFileIsAsItWas) {
  scratch.write("a.txt", "a fox --seed 1\na fox --seeed 2\n");
  ASSERT_EQ(batch("a.txt").exit_code, 3);
  EXPECT_FALSE(manifest().at(0).contains("prompt_file"));
  EXPECT_TRUE(
      scratch.read("out/.bifrons/errors.jsonl").starts_with(R"({"line":2,"id":"","reason":)"));
}

TEST_F(CliBatchFiles, AFolderOfCaptions) {
  fs::create_directory(scratch / "captions");
  scratch.write("captions/010.txt", "a fox\nin the snow\n");
  scratch.write("captions/002.txt", "a cat --seed 7");
  scratch.write("captions/002.png", "no text");
  scratch.write("captions/.hidden.txt", "no");
  scratch.write("captions/notes.md", "no");
  const Outcome drawn = batch("captions/");
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const auto lines = sorted_manifest();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["file_name"], "002.png");
  EXPECT_EQ(lines[0]["text"], "a cat --seed 7");
  EXPECT_EQ(lines[0]["prompt_file"], "captions/002.txt");
  EXPECT_EQ(lines[1]["file_name"], "010.png");
  EXPECT_EQ(lines[1]["text"], "a fox\nin the snow");
  EXPECT_EQ(batch("captions").out, "");
  EXPECT_EQ(batch_of({"captions/002.txt", "captions/010.txt"}, {"-o", "lines"}).exit_code, 0);
  EXPECT_EQ(pictures("lines").size(), 3u);  // as prompt files: one prompt per line
}

TEST_F(CliBatchFiles, WhateverStandsInAFolderIsABadLineOfItsOwn) {
  fs::create_directories(scratch / "captions/dir.txt");
  scratch.write("captions/fine.txt", "a fox");
  scratch.write("captions/empty.txt", "");
  scratch.write("captions/long.txt", std::string(70000, 'x'));
  scratch.write("captions/utf16.txt",
                "\xff\xfe"
                "a");
  scratch.write("captions/dir.txt/x", "");
  ASSERT_EQ(mkfifo((scratch / "captions/pipe.txt").c_str(), 0600), 0);
  fs::create_symlink("loop.txt", scratch / "captions/loop.txt");
  fs::create_symlink("/dev/zero", scratch / "captions/zero.txt");
  fs::create_symlink("fine.txt", scratch / "captions/link.txt");
  int bad = 7;
  scratch.write("captions/locked.txt", "a dog");
  fs::permissions(scratch / "captions/locked.txt", fs::perms::none);
  if (access((scratch / "captions/locked.txt").c_str(), R_OK) != 0) ++bad;
  const Outcome drawn = batch("captions");
  EXPECT_EQ(drawn.exit_code, 3) << drawn.err;
  EXPECT_EQ(json_lines_of(scratch.read("out/.bifrons/errors.jsonl")).size(),
            static_cast<size_t>(bad));
  EXPECT_NE(drawn.err.find("captions/pipe.txt:1: is not a regular file"), std::string::npos)
      << drawn.err;
  EXPECT_TRUE(fs::exists(scratch / "out/fine.png"));
  EXPECT_TRUE(fs::exists(scratch / "out/link.png"));
}

TEST_F(CliBatchFiles, RefusalsNameTheFile) {
  fs::create_directory(scratch / "none");
  EXPECT_EQ(batch("none").exit_code, 65);
  EXPECT_EQ(batch("nowhere/").exit_code, 66);
  scratch.write("a.txt", "a fox\n");
  const Outcome missing = batch_of({"a.txt", "gone.txt"});
  EXPECT_EQ(missing.exit_code, 66);
  EXPECT_NE(missing.err.find("gone.txt"), std::string::npos);
  EXPECT_EQ(batch_of({"-", "-"}, {"--format", "txt"}).exit_code, 2);
  EXPECT_EQ(batch_of({"a.txt", "a.doc"}).exit_code, 2);
  EXPECT_EQ(batch("/dev/zero", {"--format", "txt"}).exit_code, 65);
  scratch.write("b.csv", "Category\nx\n");
  const Outcome header = batch_of({"a.txt", "b.csv"});
  EXPECT_EQ(header.exit_code, 65);
  EXPECT_NE(header.err.find("b.csv: the header"), std::string::npos) << header.err;
  EXPECT_FALSE(fs::exists(scratch / "out/metadata.jsonl"));
  scratch.write("mac.txt", "a fox\ra cat\r");
  EXPECT_NE(batch("mac.txt").err.find("mac.txt: carriage returns"), std::string::npos);
}

TEST_F(CliBatchFiles, StdinAmongFilesAndCommentsLeftOut) {
  scratch.write("a.txt", "# list\na fox\n");
  const Outcome drawn =
      batch_of({"a.txt", "-"}, {"--format", "txt", "--comments"}, {.input = "a cat\n//x\n"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const auto lines = sorted_manifest();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["prompt_file"], "stdin");
  EXPECT_EQ(lines[1]["text"], "a cat");
  EXPECT_NE(batch("a.txt", {"-o", "hint"}).err.find("a.txt: lines that begin with #"),
            std::string::npos);
}

}  // namespace
}  // namespace bifrons::testing
