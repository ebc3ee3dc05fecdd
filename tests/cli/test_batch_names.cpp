// File names of a batch's pictures, and names that are not allowed.
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST_F(CliBatch, ADryRunRefusesTheNamesThatARunRefuses) {
  std::string lines;
  int seed = 0;
  for (const std::string output : {"00000/samples/{number:04}.png",
                                   "color/a red car and a blue boat_000000.png",
                                   "../evil.png",
                                   "/tmp/abs.png",
                                   "%04d.png",
                                   "{number:99999999}.png",
                                   "{foo}.png",
                                   "{id}.png",
                                   "{number.png",
                                   "A.png",
                                   "a.png",
                                   "Ärger.png",
                                   "äRGER.png",
                                   "CON.png",
                                   "x. .png/y.png",
                                   "a.png/b.png",
                                   "dir/x.png",
                                   "DIR.png",
                                   "a\u202eb.png",
                                   "{prompt}{prompt}{prompt}.png",
                                   ""}) {
    lines +=
        json{{"prompt", std::string(90, 'p')}, {"output", output}, {"seed", ++seed}}.dump() + "\n";
  }
  scratch.write("p.jsonl", lines);
  const auto bad_lines = [](const std::string& err) {
    std::map<int, std::string> found;
    std::istringstream text(err);
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("p.jsonl:")) found[std::stoi(line.substr(8))] = line;
    }
    return found;
  };
  const auto planned = bad_lines(batch("p.jsonl", {"--dry-run"}).err);
  const Outcome run = batch("p.jsonl");
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(bad_lines(run.err), planned);
  std::vector<int> numbers;
  for (const auto& [number, line] : planned) numbers.push_back(number);
  EXPECT_EQ(numbers, (std::vector<int>{3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 16, 19, 20, 21}))
      << run.err;
  EXPECT_FALSE(fs::exists(scratch / "evil.png"));
}

TEST_F(CliBatch, APatternForTheWholeBatch) {
  scratch.write("p.csv", "prompt,id,kind\na fox,one,wild life\na cat,two,pets\na dog,,pets\n");
  const Outcome outcome =
      batch("p.csv", {"--name", "{kind}/{id} {number:02}.jpg", "-c", "2", "-s", "4"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_NE(outcome.err.find("p.csv:4: its name asks for {id}, but there is none"),
            std::string::npos)
      << outcome.err;
  std::vector<std::string> names;
  for (const auto& [name, bytes] : pictures("out")) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"pets/two 00.jpg", "pets/two 01.jpg",
                                             "wild life/one 00.jpg", "wild life/one 01.jpg"}));
  const Outcome wrong = batch("p.csv", {"--name", "../{id}.png"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("--name: "), std::string::npos) << wrong.err;
}

TEST_F(CliBatch, PromptsOfAllScriptsNameTheirPictures) {
  const std::map<std::string, std::string> slugs = {
      {"여우가 눈 속에 있다", "여우가-눈-속에-있다"},
      {"雪地里的狐狸", "雪地里的狐狸"},
      {"ثعلب في الثلج", "ثعلب-في-الثلج"},
      {"Лиса в снегу", "лиса-в-снегу"},
      {"ein Füchschen, Straße", "ein-füchschen-straße"},
      {"🦊❄️", "picture"},
  };
  std::string lines;
  for (const auto& [prompt, slug] : slugs) lines += prompt + "\n";
  scratch.write("p.txt", lines);
  ASSERT_EQ(batch("p.txt", {"-s", "5"}).exit_code, 0);
  for (const json& line : manifest()) {
    const std::string name = line["file_name"];
    EXPECT_TRUE(name.starts_with(slugs.at(line["text"]) + "-5-")) << name;
  }
  EXPECT_EQ(batch("p.txt", {"-s", "5"}).out, "");
}

// A directory of an earlier version. Its names kept only [a-z0-9] of a prompt.
TEST_F(CliBatch, NamesOfEarlierVersionsStay) {
  scratch.write("p.txt", "café au lait --seed 3\n狐狸 --seed 4\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  std::string lines;
  for (const json& line : manifest()) {
    const std::string name = line["file_name"];
    const bool first = name.starts_with("café-au-lait-3-");
    const std::string former = first ? "caf-au-lait" + name.substr(name.find("-3-"))
                                     : "picture" + name.substr(name.find("-4-"));
    fs::rename(scratch / ("out/" + name), scratch / ("out/" + former));
    std::string text = scratch.read("out/metadata.jsonl");
    text = text.substr(text.find("{\"file_name\":\"" + name));
    text.replace(text.find(name), name.size(), former);
    text.resize(text.find(",\"crc32\""));
    const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size());
    char hex[9];
    snprintf(hex, sizeof hex, "%08lx", sum);
    lines += text + ",\"crc32\":\"" + hex + "\"}\n";
  }
  scratch.write("out/metadata.jsonl", lines);
  const auto before = pictures("out");
  ASSERT_EQ(before.size(), 2u);
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{"--dry-run", "--jsonl"}, {}, {"--resume", "verify"}}) {
    const Outcome again = batch("p.txt", how);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(pictures("out"), before);
    if (!how.empty() && how[0] == "--dry-run") {
      EXPECT_EQ(json::parse(again.out)["done"], 2);
    }
  }
  fs::remove(scratch / "out" / before.begin()->first);
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  EXPECT_EQ(pictures("out"), before) << "a lost one comes back under its name";
  ASSERT_EQ(batch("p.txt", {"--fresh"}).exit_code, 0);
  EXPECT_FALSE(pictures("out").contains(before.begin()->first)) << "begun again";
}

