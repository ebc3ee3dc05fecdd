// Recipes for benchmarks in docs/batches.md. Each runs on ten lines in the form of its prompt file.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/cli/batch_fixture.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

const std::vector<std::string> kThings = {"kite",  "boat", "cat",  "lamp",  "pear",
                                          "house", "car",  "star", "whale", "shoe"};

// The line of docs/batches.md that starts with this text, without its indentation.
std::string recipe(const std::string& start) {
  std::ostringstream text;
  text << std::ifstream(std::string(BIFRONS_SOURCE_DIR) + "/docs/batches.md").rdbuf();
  const std::string page = text.str();
  const size_t at = page.find("\n    " + start);
  if (at == std::string::npos) return {};
  return page.substr(at + 5, page.find('\n', at + 1) - at - 5);
}

class CliBenchmarks : public CliBatch {
 protected:
  // Runs a recipe unchanged, in a shell that has the program in PATH.
  void run_recipe(const std::string& start) const {
    const std::string command = recipe(start);
    ASSERT_FALSE(command.empty()) << "docs/batches.md has no recipe " << start;
    const std::filesystem::path program = BIFRONS_BINARY;
    const std::string shell = "cd '" + scratch.path().string() + "' && export BIFRONS_MODEL='" +
                              toy_model() + "' PATH='" + program.parent_path().string() +
                              "':\"$PATH\" && exec 2>err && " + command + " >out";
    ASSERT_EQ(std::system(("bash -c " + quoted(shell)).c_str()), 0) << scratch.read("err");
  }

  static std::string quoted(const std::string& text) {
    return "'" + std::regex_replace(text, std::regex("'"), "'\\''") + "'";
  }
};

TEST_F(CliBenchmarks, GenEval) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < kThings.size(); ++i) {
    json line = {{"tag", i % 2 == 0 ? "counting" : "position"},
                 {"include", {{{"class", kThings[i]}, {"count", i + 1}}}},
                 {"prompt", "a picture of " + std::to_string(i + 1) + " times a " + kThings[i]}};
    if (i % 2 == 0) line["exclude"] = {{{"class", kThings[i]}, {"count", i + 2}}};
    lines.push_back(line.dump());
  }
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;  // none at end
  scratch.write("evaluation_metadata.jsonl", text);
  run_recipe("bifrons batch evaluation_metadata.jsonl");
  run_recipe("n=0; while read");
  // GenEval's evaluation reads this layout: numbered folders, each with a metadata.jsonl of one
  // object and numbered samples.
  EXPECT_EQ(pictures("geneval").size(), 40u);
  for (int i = 0; i < 10; ++i) {
    const std::string folder = "geneval/0000" + std::to_string(i);
    EXPECT_EQ(json::parse(scratch.read(folder + "/metadata.jsonl")), json::parse(lines[i]));
    for (int k = 0; k < 4; ++k) {
      const std::string name = folder + "/samples/000" + std::to_string(k) + ".png";
      EXPECT_TRUE(std::filesystem::exists(scratch / name)) << name;
    }
  }
  // A second run changes nothing after those files were added.
  const auto before = pictures("geneval");
  run_recipe("bifrons batch evaluation_metadata.jsonl");
  EXPECT_NE(scratch.read("err").find("40 were done before"), std::string::npos);
  EXPECT_EQ(pictures("geneval"), before);
}

TEST_F(CliBenchmarks, T2ICompBench) {
  std::vector<std::string> prompts;
  std::string text;
  for (size_t i = 0; i < kThings.size(); ++i) {
    prompts.push_back("a red " + kThings[i] + ", and the boy's blue " + kThings[(i + 1) % 10]);
    text += prompts.back() + "\n";
  }
  scratch.write("color_val.txt", text);
  run_recipe("bifrons batch color_val.txt");
  const auto drawn = pictures("examples");
  EXPECT_EQ(drawn.size(), 100u);
  for (const std::string& prompt : prompts) {
    EXPECT_TRUE(drawn.contains("samples/" + prompt + "_000000.png")) << prompt;
    EXPECT_TRUE(drawn.contains("samples/" + prompt + "_000009.png")) << prompt;
  }
}

TEST_F(CliBenchmarks, DpgBench) {
  std::filesystem::create_directory(scratch / "prompts");
  for (size_t i = 0; i < kThings.size(); ++i) {
    scratch.write("prompts/item_" + std::to_string(i) + ".txt",
                  "A long, detailed look at a " + kThings[i] +
                      " on a wooden table.\nBeside it two \"cups\" stand -- empty.\n");
  }
  run_recipe("bifrons batch prompts/ -o dpg");
  const auto sheets = pictures("dpg-grids");
  ASSERT_EQ(sheets.size(), 10u);
  const auto read = [](const std::string& file) {
    return read_picture({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  };
  const Picture one = read(scratch.read("dpg/item_7-0004.png"));
  const Picture sheet = read(sheets.at("item_7.png"));
  ASSERT_EQ(sheet.width, 2 * one.width);
  ASSERT_EQ(sheet.height, 2 * one.height);
  for (int64_t y = 0; y < one.height; ++y) {  // the fourth picture is the lower right quarter
    const auto row = sheet.rgb.begin() + ((one.height + y) * sheet.width + one.width) * 3;
    ASSERT_TRUE(std::equal(row, row + one.width * 3, one.rgb.begin() + y * one.width * 3));
  }
}

TEST_F(CliBenchmarks, PartiPrompts) {
  std::string text = "Prompt\tCategory\tChallenge\tNote\n";
  for (size_t i = 0; i < kThings.size(); ++i) {
    text += "a " + kThings[i] + "\t" + (i % 2 == 0 ? "World Knowledge" : "Produce & Plants") +
            "\tBasic\tof our \"own\"\n";
  }
  scratch.write("PartiPrompts.tsv", text);
  run_recipe("bifrons batch PartiPrompts.tsv");
  const auto drawn = pictures("parti");
  EXPECT_EQ(drawn.size(), 10u);
  EXPECT_TRUE(drawn.contains("World Knowledge/00000.png"));
  EXPECT_TRUE(drawn.contains("Produce & Plants/00009.png"));
}

}  // namespace
}  // namespace bifrons::testing
