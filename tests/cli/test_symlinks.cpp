// Symbolic links are followed for reading and never for writing. The target of a link stays
// unchanged.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

class CliSymlinks : public CliBatch {
 protected:
  void SetUp() override {
    CliBatch::SetUp();
    fs::create_directories(scratch / "outside/below");
    scratch.write("outside/mine", "mine");
  }

  void link(const std::string& to, const std::string& name) const {
    fs::create_directories((scratch / name).parent_path());
    fs::remove_all(scratch / name);
    fs::create_symlink(scratch / to, scratch / name);
  }
  bool is_link(const std::string& name) const { return fs::is_symlink(scratch / name); }

  Outcome run(std::vector<std::string> words) const {
    return run_bifrons(words, {.directory = scratch.path()});
  }

  // No file was added, removed or changed.
  void expect_outside_untouched() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(scratch / "outside")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{"below", "mine"}));
    EXPECT_EQ(scratch.read("outside/mine"), "mine");
  }
};

// A link at the place of an output counts as an existing file. -y replaces the link itself.
TEST_F(CliSymlinks, OutputsOfOneFile) {
  const std::string other = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/toy-hf";
  ASSERT_EQ(run({"a fox", "-m", other, "-s", "1", "-o", "in.png"}).exit_code, 0);
  struct Case {
    std::string name;  // name of the written file
    std::vector<std::string> words;
  };
  const std::vector<Case> cases = {
      {"a.png", {"a fox", "-m", toy_model(), "-o", "a.png"}},
      {"b1-grid.png", {"a fox", "-m", toy_model(), "-c", "2", "--grid", "-o", "b{index}.png"}},
      {"c.json", {"a fox", "-m", toy_model(), "-o", "c.png", "--tokens-out", "c.json"}},
      {"d.json", {"encode", "in.png", "-m", other, "-o", "d.json"}},
      {"e.png", {"reconstruct", "in.png", "-m", other, "-o", "e.png"}},
      {"f.png", {"decode", "tokens.json", "-m", other, "-o", "f.png"}},
      {"g.png", {"vary", "in.png", "-p", "a cat", "-m", other, "-o", "g.png"}},
      {"h.png", {"grid", "a fox", "-x", "cfg=1,2", "-m", toy_model(), "-o", "h.png"}}};
  ASSERT_EQ(run({"encode", "in.png", "-m", other, "-o", "tokens.json"}).exit_code, 0);
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    const std::string& name = each.name;
    for (const std::string to : {"outside/mine", "outside/new"}) {
      link(to, name);
      const Outcome refused = run(each.words);
      EXPECT_EQ(refused.exit_code, 73) << refused.err;
      EXPECT_TRUE(is_link(name));
      expect_outside_untouched();
      std::vector<std::string> words = each.words;
      words.push_back(words[0] == "grid" ? "--overwrite" : "-y");
      const Outcome replaced = run(words);
      EXPECT_EQ(replaced.exit_code, 0) << replaced.err;
      EXPECT_FALSE(is_link(name));
      EXPECT_TRUE(fs::is_regular_file(scratch / name));
      expect_outside_untouched();
      fs::remove(scratch / name);
      for (const char* made : {"b1.png", "b2.png", "c.png"}) fs::remove(scratch / made);
    }
  }
}

TEST_F(CliSymlinks, DevicesAreNeverReplaced) {
  fs::create_symlink("/dev/null", scratch / "null.png");
  const Outcome outcome = run({"a fox", "-m", toy_model(), "-y", "-o", "null.png"});
  EXPECT_EQ(outcome.exit_code, 73) << outcome.err;
  EXPECT_NE(outcome.err.find("not a regular file"), std::string::npos) << outcome.err;
  EXPECT_TRUE(is_link("null.png"));
}

TEST_F(CliSymlinks, PicturesOfABatch) {
  scratch.write("p.jsonl", R"({"prompt":"a fox","id":"a"})"
                           "\n"
                           R"({"prompt":"a cat","output":"below/b"})"
                           "\n");
  link("outside/mine", "out/a.png");
  link("outside/below", "out/below");
  const Outcome both = batch("p.jsonl");
  EXPECT_EQ(both.exit_code, 3) << both.err;
  EXPECT_NE(both.err.find("symbolic link"), std::string::npos) << both.err;
  EXPECT_TRUE(is_link("out/a.png"));
  expect_outside_untouched();
  EXPECT_EQ(batch("p.jsonl", {"-y"}).exit_code, 3);
  EXPECT_FALSE(is_link("out/a.png"));
  expect_outside_untouched();
}

TEST_F(CliSymlinks, FreshRemovesNothingBehindALink) {
  scratch.write("p.jsonl", R"({"prompt":"a fox","id":"a"})"
                           "\n"
                           R"({"prompt":"a cat","output":"below/mine"})"
                           "\n");
  ASSERT_EQ(batch("p.jsonl").exit_code, 0);
  fs::rename(scratch / "out/below/mine.png", scratch / "outside/below/mine.png");
  link("outside/below", "out/below");
  EXPECT_EQ(batch("p.jsonl", {"--fresh"}).exit_code, 3);
  EXPECT_TRUE(fs::exists(scratch / "outside/below/mine.png"));
}

