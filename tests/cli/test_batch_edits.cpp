// Lines of a batch that change a picture: drawn as `bifrons edit` draws them, resumed, refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "src/io/sha256.h"
#include "tests/cli/batch_fixture.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/picture_file.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

class CliBatchEdits : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(scratch / "in");
    paint("in/car.png", 37);
    paint("in/boat.png", 53);
  }

  void paint(const std::string& name, int step) const {
    Picture made{20, 12, {}};
    for (int i = 0; i < 20 * 12 * 3; ++i) made.rgb.push_back(static_cast<uint8_t>(i * step % 256));
    const auto file = encode_pixels(made, PictureFormat::kPng);
    scratch.write(name, {reinterpret_cast<const char*>(file.data()), file.size()});
  }
  void prompts(const std::vector<json>& lines, const std::string& name = "in/p.jsonl") const {
    std::string text;
    for (const json& line : lines) text += line.dump() + "\n";
    scratch.write(name, text);
  }
  Outcome run(std::vector<std::string> words, const std::string& model = "toy-hf") const {
    words.insert(words.end(), {"-t", "2"});
    const std::string directory = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/" + model;
    return run_bifrons(words,
                       {.directory = scratch.path(), .variables = {{"BIFRONS_MODEL", directory}}});
  }
  Outcome batch(const std::string& output, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"batch", "in/p.jsonl", "-o", output};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  // The same picture by `bifrons edit` or `bifrons generate`.
  std::vector<uint8_t> pixels_of(std::vector<std::string> words) const {
    words.insert(words.end(), {"-o", "one.png", "-q", "--overwrite"});
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return pixels("one.png");
  }
  std::vector<uint8_t> pixels(const std::string& name) const {
    const std::string file = scratch.read(name);
    return read_picture({reinterpret_cast<const uint8_t*>(file.data()), file.size()}).rgb;
  }
  json settings(const std::string& name) const {
    const std::string file = scratch.read(name);
    const std::span data(reinterpret_cast<const uint8_t*>(file.data()), file.size());
    return json::parse(read_picture_info(data).metadata.settings);
  }
  std::vector<json> manifest(const std::string& directory) const {
    return json_lines_of(scratch.read(directory + "/metadata.jsonl"));
  }

  const std::vector<json> kMixed = {
      {{"prompt", "a cat"}, {"seed", 3}, {"id", "cat"}},
      {{"prompt", "make it red"}, {"seed", 7}, {"id", "red"}, {"image", "car.png"}},
      {{"prompt", "make it red"}, {"seed", 7}, {"id", "boat"}, {"image", "boat.png"}, {"cfg", 3}},
      {{"prompt", "a hat"},
       {"seed", 1},
       {"id", "hat"},
       {"image", "car.png"},
       {"edit_style", "janus-pro-r1"}},
      {{"prompt", "make it red"},
       {"seed", 7},
       {"id", "weak"},
       {"image", "car.png"},
       {"image_guidance", 1}},
      {{"prompt", "a hat"}, {"seed", 4}, {"id", "plain"}, {"image", nullptr}}};

  const TemporaryDirectory scratch;
};

TEST_F(CliBatchEdits, ArePicturesOfEditWhateverIsDrawnBesideThem) {
  prompts(kMixed);
  const std::map<std::string, std::vector<uint8_t>> alone = {
      {"cat", pixels_of({"generate", "a cat", "-s", "3"})},
      {"red", pixels_of({"edit", "in/car.png", "make it red", "-s", "7"})},
      {"boat", pixels_of({"edit", "in/boat.png", "make it red", "-s", "7", "--cfg", "3"})},
      {"hat", pixels_of({"edit", "in/car.png", "a hat", "-s", "1", "--style", "janus-pro-r1"})},
      {"weak",
       pixels_of({"edit", "in/car.png", "make it red", "-s", "7", "--image-guidance", "1"})},
      {"plain", pixels_of({"generate", "a hat", "-s", "4"})}};
  EXPECT_NE(alone.at("red"), alone.at("boat"));
  const std::vector<std::vector<std::string>> ways = {
      {"--batch", "1", "--speculate", "off"}, {"--batch", "4"}, {"--devices", "cpu,cpu"}};
  for (size_t i = 0; i < ways.size(); ++i) {
    const std::string out = "out" + std::to_string(i);
    const Outcome outcome = batch(out, ways[i]);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    for (const auto& [id, rgb] : alone) EXPECT_EQ(pixels(out + "/" + id + ".png"), rgb) << id;
  }
}

