// The settings in keys, manifests and pictures must not change, because resuming a directory of an
// earlier version depends on them.
//
// The files in tests/golden/settings are the output of the program of 30 November 2026, in which
// separate code wrote each setting. BIFRONS_WRITE_PINNED=1 makes this test write them again. Use it
// only for an intended change of format, and name that change in CHANGELOG.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "src/bifrons.h"
#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

std::string golden_file(const std::string& name) {
  return std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/" + name;
}

const std::vector<std::string> kAllOptions = {"-n",
                                              "a dog, \"blurry\"",
                                              "--cfg",
                                              "2.5",
                                              "--temp",
                                              "0.7",
                                              "--top-k",
                                              "9",
                                              "--top-p",
                                              "0.9",
                                              "--rope",
                                              "bf16",
                                              "--allow-special"};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Removes values that depend on the run, on the version or on the encoding library.
std::string without_chance(const std::string& line) {
  static const std::regex kChance(
      R"re(,"(seconds|bytes|sha256|crc32|program)":("[^"]*"|[0-9.]+)|,"best_of":\{.*?\]\})re");
  return std::regex_replace(line, kChance, "");
}

class PinnedSettings : public ::testing::Test {
 protected:
  // Uses plain C++ code, so every machine draws the same codes.
  std::string run(const std::vector<std::string>& words, const std::string& model = "toy-hf") {
    const Outcome outcome =
        run_bifrons(words + std::vector<std::string>{"-m", golden_file("models/" + model), "-t",
                                                     "1", "--device", "cpu:portable", "-q"},
                    {.directory = scratch_.path()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

  // The lines of a manifest, sorted by text, because they are written in the order of completion.
  std::string manifest(const std::vector<std::string>& more, const std::string& model = "toy-hf",
                       const std::string& lines = golden_file("settings/lines.jsonl")) {
    fs::remove_all(scratch_ / "out");
    run(std::vector<std::string>{"batch", lines, "-o", "out"} + more, model);
    std::istringstream text(scratch_.read("out/metadata.jsonl"));
    std::vector<std::string> found;
    for (std::string line; std::getline(text, line);) found.push_back(without_chance(line));
    std::sort(found.begin(), found.end());
    std::string all;
    for (const std::string& line : found) all += line + "\n";
    return all;
  }

  PictureMetadata metadata(const std::string& name) const {
    const std::string file = scratch_.read(name);
    return read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()}).metadata;
  }
  // Both texts of a picture. A fixed word replaces the program's version.
  std::string texts(const std::string& name) const {
    const PictureMetadata found = metadata(name);
    std::string text = found.parameters + "\n" + found.settings + "\n";
    const std::string version = "bifrons " + build_info().version;
    for (size_t at = text.find(version); at != text.npos; at = text.find(version, at)) {
      text.replace(at, version.size(), "bifrons VERSION");
    }
    return text;
  }

  void expect_pinned(const std::string& name, const std::string& text) const {
    const std::string path = golden_file("settings/" + name);
    if (std::getenv("BIFRONS_WRITE_PINNED") != nullptr) std::ofstream(path) << text;
    std::ifstream file(path);
    std::istringstream now(text);
    int line = 0;
    for (std::string is, was; ++line, std::getline(now, is);) {
      ASSERT_TRUE(std::getline(file, was)) << name << ": more lines than there were";
      EXPECT_EQ(is, was) << name << ":" << line;
    }
    std::string rest;
    EXPECT_FALSE(std::getline(file, rest)) << name << ": fewer lines than there were";
  }

  TemporaryDirectory scratch_;
};

TEST_F(PinnedSettings, ManifestsAndKeys) {
  std::string all = "# no options\n" + manifest({});
  all += "# every option\n" + manifest(kAllOptions + std::vector<std::string>{"-s", "3"});
  all += "# one seed, JPEG, no metadata\n" +
         manifest({"-s", "0", "--save-as", "jpg", "--no-metadata", "-c", "2"});
  scratch_.write("two.txt", "a fox\ntwo dogs\n");
  all += "# best of two\n" +
         manifest({"--best-of", "2", "--match-question", "Is it {prompt}?"}, "toy-sees", "two.txt");
  all += "# best of two, every option\n" +
         manifest(kAllOptions + std::vector<std::string>{"--best-of", "2"}, "toy-sees", "two.txt");
  scratch_.write("filled.txt", "a {red|blue} fox\n");
  all += "# templates\n" + manifest({"--expand", "--combinatorial", "-n", "{a|b}", "-s", "5"},
                                    "toy-hf", "filled.txt");
  expect_pinned("manifests.txt", all);
}

TEST_F(PinnedSettings, TextsInPictures) {
  const std::vector<std::string> draw = {"generate", "-p",
                                         "a fox\nNegative prompt: mine \xe7\x8c\xab"};
  run(draw + std::vector<std::string>{"-s", "7", "-o", "unset.png"});
  run(draw + kAllOptions + std::vector<std::string>{"-s", "18446744073709551615", "-o", "set.png"});
  run({"generate", "-p", "greedy", "-s", "1", "--temp", "0", "--cfg", "0", "-n", "", "-o",
       "greedy.jpg"});
  run({"generate", "--like", "set.png", "-o", "like.png"});
  run({"generate", "--like", "set.png", "--top-p", "1", "--rope", "f32", "-s", "4", "-o",
       "like-but.jpg"});
  run(std::vector<std::string>{"vary", "set.png", "-p", "a fox", "--strength", "0.5", "-s", "3",
                               "-o", "varied.png"} +
      kAllOptions);
  run({"generate", "--like", "varied.png", "-o", "like-varied.png"});
  std::string all;
  for (const char* name : {"unset.png", "set.png", "greedy.jpg", "like.png", "like-but.jpg",
                           "varied.png", "like-varied.png"}) {
    all += std::string("# ") + name + "\n" + texts(name);
  }
  expect_pinned("pictures.txt", all);
  EXPECT_EQ(scratch_.read("like.png"), scratch_.read("set.png"));
  EXPECT_EQ(scratch_.read("like-varied.png"), scratch_.read("varied.png"));
}

TEST_F(PinnedSettings, TextsInGrids) {
  const Outcome any =
      run_bifrons({"grid", "a", "-x", "cfg=1", "-o", "any.png", "-m", golden_file("models/toy-hf")},
                  {.directory = scratch_.path()});
  if (lacks_a_font(any)) GTEST_SKIP() << any.err;
  const std::vector<std::string> grid = {"grid", "a red fox"};
  run(grid + std::vector<std::string>{"-x", "seed=1..2", "-y", "cfg=3,5.5", "-o", "a.png"});
  run(grid + std::vector<std::string>{"-x", "temp=0..1+0.5", "-y", "Top K=2,3", "-o", "b.png"} +
      kAllOptions);
  run(grid + std::vector<std::string>{"-x", "top_p=0.5,1", "-y", "words=red,blue", "-o", "c.png",
                                      "-s", "9"});
  run(grid + std::vector<std::string>{"-x", "words=red,\"a, b\"", "-o", "d.png", "--top-k", "4"});
  expect_pinned("grids.txt", "# a\n" + texts("a.png") + "# b\n" + texts("b.png") + "# c\n" +
                                 texts("c.png") + "# d\n" + texts("d.png"));
}

}  // namespace
}  // namespace bifrons::testing