TEST_F(CliSymlinks, WhatABatchWritesBesideItsPictures) {
  scratch.write("p.txt", "a fox --id a\n");
  for (const std::string name : {".bifrons", "metadata.jsonl", ".bifrons/lock",
                                 ".bifrons/errors.jsonl", ".bifrons/parts", ".bifrons/run.json"}) {
    SCOPED_TRACE(name);
    const bool directory = name == ".bifrons" || name == ".bifrons/parts";
    for (const std::string to : {directory ? "outside/below" : "outside/mine", "outside/new"}) {
      fs::remove_all(scratch / "out");
      link(to, "out/" + name);
      const Outcome outcome = batch("p.txt");
      // The run record is replaced, because every run writes it again. Everything else is refused.
      EXPECT_EQ(outcome.exit_code, name == ".bifrons/run.json" ? 0 : 73) << outcome.err;
      expect_outside_untouched();
    }
  }
}

// A write to a hard link would also change the file under its other name.
TEST_F(CliSymlinks, HardLinksAreNotWrittenTo) {
  scratch.write("p.txt", "a fox --id a\n");
  scratch.write("more.txt", "a fox --id a\na cat --id b\n");
  for (const std::string name : {".bifrons/lock", ".bifrons/errors.jsonl", "metadata.jsonl"}) {
    SCOPED_TRACE(name);
    fs::remove_all(scratch / "out");
    ASSERT_EQ(batch("p.txt").exit_code, 0);
    fs::remove(scratch / "twin");
    if (name == ".bifrons/errors.jsonl") scratch.write("out/" + name, "what was\n");
    fs::create_hard_link(scratch / "out" / name, scratch / "twin");
    const std::string before = scratch.read("twin");
    const Outcome refused = batch("more.txt");
    EXPECT_EQ(refused.exit_code, 73) << refused.err;
    EXPECT_NE(refused.err.find("hard link"), std::string::npos) << refused.err;
    EXPECT_EQ(scratch.read("twin"), before);
    EXPECT_FALSE(fs::exists(scratch / "out/b.png"));
  }
  fs::create_hard_link(scratch / "outside/mine", scratch / ".x.png.part");
  const Outcome refused = run({"a fox", "-m", toy_model(), "-o", "x.png"});
  EXPECT_EQ(refused.exit_code, 73) << refused.err;
  expect_outside_untouched();
}

TEST_F(CliSymlinks, GalleriesSheetsAndMerges) {
  scratch.write("p.txt", "a fox --id a\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  link("outside/new", "out/index.html");
  EXPECT_EQ(run({"gallery", "out"}).exit_code, 0);
  EXPECT_FALSE(is_link("out/index.html"));
  expect_outside_untouched();
  link("outside/mine", "out/index.html");
  EXPECT_EQ(run({"gallery", "out"}).exit_code, 73);
  expect_outside_untouched();
  fs::remove(scratch / "out/index.html");
  ASSERT_EQ(mkfifo((scratch / "out/index.html").c_str(), 0600), 0);
  EXPECT_EQ(run({"gallery", "out"}).exit_code, 73) << "and does not wait for a writer";
  fs::remove(scratch / "out/index.html");

  link("outside/mine", "out-grid.png");
  batch("p.txt", {"--grid"});
  expect_outside_untouched();

  // A linked file is no picture of the merged directory, even with equal bytes.
  fs::copy_file(scratch / "out/a.png", scratch / "twin.png");
  link("twin.png", "all/a.png");
  const Outcome merged = run({"merge", "out", "-o", "all"});
  EXPECT_EQ(merged.exit_code, 3) << merged.err;
  EXPECT_TRUE(is_link("all/a.png"));
  fs::remove_all(scratch / "all");
  link("outside/mine", "all/metadata.jsonl");
  run({"merge", "out", "-o", "all"});
  expect_outside_untouched();
}

// Directories named by the user may be links, and so may all input files.
TEST_F(CliSymlinks, NamedDirectoriesAndInputsAreFollowed) {
  scratch.write("real.txt", "a fox --id a\n");
  link("real.txt", "p.txt");
  fs::create_directories(scratch / "disk");
  link("disk", "out");
  fs::create_symlink(toy_model(), scratch / "model");
  EXPECT_EQ(run({"batch", "p.txt", "-m", "model", "-o", "out"}).exit_code, 0);
  EXPECT_TRUE(fs::is_regular_file(scratch / "disk/a.png"));
  link("disk/a.png", "picture");
  EXPECT_EQ(run({"info", "picture"}).exit_code, 0);
  EXPECT_EQ(run({"a fox", "-m", "model", "-s", "1", "-o", "out/"}).exit_code, 0);
}

}  // namespace
}  // namespace bifrons::testing