TEST_F(CliBatchEdits, SayWhatWasChanged) {
  prompts(kMixed);
  const Outcome outcome = batch("out", {"--gallery"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("is not known as a model that edits"), std::string::npos);
  const std::string sha = sha256(scratch.read("in/car.png"));
  for (const json& line : manifest("out")) {
    const std::string id = line["id"];
    ASSERT_EQ(line.contains("edit"), id != "cat" && id != "plain") << id;
    EXPECT_FALSE(line.contains("original_image")) << id;
    if (id == "weak") {
      EXPECT_EQ(line["edit"], (json{{"image", "../in/car.png"},
                                    {"sha256", sha},
                                    {"style", "janus-4o"},
                                    {"image_guidance", 1.0},
                                    {"apply_orientation", false}}));
    }
    if (id == "hat") {
      EXPECT_TRUE(line["edit"]["image_guidance"].is_null());
    }
  }
  const json record = settings("out/weak.png")["edit"];
  EXPECT_EQ(record, (json{{"picture", "car.png"},
                          {"sha256", sha},
                          {"style", "janus-4o"},
                          {"image_guidance", 1.0}}));
  EXPECT_FALSE(settings("out/cat.png").contains("edit"));
  const std::string page = scratch.read("out/index.html");
  EXPECT_NE(page.find("bifrons edit "), std::string::npos);

  // The record is what --like takes, with style and weight.
  for (const char* name : {"weak", "hat"}) {
    const std::string picture = std::string("out/") + name + ".png";
    const std::string words = std::string(name) == "hat" ? "a hat" : "make it red";
    EXPECT_EQ(pixels_of({"edit", "in/car.png", words, "--like", picture}), pixels(picture)) << name;
  }
  const Outcome other =
      run({"edit", "in/boat.png", "make it red", "--like", "out/weak.png", "-o", "other.png"});
  EXPECT_NE(other.err.find("was made from another picture"), std::string::npos) << other.err;
  EXPECT_EQ(run({"generate", "--like", "out/weak.png", "-o", "no.png"}).exit_code, 65);
}

TEST_F(CliBatchEdits, GoOnAndSeeAnotherPictureUnderTheOldName) {
  prompts(kMixed);
  ASSERT_EQ(batch("out").exit_code, 0);
  const Outcome again = batch("out");
  EXPECT_EQ(again.out, "") << again.out;
  // From the manifest, in another directory.
  const Outcome renewed = run({"batch", "out/metadata.jsonl", "-o", "deep/again"});
  ASSERT_EQ(renewed.exit_code, 0) << renewed.err;
  for (const json& line : kMixed) {
    const std::string name = "/" + line["id"].get<std::string>() + ".png";
    EXPECT_EQ(pixels("deep/again" + name), pixels("out" + name)) << name;
  }
  paint("in/car.png", 91);
  const Outcome changed = batch("out");
  EXPECT_EQ(changed.exit_code, 0) << changed.err;
  EXPECT_EQ(std::count(changed.out.begin(), changed.out.end(), '\n'), 3) << changed.out;
  EXPECT_NE(changed.err.find("3 were changed"), std::string::npos) << changed.err;
}

TEST_F(CliBatchEdits, ShardsTogetherAreTheWhole) {
  prompts(kMixed);
  ASSERT_EQ(batch("whole").exit_code, 0);
  ASSERT_EQ(batch("parts", {"--shard", "0/2"}).exit_code, 0);
  ASSERT_EQ(batch("parts", {"--shard", "1/2"}).exit_code, 0);
  for (const json& line : kMixed) {
    const std::string name = "/" + line["id"].get<std::string>() + ".png";
    EXPECT_EQ(scratch.read("parts" + name), scratch.read("whole" + name)) << name;
  }
}

// One instruction for two pictures keeps its seed; two equal lines do not.
TEST_F(CliBatchEdits, SeedsAreCountedForEachPicture) {
  prompts({{{"prompt", "a hat"}, {"image", "car.png"}},
           {{"prompt", "a hat"}, {"image", "boat.png"}},
           {{"prompt", "a hat"}, {"image", "car.png"}}});
  ASSERT_EQ(batch("out").exit_code, 0);
  std::multiset<uint64_t> seeds;
  std::set<std::string> names;
  for (const json& line : manifest("out")) {
    seeds.insert(line["seed"].get<uint64_t>());
    names.insert(line["file_name"]);
  }
  EXPECT_EQ(names.size(), 3u);
  EXPECT_EQ(seeds.count(*seeds.begin()), 2u);
  EXPECT_EQ(*seeds.rbegin(), *seeds.begin() + 1);
}

TEST_F(CliBatchEdits, TheBestOfSeveral) {
  prompts({kMixed[1], kMixed[0]});
  const Outcome outcome = batch("out", {"--best-of", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(pixels("out/red.png"),
            pixels_of({"edit", "in/car.png", "make it red", "-s", "7", "--best-of", "2"}));
}

// The same sentences in a dry run, in a run and with --strict.
TEST_F(CliBatchEdits, BadPicturesAreBadLines) {
  scratch.write("in/text.png", "no picture");
  const std::vector<std::pair<json, std::string>> bad = {
      {{{"image", "none.png"}}, "image names the picture to change: cannot open \"in/none.png\""},
      {{{"image", "."}}, "is a directory, not a regular file"},
      {{{"image", "text.png"}}, "in/text.png"},
      {{{"image", 7}}, "image is a number, not the path of a picture to change"},
      {{{"image", "car.png"}, {"edit_style", "janus"}},
       "there is no style \"janus\"; there are janus-4o, janus-pro-r1"},
      {{{"image", "car.png"}, {"edit_style", "janus-pro-r1"}, {"image_guidance", 2}},
       "image_guidance needs a style with three rows; janus-pro-r1 has two"},
      {{{"image", "car.png"}, {"image_guidance", 101}},
       "image guidance must be a number from 0 to 100, not 101"},
      {{{"image", "car.png"}, {"apply_orientation", 1}}, "apply_orientation is a number, not"},
      {{{"image", "car.png"}, {"negative_prompt", "blue"}}, "a negative prompt has no place in an"},
      {{{"image", "car.png"}, {"prompt", std::string(4000, '.')}}, "this model takes at most"}};
  std::vector<json> lines = {kMixed[1]};
  for (const auto& [line, sentence] : bad) {
    lines.push_back({{"prompt", "a hat"}});
    lines.back().update(line);
  }
  prompts(lines);
  for (const std::string way : {"--dry-run", "--strict", "--no-metadata"}) {
    const Outcome outcome = batch("out", {way});
    EXPECT_EQ(outcome.exit_code, way == "--strict" ? 65 : 3) << outcome.err;
    for (size_t i = 0; i < bad.size(); ++i) {
      const std::string place = "in/p.jsonl:" + std::to_string(i + 2) + ": ";
      const size_t at = outcome.err.find(place);
      ASSERT_NE(at, std::string::npos) << place << " of\n" << outcome.err;
      const std::string said = outcome.err.substr(at, outcome.err.find('\n', at) - at);
      EXPECT_NE(said.find(bad[i].second), std::string::npos) << way << " " << said;
    }
    EXPECT_EQ(outcome.err.find("in/p.jsonl:1:"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(manifest("out").size(), 1u);
}

TEST_F(CliBatchEdits, AModelThatCannotAndThoughtsAreRefused) {
  prompts({kMixed[1], kMixed[0]});
  for (const auto& [model, sentence] : {std::pair{"toy-sees", "this model has no encoder"},
                                        {"toy-f32", "this model has no encoder"}}) {
    const Outcome outcome = run({"batch", "in/p.jsonl", "-o", std::string("out-") + model}, model);
    EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
    EXPECT_NE(outcome.err.find(std::string("in/p.jsonl:1: ")), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
    EXPECT_EQ(manifest(std::string("out-") + model).size(), 1u);
  }
  const Outcome thinks =
      batch("thinks", {"--think=reasongen-r1", "--think-max-tokens", "5", "--jsonl"});
  EXPECT_EQ(thinks.exit_code, 3);
  EXPECT_NE(thinks.err.find("in/p.jsonl:1: --think has no place in an edit"), std::string::npos)
      << thinks.err;
}

// In tables the column is what it was before: foreign.
TEST_F(CliBatchEdits, ATableMayHaveAnImageOfItsOwn) {
  scratch.write("in/p.csv", "prompt,image\na cat,photo_7.jpg\n");
  ASSERT_EQ(run({"batch", "in/p.csv", "-o", "out"}).exit_code, 0);
  EXPECT_EQ(manifest("out")[0]["original_image"], "photo_7.jpg");
}

TEST_F(CliBatchEdits, ADryRunPlansForThem) {
  prompts(kMixed);
  const json edits = json::parse(batch("out", {"--dry-run", "--jsonl", "--batch", "1"}).out);
  prompts({kMixed[0]});
  const json plain = json::parse(batch("out", {"--dry-run", "--jsonl", "--batch", "1"}).out);
  EXPECT_TRUE(edits["memory"]["items"].contains("visual tokenizer, encoder"));
  EXPECT_TRUE(edits["memory"]["items"].contains("vision tower, aligner, text head"));
  EXPECT_GT(edits["memory"]["items"]["keys and values"].get<int64_t>(),
            plain["memory"]["items"]["keys and values"].get<int64_t>());
  EXPECT_FALSE(plain["memory"]["items"].contains("visual tokenizer, encoder"));
}

// A limit that plain pictures keep makes bad lines of edits, in every way, and ends nothing.
TEST_F(CliBatchEdits, BeyondALimitOfMemoryAreBadLines) {
  const std::string model = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/toy-hf";
  const json memory = json::parse(run_bifrons({"inspect", "-m", model, "--json"}).out)["memory"];
  const int64_t edit = memory["bytes_of_edit"];
  ASSERT_GT(edit, memory["bytes"].get<int64_t>());
  const std::string limit = fmt::format("{:.9f}", static_cast<double>(edit - 1) / 1e9);
  prompts({kMixed[0], kMixed[1], {{"prompt", "a hat"}, {"seed", 1}, {"id", "last"}}});
  for (const std::string way : {"--dry-run", "--strict", "--no-metadata"}) {
    const Outcome outcome =
        batch("out", {way, "--batch", "1", "--kv", "stored", "--max-memory", limit});
    EXPECT_EQ(outcome.exit_code, way == "--strict" ? 65 : 3) << outcome.err;
    EXPECT_NE(outcome.err.find("in/p.jsonl:2: --max-memory allows"), std::string::npos)
        << outcome.err;
  }
  EXPECT_EQ(manifest("out").size(), 2u);
}

}  // namespace
}  // namespace bifrons::testing
