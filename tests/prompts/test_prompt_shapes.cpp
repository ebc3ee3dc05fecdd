// Prompt files as spreadsheets, scripts and word processors write them.
#include <gtest/gtest.h>

#include <random>

#include "kernels/error.h"
#include "tests/support/byte_streams.h"

namespace bifrons::testing {
namespace {

std::vector<std::string> prompts_of(const Everything& all) {
  std::vector<std::string> prompts;
  for (const PromptLine& line : all.lines) prompts.push_back(*line.prompt);
  return prompts;
}

Everything read_commented(std::string text, PromptFormat format, bool comments) {
  Everything all;
  PromptReader reader(
      stream_of(std::move(text)), format,
      [&all](const std::string& warning) { all.warnings.push_back(warning); }, "p", {}, comments);
  while (auto line = reader.next()) {
    if (auto* bad = std::get_if<BadLine>(&*line)) all.bad.push_back(*bad);
    if (auto* good = std::get_if<PromptLine>(&*line)) all.lines.push_back(*good);
  }
  return all;
}

TEST(SpreadsheetTables, OtherSeparators) {
  for (const std::string file :
       {"id;prompt;cfg\nr1;a red car, at night;4,5\n",
        "sep=;\nid;prompt;cfg\nr1;a red car, at night;4.5\n",
        "SEP=;\r\nid;prompt;cfg\r\nr1;\"a red car, at night\";4.5\r\n",
        "\xef\xbb\xbfsep=;\nid; prompt ;cfg\nr1;a red car, at night; 4,5\n",
        "\"sep=;\"\nid;prompt;cfg\nr1;a red car, at night;4.5\n",
        "sep=,\nid,prompt,cfg\nr1,\"a red car, at night\",4.5\n",
        "sep=\t\nid\tprompt\tcfg\nr1\ta red car, at night\t4.5\n",
        "id|prompt|cfg\nr1|a red car, at night|4.5\n",
        "id\tprompt\tcfg\nr1\ta red car, at night\t4.5\n"}) {
    const auto all = read_all(file, PromptFormat::kCsv, 3);
    ASSERT_TRUE(all.bad.empty()) << file << all.bad[0].reason;
    ASSERT_EQ(all.lines.size(), 1u) << file;
    EXPECT_EQ(all.lines[0].id, "r1") << file;
    EXPECT_EQ(all.lines[0].prompt, "a red car, at night") << file;
    EXPECT_EQ(all.lines[0].guidance, 4.5) << file;
  }
  const auto all = read_all("prompt;seed\na;1,000\nb;7,0\n", PromptFormat::kCsv);
  EXPECT_EQ(all.bad.at(0).number, 2);  // ambiguous: a thousand or one
  EXPECT_EQ(all.lines.at(0).seed, 7u);
  EXPECT_THROW(read_all("sep=x\nprompt\na\n", PromptFormat::kCsv), Error);
}

TEST(SpreadsheetTables, ASemicolonInATableOfCommasIsText) {
  const auto all = read_all("prompt,note\na; b,c;d\n", PromptFormat::kCsv);
  EXPECT_EQ(all.lines.at(0).prompt, "a; b");
  EXPECT_EQ(read_all("prompt\na; b\n", PromptFormat::kCsv).lines.at(0).prompt, "a; b");
}

TEST(SpreadsheetTables, HeaderNamesAreTrimmedAndMayBeMissing) {
  const auto all =
      read_all("\xc2\xa0prompt , seed,\ttag ,,\na red car, 3 ,x,,\n", PromptFormat::kCsv);
  ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
  EXPECT_EQ(all.lines.at(0).prompt, "a red car");
  EXPECT_EQ(all.lines.at(0).seed, 3u);
  EXPECT_EQ(all.lines.at(0).extras.at(0).first, "tag");
  EXPECT_EQ(all.lines.at(0).extras.size(), 2u);
}

TEST(MacintoshLineEnds, AreNamed) {
  for (const std::string file : {"a fox\ra cat\r", "a fox\ra cat", "prompt,seed\ra fox,3\r"}) {
    for (const PromptFormat format : {PromptFormat::kText, PromptFormat::kCsv}) {
      try {
        read_all(file, format, 4);
        ADD_FAILURE() << file;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("Macintosh"), std::string::npos) << error.what();
      }
    }
  }
  std::string large;
  for (int i = 0; i < 20000; ++i) large += "a red fox\r";
  EXPECT_THROW(read_all(large + "\n", PromptFormat::kText), Error);
  EXPECT_EQ(read_all("a fox\r", PromptFormat::kText).lines.at(0).prompt, "a fox");
  EXPECT_EQ(read_all("one\na\rb\n", PromptFormat::kText).bad.size(), 1u);
}

TEST(JsonArrays, EntriesAreTaken) {
  for (const PromptFormat format : {PromptFormat::kJson, PromptFormat::kJsonLines}) {
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{100000}}) {
      const auto all = read_all(
          "\xef\xbb\xbf [\r\n  \"a \\\"fox\\\" [1]\",\r\n  {\r\n    \"prompt\": \"a cat\",\r\n    "
          "\"seed\": 7,\n \"tags\": [1, {\"a\": \"]\"}]\n  }\n, {\"text\":\"a dog\"},\n]\n",
          format, piece);
      ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
      EXPECT_EQ(prompts_of(all), (std::vector<std::string>{"a \"fox\" [1]", "a cat", "a dog"}));
      EXPECT_EQ(all.lines[1].seed, 7u);
      EXPECT_EQ(all.lines[2].number, 3);
    }
  }
}