TEST_F(CliBatch, ASheetForEveryLine) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a fox\",\"id\":\"fox\",\"count\":3}\n"
                "{\"prompt\":\"a cat\",\"output\":\"cats/x.png\",\"count\":2}\n"
                "{\"prompt\":\"a dog\",\"seed\":4}\n");
  const Outcome first = batch("p.jsonl", {"--grid-per-prompt"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.err.find("3 sheets in "), std::string::npos) << first.err;
  const auto sheets = pictures("out-grids");
  ASSERT_EQ(sheets.size(), 3u);
  EXPECT_TRUE(sheets.begin()->first.starts_with("a-dog-4-")) << sheets.begin()->first;
  EXPECT_TRUE(sheets.contains("cats/x.png"));
  EXPECT_TRUE(sheets.contains("fox.png"));
  ASSERT_EQ(batch("p.jsonl", {"--grid-per-prompt"}).exit_code, 0) << "resumed";
  EXPECT_EQ(pictures("out-grids"), sheets);

  // Our sheets change with their pictures. Files of others are kept.
  scratch.write("p.jsonl", "{\"prompt\":\"a fox\",\"id\":\"fox\",\"count\":3,\"seed\":8}\n");
  ASSERT_EQ(batch("p.jsonl", {"--grid-per-prompt"}).exit_code, 0);
  EXPECT_NE(pictures("out-grids").at("fox.png"), sheets.at("fox.png"));
  scratch.write("out-grids/fox.png", "mine");
  const Outcome refused = batch("p.jsonl", {"--grid-per-prompt"});
  EXPECT_EQ(refused.exit_code, 73);
  EXPECT_EQ(scratch.read("out-grids/fox.png"), "mine");
  EXPECT_EQ(batch("p.jsonl", {"--grid-per-prompt", "--overwrite"}).exit_code, 0);
  EXPECT_NE(scratch.read("out-grids/fox.png"), "mine");
}

TEST_F(CliBatch, APlaceThatSheetsCannotHaveIsSaidFirst) {
  scratch.write("p.txt", "a fox\n");
  scratch.write("out-grids", "a file");
  EXPECT_EQ(batch("p.txt", {"--grid-per-prompt"}).exit_code, 73);
  EXPECT_TRUE(pictures("out").empty());
}

TEST_F(CliBatch, LinesOfOneIdHaveOneSheet) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a fox\",\"id\":\"x\"}\n{\"prompt\":\"a cat\",\"id\":\"X\"}\n");
  const Outcome outcome = batch("p.jsonl", {"--grid-per-prompt", "--name", "{line}.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("line 2 has no sheet of its own, for that of line 1 is named \"X\""),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(pictures("out-grids").size(), 1u);
}

TEST_F(CliBatch, LinesOfSeveralFilesAreToldApartBySheets) {
  scratch.write("a.jsonl", "{\"prompt\":\"a fox\",\"id\":\"x\"}\n");
  scratch.write("b.jsonl", "{\"prompt\":\"a cat\",\"id\":\"X\"}\n");
  const Outcome outcome =
      batch("a.jsonl", {"b.jsonl", "--grid-per-prompt", "--name", "{seed}.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("b.jsonl:1 has no sheet of its own, for that of a.jsonl:1 is named"),
            std::string::npos)
      << outcome.err;
}

TEST_F(CliBatch, SheetsThatShowTheFirstPicturesSaySo) {
  scratch.write("p.txt", "a fox --id fox --count 65\na cat --id cat --count 64\n");
  const Outcome outcome = batch("p.txt", {"--grid-per-prompt"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("1 sheet shows only the first 64 pictures"), std::string::npos)
      << outcome.err;
}

TEST_F(CliBatch, SheetsOfShardsComeWithTheLastOne) {
  scratch.write("p.txt", "a fox --id fox --count 3\n");
  const Outcome first = batch("p.txt", {"--grid-per-prompt", "--shard", "0/2"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.err.find("1 lines have no sheet"), std::string::npos) << first.err;
  EXPECT_TRUE(pictures("out-grids").empty());
  ASSERT_EQ(batch("p.txt", {"--grid-per-prompt", "--shard", "1/2"}).exit_code, 0);
  EXPECT_EQ(pictures("out-grids").size(), 1u);
}

}  // namespace
}  // namespace bifrons::testing
