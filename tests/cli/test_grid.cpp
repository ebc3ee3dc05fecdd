// Captions of a grid name the settings of its pictures. A grid that cannot be drawn is refused
// early.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tests/cli/batch_fixture.h"
#include "tools/bifrons/csv_list.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::testing {
namespace {

using namespace cli;

using nlohmann::json;

class CliGrid : public CliBatch {
 protected:
  Outcome grid(std::vector<std::string> more) const {
    std::vector<std::string> all = {"grid", "-m", toy_model(), "-t", "1", "-q", "--overwrite"};
    if (std::find(more.begin(), more.end(), "-o") == more.end()) {
      all.insert(all.end(), {"-o", "g.png"});
    }
    all.insert(all.end(), more.begin(), more.end());
    return run_bifrons(all, {.directory = scratch.path()});
  }
  json info(const std::string& file) const {
    return json::parse(run_bifrons({"info", "--json", file}, {.directory = scratch.path()}).out);
  }
  // Skips the test if no font is installed.
  json settings_of(const std::vector<std::string>& words) const {
    const Outcome outcome = grid(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? info("g.png")["settings"] : json();
  }
  void refuses(const std::vector<std::string>& words, const std::string& sentence, int code = 2) {
    std::filesystem::remove(scratch / "g.png");
    const Outcome outcome = grid(words);
    EXPECT_EQ(outcome.exit_code, code) << words[2] << outcome.err;
    EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(scratch / "g.png"));
  }
  Picture read(const std::string& file) const {
    const std::string bytes = scratch.read(file);
    return read_picture({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }

  void SetUp() override {
    CliBatch::SetUp();
    if (IsSkipped()) return;
    const Outcome first = grid({"a fox", "-x", "cfg=1"});
    if (lacks_a_font(first)) GTEST_SKIP() << first.err;
  }
};

// Position of a picture in the sheet, compared pixel by pixel; nothing if it is not there.
std::optional<std::pair<int64_t, int64_t>> place_of(const Picture& part, const Picture& sheet) {
  for (int64_t top = 0; top + part.height <= sheet.height; ++top) {
    for (int64_t left = 0; left + part.width <= sheet.width; ++left) {
      bool same = true;
      for (int64_t y = 0; y < part.height && same; ++y) {
        same = std::equal(part.rgb.begin() + y * part.width * 3,
                          part.rgb.begin() + (y + 1) * part.width * 3,
                          sheet.rgb.begin() + ((top + y) * sheet.width + left) * 3);
      }
      if (same) return std::pair(top, left);
    }
  }
  return std::nullopt;
}

TEST_F(CliGrid, CellsAreThePicturesThatTheirRecordDraws) {
  const json record = settings_of(
      {"a red fox", "-x", "words=red,\"blue, or \"\"red\"\"\"", "-y", "temperature=0.5,2"});
  ASSERT_EQ(record["cells"].size(), 4u);
  EXPECT_EQ(record["grid"]["columns"], (json{"red", "blue, or \"red\""}));
  EXPECT_EQ(record["grid"]["rows"], (json{"temp 0.5", "temp 2"}));
  const Picture sheet = read("g.png");
  std::pair<int64_t, int64_t> before = {-1, -1};
  for (size_t i = 0; i < 4; ++i) {
    const json& cell = record["cells"][i];
    EXPECT_EQ(cell["prompt"], i % 2 == 0 ? "a red fox" : "a blue, or \"red\" fox");
    EXPECT_EQ(cell["temperature"], i < 2 ? 0.5 : 2.0);
    const Outcome alone =
        run_bifrons({"generate", "-m", toy_model(), "-t", "1", "-q", "-y", "-o", "one.png", "-s",
                     record["seed"].dump(), "--temp", cell["temperature"].dump(), cell["prompt"]},
                    {.directory = scratch.path()});
    ASSERT_EQ(alone.exit_code, 0) << alone.err;
    const auto place = place_of(read("one.png"), sheet);
    ASSERT_TRUE(place.has_value()) << i;
    EXPECT_LT(before, *place) << i;
    before = *place;
  }
}

TEST_F(CliGrid, EveryCaptionSaysTheSettingOfItsCells) {
  struct Case {
    std::string axis, label, member;
  };
  for (const Case& each : std::vector<Case>{
           {"cfg=0.30000000000000004,3.0,1e1", "cfg", "cfg"},
           {"guidance=0..0.4+0.1", "cfg", "cfg"},
           {"temp=0.1..0.7+0.2, 9", "temp", "temperature"},
           {"top_k=5..9+2", "top-k", "top_k"},
           {"top-p=0.25,1", "top-p", "top_p"},
           {"seed=18446744073709551613..18446744073709551615+2,9007199254740993", "seed", "seed"},
           {"seed=-1,3", "seed", "seed"}}) {
    const json record = settings_of({"a fox", "-x", each.axis});
    const json& columns = record["grid"]["columns"];
    ASSERT_EQ(columns.size(), record["cells"].size()) << each.axis;
    ASSERT_GE(columns.size(), 2u) << each.axis;
    EXPECT_FALSE(record.contains(each.member)) << each.axis;
    for (size_t i = 0; i < columns.size(); ++i) {
      const json& value = record["cells"][i][each.member];
      const std::string caption = columns[i];
      ASSERT_TRUE(caption.starts_with(each.label + " ")) << caption;
      EXPECT_EQ(json::parse(caption.substr(each.label.size() + 1)).get<double>(),
                value.get<double>());
      if (value.is_number_integer()) {
        EXPECT_EQ(caption, each.label + " " + value.dump());
      }
    }
  }
}

TEST_F(CliGrid, TwoAxesOfWordsBothCount) {
  // Each axis inserts the word of the other one.
  const json record =
      settings_of({"a red fox and a fox", "-x", "words=red,fox", "-y", "words=fox,red"});
  std::vector<std::string> prompts;
  for (const json& cell : record["cells"]) prompts.push_back(cell["prompt"]);
  EXPECT_EQ(prompts, (std::vector<std::string>{"a red fox and a fox", "a fox fox and a fox",
                                               "a red red and a red", "a fox red and a red"}));
  EXPECT_EQ(settings_of({"a red fox", "-x", "words=red,"})["grid"]["columns"],
            (json{"red", "without red"}));
}

TEST_F(CliGrid, RefusesWhatCaptionsCouldNotSay) {
  refuses({"a fox", "-x", "cfg=1,2", "-y", "guidance=3"}, "both axes set cfg");
  refuses({"a fox", "-x", "temp=1", "-y", "temperature=2"}, "both axes set temp");
  refuses({"a fox", "-x", "seed=1", "-y", "seed=2"}, "both axes set seed");
  refuses({"a fox", "-x", "words=fox,cat", "-y", "words=fox,dog"}, "the same place");
  refuses({"a fox", "-x", "words=fox,cat", "-y", "words=ox,dog"}, "the same place");
  refuses({"a fox", "-x", "cfg=1,2", "-x", "seed=1,2"}, "--across");
  refuses({"a fox", "-x", "cfg=3,3"}, "twice");
  refuses({"a fox", "-x", "cfg=3,3.0"}, "twice");
  refuses({"a fox", "-x", "words=fox,cat,cat"}, "twice");
  refuses({"a fox", "-x", "words=fox,\"cat"}, "not closed");
  refuses({"a fox", "-x", "words=fox,\"cat\"s"}, "comma or nothing");
}

TEST_F(CliGrid, RefusesNumbersThatAreNone) {
  refuses({"a fox", "-x", "seed=18446744073709551616"}, "whole number");
  refuses({"a fox", "-x", "seed=18446744073709551615..18446744073709551616"}, "whole number");
  refuses({"a fox", "-x", "seed=-1..3"}, "whole number");
  refuses({"a fox", "-x", "seed=-2"}, "whole number");
  refuses({"a fox", "-x", "seed=1.5"}, "whole number");
  refuses({"a fox", "-x", "seed=3..1"}, "ranges");
  refuses({"a fox", "-x", "seed=1..3+0"}, "ranges");
  refuses({"a fox", "-x", "cfg=1..2+0"}, "ranges");
  refuses({"a fox", "-x", "temp=0..1e300"}, "temp takes a number from 0 to 100,");
  refuses({"a fox", "-x", "cfg=0..1e300+1e299"}, "cfg takes a number from 0 to 100,");
  refuses({"a fox", "-x", "cfg="}, "number");
  refuses({"a fox", "-x", "cfg=nan"}, "number");
  refuses({"a fox", "-x", "seed=0..18446744073709551615"}, "more than 100 values");
  refuses({"a fox", "-x", "seed=1..100", "-y", "cfg=1..11"}, "at most 1000");
  refuses({"a fox", "-x", "count=1,2"}, "an axis is");
}

TEST_F(CliGrid, OutputsThatCannotBeAreRefusedFirst) {
  for (const char* output : {"-", "dir/", "g", "g.gif"}) {
    const Outcome outcome = grid({"a fox", "-x", "cfg=1,2", "-o", output});
    EXPECT_EQ(outcome.exit_code, 2) << output << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  // Captions that are too large for a WebP.
  const std::string axis = "words=fox," + std::string(900, 'w') + "," + std::string(900, 'm');
  refuses({"a fox", "-x", axis, "-o", "g.webp"}, "pixels");
}

TEST_F(CliGrid, LikeTakesNoGrid) {
  ASSERT_EQ(grid({"a fox", "-x", "cfg=1,2"}).exit_code, 0);
  const Outcome like = run_bifrons({"generate", "-m", toy_model(), "--like", "g.png"},
                                   {.directory = scratch.path()});
  EXPECT_EQ(like.exit_code, 65);
  EXPECT_NE(like.err.find("this is a grid"), std::string::npos) << like.err;
  const std::string text = info("g.png")["parameters"];
  EXPECT_EQ(text.find("CFG scale"), std::string::npos) << text;
  EXPECT_NE(text.find("Across: \"cfg=1,2\""), std::string::npos) << text;
}

TEST_F(CliGrid, AFontOfTheUserIsData) {
  const std::string good = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
  std::ifstream file(good, std::ios::binary);
  if (!file) GTEST_SKIP() << "DejaVu Sans is not installed";
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(grid({"a fox", "-x", "cfg=1,2", "--font", good}).exit_code, 0);
  scratch.write("cut.ttf", whole.substr(0, whole.size() / 3));
  scratch.write("not.ttf", "no font");
  std::string loca = whole;  // table with the offsets of the glyphs
  const size_t entry = loca.find("loca");
  for (size_t i = 0; i < 4; ++i) loca[entry + 8 + i] = '\x7f';
  scratch.write("loca.ttf", loca);
  for (const char* bad : {"cut.ttf", "not.ttf", "loca.ttf", "/dev/zero", "."}) {
    refuses({"a fox", "-x", "cfg=1,2", "--font", bad}, bad, 65);
  }
  refuses({"a fox", "-x", "cfg=1,2", "--font", "none.ttf"}, "none.ttf", 66);
}

TEST(CsvList, QuotesHoldCommas) {
  using Values = std::vector<std::string>;
  EXPECT_EQ(split_csv("a,b"), (Values{"a", "b"}));
  EXPECT_EQ(split_csv(""), Values{""});
  EXPECT_EQ(split_csv("a,"), (Values{"a", ""}));
  EXPECT_EQ(split_csv("\"a,b\",c"), (Values{"a,b", "c"}));
  EXPECT_EQ(split_csv("\"\",\"\"\"\""), (Values{"", "\""}));
  EXPECT_EQ(split_csv("5\" wide, b"), (Values{"5\" wide", " b"}));
  for (const char* bad : {"\"", "a,\"b", "\"a\"b", "\"a\"\"", "\"a\" ,b"}) {
    EXPECT_THROW(split_csv(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace bifrons::testing