TEST(JsonArrays, OtherJsonFiles) {
  EXPECT_EQ(prompts_of(read_all("{\n \"prompt\": \"a\"\n}\n", PromptFormat::kJson)),
            std::vector<std::string>{"a"});
  EXPECT_EQ(
      prompts_of(read_all("{\"prompt\":\"a\"}\n{\"prompt\":\"b\"} \"c\"", PromptFormat::kJson)),
      (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(prompts_of(read_all("[\"a\"]\n{\"prompt\":\"b\"}\n", PromptFormat::kJsonLines)),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(read_all(" \n", PromptFormat::kJson).bad.empty());
  const auto lines = read_all("\n \n{\n{\"prompt\":\"a\"}\n", PromptFormat::kJsonLines, 1);
  EXPECT_EQ(lines.bad.at(0).number, 3);
  EXPECT_EQ(lines.lines.at(0).number, 4);
}

TEST(JsonArrays, HostileOnesEndInSentences) {
  const std::string deep = "[" + std::string(200000, '[') + "]";
  const std::vector<std::string> hostile{"[",
                                         "[]",
                                         "[\"a\"",
                                         "[\"open",
                                         "[{\"prompt\":\"a\"",
                                         "[7]",
                                         "[null]",
                                         "[\"\"]",
                                         "[\"a\" \"b\"]",
                                         "[,]",
                                         "]",
                                         "[[\"a\"]]",
                                         "[{\"promt\":\"a\"}]",
                                         "[\"a\\u0000\"]",
                                         "[\"\x01\"]",
                                         "[\"\xff\"]",
                                         "[\"a\nb\"]",
                                         "[tru]",
                                         deep,
                                         "[\"" + std::string(70000, 'a') + "\"]"};
  for (const std::string& file : hostile) {
    const auto all = read_all(file, PromptFormat::kJson, 5000);
    EXPECT_GE(all.bad.size(), 1u) << file.substr(0, 40);
    for (const BadLine& bad : all.bad) EXPECT_FALSE(bad.reason.empty());
  }
  const auto spoiled =
      read_all("[\"a\", {\"prompt\":}, \"" + std::string(70000, 'x') + "\", \"b\"]",
               PromptFormat::kJson, 999);
  EXPECT_EQ(prompts_of(spoiled), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(spoiled.bad.at(1).number, 3);
}

TEST(JsonArrays, RandomBytesGiveEntriesOrReasons) {
  std::mt19937 random(5);
  const std::string alphabet = "[]{},:\"\\ \n\ra1\xff";
  for (int round = 0; round < 5000; ++round) {
    std::string text = "[";
    for (size_t n = random() % 60; n > 0; --n) text += alphabet[random() % alphabet.size()];
    for (const PromptFormat format : {PromptFormat::kJson, PromptFormat::kJsonLines}) {
      const auto all = read_all(text, format, 1 + random() % 50);
      EXPECT_GT(all.lines.size() + all.bad.size(), 0u) << text;
    }
  }
}

TEST(Comments, AreDrawnWithOneHintOrLeftOut) {
  const std::string text = "# one\n//two\n  # three\na fox\n#\n";
  const auto drawn = read_commented(text, PromptFormat::kText, false);
  EXPECT_EQ(drawn.lines.size(), 5u);
  ASSERT_EQ(drawn.warnings.size(), 1u);
  EXPECT_NE(drawn.warnings[0].find("--comments"), std::string::npos);
  const auto left = read_commented(text, PromptFormat::kText, true);
  EXPECT_EQ(prompts_of(left), std::vector<std::string>{"a fox"});
  EXPECT_EQ(left.lines.at(0).number, 4);
  EXPECT_TRUE(left.warnings.empty());
  EXPECT_EQ(read_commented("// x\n{\"prompt\":\"a\"}\n", PromptFormat::kJsonLines, true).bad.size(),
            0u);
  const auto table =
      read_commented("# made by hand\nprompt,n\n#x,1\n\"a\n# b\",2\n", PromptFormat::kCsv, true);
  EXPECT_EQ(prompts_of(table), std::vector<std::string>{"a\n# b"});
}

TEST(OptionsInLines, WithAnEqualsSign) {
  const auto all = read_all(
      "--prompt=\"a red car\" --seed=7\n--prompt=a red car --cfg-weight=3\na fox --negative="
      "blue = sky --top_k=4\na --seed=\na --seed\n",
      PromptFormat::kText);
  ASSERT_EQ(all.lines.size(), 3u);
  EXPECT_EQ(all.lines[0].prompt, "a red car");
  EXPECT_EQ(all.lines[0].seed, 7u);
  EXPECT_EQ(all.lines[1].prompt, "a red car");
  EXPECT_EQ(all.lines[1].guidance, 3);
  EXPECT_EQ(all.lines[2].negative_prompt, "blue = sky");
  EXPECT_EQ(all.lines[2].top_k, 4);
  EXPECT_EQ(all.bad.size(), 2u);
}

TEST(OptionsInLines, OtherDashesAreHintedAt) {
  for (const std::string line :
       {"\xe2\x80\x94prompt \"a red car\" \xe2\x80\x94seed 7", "a fox \xe2\x80\x93seed 7",
        "a fox \xe2\x80\x93\xe2\x80\x93"
        "cfg=7",
        "a fox \xe2\x88\x92n_iter 2", "\"a lamp on a desk\" -n2 -S7"}) {
    const auto all = read_all(line + "\n" + line + "\n", PromptFormat::kText);
    EXPECT_EQ(all.lines.size(), 2u) << line;
    EXPECT_EQ(all.warnings.size(), 1u) << line;
  }
  for (const std::string line : {"a red car \xe2\x80\x94 with a dash", "a \xe2\x80\x93nice fox",
                                 "a fox -2 degrees", "a -n fox", "size\xe2\x80\x93seed"}) {
    EXPECT_TRUE(read_all(line + "\n", PromptFormat::kText).warnings.empty()) << line;
  }
}

TEST(Captions, AllOfAFileIsOnePrompt) {
  const auto one = [](const std::string& text) {
    return read_all(text, PromptFormat::kCaption, 3);
  };
  EXPECT_EQ(one("\xef\xbb\xbf a red car,\r\nat night --seed 7\r\n\r\n").lines.at(0).prompt,
            "a red car,\nat night --seed 7");
  EXPECT_EQ(one("# a fox").lines.at(0).prompt, "# a fox");
  for (const std::string& bad :
       {std::string(), std::string(" \n"), std::string("a\0b", 3), std::string("\xff"),
        std::string("\xff\xfe"
                    "a"),
        std::string("a\rb"), std::string(70000, 'x')}) {
    const auto all = one(bad);
    EXPECT_EQ(all.bad.size(), 1u) << bad.substr(0, 9);
    EXPECT_TRUE(all.lines.empty());
  }
}

TEST(SeveralFiles, AreReadOneAfterTheOther) {
  std::vector<PromptFile> files;
  files.push_back({"a.txt", PromptFormat::kText, {}, stream_of("one\n--x y\n# c --steps 3\n")});
  files.push_back({"b.csv", PromptFormat::kCsv, {}, stream_of("prompt\ntwo\n")});
  files.push_back({"dir/c d.txt", PromptFormat::kCaption, "c-d", stream_of("three\n")});
  files.push_back({"gone.txt", PromptFormat::kCaption, "gone", stream_of(""), {}, "is not there"});
  files.push_back({"e.txt", PromptFormat::kText, {}, stream_of("# c --steps 3\n")});
  std::vector<std::string> seen, warnings;
  PromptReader reader(
      [&files, at = size_t{0}]() mutable -> std::optional<PromptFile> {
        return at < files.size() ? std::optional(std::move(files[at++])) : std::nullopt;
      },
      [&warnings](const std::string& warning) { warnings.push_back(warning); });
  while (auto line = reader.next()) {
    if (auto* bad = std::get_if<BadLine>(&*line)) {
      seen.push_back(bad->file + ":" + std::to_string(bad->number) + " bad");
    } else {
      const PromptLine& good = std::get<PromptLine>(*line);
      seen.push_back(good.file + ":" + std::to_string(good.number) + " " + good.id);
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a.txt:1 ", "a.txt:2 bad", "a.txt:3 ", "b.csv:2 ",
                                            "dir/c d.txt:1 c-d", "gone.txt:1 bad", "e.txt:1 "}));
  EXPECT_EQ(reader.bytes_read(), 55);
  ASSERT_EQ(warnings.size(), 2u);  // one for the comment, one for the steps
  EXPECT_TRUE(warnings[0].starts_with("a.txt: ")) << warnings[0];
}

}  // namespace
}  // namespace bifrons::testing
