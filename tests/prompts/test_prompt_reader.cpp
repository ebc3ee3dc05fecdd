// The three kinds of prompt files, as people and other programs write them.
#include <gtest/gtest.h>

#include <random>

#include "kernels/error.h"
#include "tests/support/byte_streams.h"

namespace bifrons::testing {
namespace {

TEST(TextPrompts, PlainLinesAreTakenLiterally) {
  const auto all =
      read_all("a fox\n\n  two  words \n# not a comment\na -- dash\nit's \"odd\" \\ --\n",
               PromptFormat::kText);
  ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
  ASSERT_EQ(all.lines.size(), 5u);
  EXPECT_EQ(all.lines[0].prompt, "a fox");
  EXPECT_EQ(all.lines[1].prompt, "two  words");
  EXPECT_EQ(all.lines[1].number, 3);
  EXPECT_EQ(all.lines[2].prompt, "# not a comment");
  EXPECT_EQ(all.lines[3].prompt, "a -- dash");
  EXPECT_EQ(all.lines[4].prompt, "it's \"odd\" \\ --");
}

TEST(TextPrompts, OptionsAsA1111WritesThem) {
  const auto all = read_all(
      "--prompt a red fox --negative_prompt blurry, dark --seed 7 --cfg_scale 4.5\n"
      "--prompt \"it's a fox\" --seed -1 --batch_size 2 --n_iter 3\n"
      "a blue car --seed 9 --temp 0.5 --top-k 40 --top_p 0.9 --count 4 --id car-1\n"
      "a cat's hat --SEED 3 --output hats/one.jpg\n",
      PromptFormat::kText);
  ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
  ASSERT_EQ(all.lines.size(), 4u);
  EXPECT_EQ(all.lines[0].prompt, "a red fox");
  EXPECT_EQ(all.lines[0].negative_prompt, "blurry, dark");
  EXPECT_EQ(all.lines[0].seed, 7u);
  EXPECT_EQ(all.lines[0].guidance, 4.5);
  EXPECT_EQ(all.lines[1].prompt, "it's a fox");
  EXPECT_FALSE(all.lines[1].seed);
  EXPECT_EQ(all.lines[1].count, 6);
  EXPECT_EQ(all.lines[2].prompt, "a blue car");
  EXPECT_EQ(all.lines[2].temperature, 0.5);
  EXPECT_EQ(all.lines[2].top_k, 40);
  EXPECT_EQ(all.lines[2].top_p, 0.9);
  EXPECT_EQ(all.lines[2].count, 4);
  EXPECT_EQ(all.lines[2].id, "car-1");
  EXPECT_EQ(all.lines[3].prompt, "a cat's hat");
  EXPECT_EQ(all.lines[3].seed, 3u);
  EXPECT_EQ(all.lines[3].output, "hats/one.jpg");
}

TEST(TextPrompts, SettingsWithoutMeaningAreSaidOnce) {
  const auto all =
      read_all("a --steps 20 --sampler_name Euler\nb --steps 30\n", PromptFormat::kText);
  EXPECT_TRUE(all.bad.empty());
  EXPECT_EQ(all.lines.size(), 2u);
  EXPECT_EQ(all.warnings.size(), 2u);
}

TEST(TextPrompts, BadLinesSayWhyAndTheRestIsRead) {
  const auto all = read_all(
      "--prompt \"open\n"
      "a fox --seed seven\n"
      "a fox --seeed 7\n"
      "a fox --seed\n"
      "a fox --prompt another\n"
      "--seed 5\n"
      "a fox --cfg 1e9\n"
      "a fox --count 0\n"
      "a fox --batch_size 1000 --n_iter 1000\n"
      "a fox --id ../x\n"
      "fine\n",
      PromptFormat::kText);
  ASSERT_EQ(all.bad.size(), 10u);
  EXPECT_EQ(all.bad[0].number, 1);
  EXPECT_NE(all.bad[2].reason.find("--seed?"), std::string::npos) << all.bad[2].reason;
  EXPECT_EQ(all.bad[9].number, 10);
  ASSERT_EQ(all.lines.size(), 1u);
  EXPECT_EQ(all.lines[0].number, 11);
}

TEST(JsonPrompts, KeysAliasesAndExtras) {
  const auto all = read_all(
      R"({"prompt":"a fox","seed":18446744073709551615,"n":2,"guidance_scale":4,"tag":"x","include":[{"class":"fox","count":1}]})"
      "\n"
      R"({"text":"a cat","seed":"12","temperature":0,"negative_prompt":null,"id":17})"
      "\n"
      R"({"caption":"ignored here","prompt":"a dog","top_k":5,"file_name":"d.png"})"
      "\n",
      PromptFormat::kJsonLines);
  ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
  ASSERT_EQ(all.lines.size(), 3u);
  EXPECT_EQ(all.lines[0].seed, 18446744073709551615u);
  EXPECT_EQ(all.lines[0].count, 2);
  EXPECT_EQ(all.lines[0].guidance, 4);
  ASSERT_EQ(all.lines[0].extras.size(), 2u);
  EXPECT_EQ(all.lines[0].extras[0], std::make_pair(std::string("tag"), std::string("\"x\"")));
  EXPECT_EQ(all.lines[0].extras[1].second, R"([{"class":"fox","count":1}])");
  EXPECT_EQ(all.lines[1].prompt, "a cat");
  EXPECT_EQ(all.lines[1].seed, 12u);
  EXPECT_EQ(all.lines[1].id, "17");
  EXPECT_FALSE(all.lines[1].negative_prompt);
  EXPECT_EQ(all.lines[2].prompt, "a dog");
  EXPECT_EQ(all.lines[2].extras[0].first, "caption");
}

TEST(JsonPrompts, NumbersInQuotes) {
  const auto all = read_all(
      R"({"prompt":"a","cfg":"5","temperature":"0.5","top_k":"40","top_p":"0.9","n":"3","seed":"7"})"
      "\n"
      R"({"prompt":"b","cfg":""})"
      "\n"
      R"({"prompt":"c","cfg":" 5"})"
      "\n",
      PromptFormat::kJsonLines);
  ASSERT_EQ(all.lines.size(), 1u);
  EXPECT_EQ(all.lines[0].guidance, 5);
  EXPECT_EQ(all.lines[0].temperature, 0.5);
  EXPECT_EQ(all.lines[0].top_k, 40);
  EXPECT_EQ(all.lines[0].top_p, 0.9);
  EXPECT_EQ(all.lines[0].count, 3);
  EXPECT_EQ(all.lines[0].seed, 7u);
  EXPECT_EQ(all.bad.size(), 2u);
}

// A real number cannot hold 2^53 + 1: it is read as 2^53, which is another seed than the user's.
TEST(JsonPrompts, SeedsThatLostDigitsAreRefused) {
  const auto all = read_all(R"({"prompt":"a","seed":9007199254740993.0})"
                            "\n"
                            R"({"prompt":"b","seed":1e16})"
                            "\n"
                            R"({"prompt":"c","seed":9007199254740991.0})"
                            "\n"
                            R"({"prompt":"d","seed":9007199254740993})"
                            "\n",
                            PromptFormat::kJsonLines);
  ASSERT_EQ(all.bad.size(), 2u);
  EXPECT_NE(all.bad[0].reason.find("too large to be exact"), std::string::npos);
  ASSERT_EQ(all.lines.size(), 2u);
  EXPECT_EQ(all.lines[0].seed, 9007199254740991u);
  EXPECT_EQ(all.lines[1].seed, 9007199254740993u);
}

TEST(JsonPrompts, TheOpenAiEnvelope) {
  const auto all = read_all(
      R"({"custom_id":"r-1","method":"POST","url":"/v1/images/generations","body":{"prompt":"a fox","n":3,"size":"384x384"}})"
      "\n"
      R"({"custom_id":"r-2","method":"POST","url":"/v1/chat/completions","body":{"prompt":"a fox"}})"
      "\n",
      PromptFormat::kJsonLines);
  ASSERT_EQ(all.lines.size(), 1u);
  EXPECT_EQ(all.lines[0].prompt, "a fox");
  EXPECT_EQ(all.lines[0].id, "r-1");
  EXPECT_EQ(all.lines[0].count, 3);
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_NE(all.bad[0].reason.find("/v1/chat/completions"), std::string::npos);
}

TEST(JsonPrompts, HostileLinesAreEachOneError) {
  std::string deep =
      R"({"prompt":"x","a":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
  const std::vector<std::string> hostile{"{",
                                         "[]",
                                         "null",
                                         "\"a fox\"",
                                         "{}",
                                         R"({"promt":"x"})",
                                         R"({"prompt":7})",
                                         R"({"prompt":"x","prompt":"y"})",
                                         R"({"prompt":"x","seed":1.5})",
                                         R"({"prompt":"x","seed":-2})",
                                         R"({"prompt":"x","seed":18446744073709551616})",
                                         R"({"prompt":"x","cfg":"five"})",
                                         R"({"prompt":"x","temperature":-1})",
                                         R"({"prompt":"x","top_p":0})",
                                         R"({"prompt":"x","id":"a/b"})",
                                         R"({"prompt":"x","id":"con"})",
                                         R"({"prompt":"x","id":"COM1.png"})",
                                         R"({"prompt":"x","id":".x"})",
                                         R"({"prompt":"x","id":"x."})",
                                         R"({"prompt":"x","id":""})",
                                         R"({"prompt":"x","output":"/etc/x"})",
                                         R"({"prompt":"x","output":"a/../b"})",
                                         R"({"prompt":"x","output":"a//b"})",
                                         R"({"prompt":"x","output":"a/b/c/d/e"})",
                                         R"({"prompt":""})",
                                         R"({"prompt":"  "})",
                                         R"({"prompt":"x","cfg":1,"guidance":2})",
                                         R"({"prompt":"x"} trailing)",
                                         deep,
                                         R"({"prompt":"x","cfg":1e999})"};
  for (const std::string& line : hostile) {
    const auto all = read_all(line + "\n{\"prompt\":\"fine\"}\n", PromptFormat::kJsonLines);
    EXPECT_EQ(all.bad.size(), 1u) << line.substr(0, 60);
    EXPECT_EQ(all.lines.size(), 1u) << line.substr(0, 60);
  }
  EXPECT_NE(read_all(R"({"promt":"x"})", PromptFormat::kJsonLines).bad[0].reason.find("promt"),
            std::string::npos);
}

TEST(TablePrompts, PartiPromptsAsPublished) {
  const auto all = read_all(
      "Prompt\tCategory\tChallenge\tNote\r\n"
      "bond\tAbstract\tBasic\tmeanings\r\n"
      "\"G I G G L E\" painted on a wall\tIllustrations\tWriting & Symbols\t\r\n"
      "\"all \"\"quoted\"\"\"\tx\r\n",
      PromptFormat::kTsv);
  ASSERT_TRUE(all.bad.empty()) << all.bad[0].reason;
  ASSERT_EQ(all.lines.size(), 3u);
  EXPECT_EQ(all.lines[0].prompt, "bond");
  EXPECT_EQ(all.lines[0].extras[0],
            std::make_pair(std::string("Category"), std::string("\"Abstract\"")));
  EXPECT_EQ(all.lines[1].prompt, "\"G I G G L E\" painted on a wall");
  EXPECT_EQ(all.lines[2].prompt, "all \"quoted\"");
  EXPECT_EQ(all.lines[2].extras[2].second, "\"\"");
}

TEST(TablePrompts, CsvAsSpreadsheetsWriteIt) {
  const auto all = read_all(
      "\xef\xbb\xbfID,Prompt,Seed,CFG Scale\r\n"
      "1,\"a fox, red\",7,4.5\r\n"
      "2,\"two\r\nlines\",,\r\n"
      "3,a \"bad\" quote,1,\r\n"
      "4,too,many,cells,here\r\n"
      "5,\"never closed,1,2\r\n",
      PromptFormat::kCsv);
  ASSERT_EQ(all.lines.size(), 2u);
  EXPECT_EQ(all.lines[0].prompt, "a fox, red");
  EXPECT_EQ(all.lines[0].seed, 7u);
  EXPECT_EQ(all.lines[0].guidance, 4.5);
  EXPECT_EQ(all.lines[1].prompt, "two\nlines");
  EXPECT_EQ(all.lines[1].id, "2");
  ASSERT_EQ(all.bad.size(), 3u);
  EXPECT_EQ(all.bad[0].number, 5);
  EXPECT_EQ(all.bad[2].number, 7);
}

TEST(TablePrompts, CsvRoundTrip) {
  std::mt19937 random(11);
  const std::string signs = "ab ,\"\n'\tx;";
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> prompts(1 + random() % 5);
    std::string file = "note,prompt\n";
    for (std::string& prompt : prompts) {
      prompt = "p";
      for (size_t n = random() % 12; n > 0; --n) prompt += signs[random() % signs.size()];
      std::string quoted;
      for (char c : prompt) quoted += c == '"' ? "\"\"" : std::string(1, c);
      file += "\"n,1\",\"" + quoted + "\"\n";
    }
    const auto all = read_all(file, PromptFormat::kCsv, 1 + random() % 9);
    ASSERT_TRUE(all.bad.empty()) << file << all.bad[0].reason;
    ASSERT_EQ(all.lines.size(), prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(all.lines[i].prompt, prompts[i]);
  }
}

TEST(TablePrompts, HeadersThatCannotBeUsed) {
  for (const std::string header :
       {"", "\n\n", "Category,Note\nx,y\n", "prompt,prompt\nx,y\n", "prompt,x,x\na,b,c\n",
        "prompt,seed,SEED\na,1,2\n", "\"open\nx\n"}) {
    EXPECT_THROW(read_all(header, PromptFormat::kCsv), Error) << header;
  }
}

// A reader is moved into a job stream. Its warnings must still arrive.
TEST(PromptFiles, MovedReadersWarn) {
  std::vector<std::string> warnings;
  auto reader = std::make_unique<PromptReader>(
      stream_of("a --steps 20\n"), PromptFormat::kText,
      [&warnings](const std::string& warning) { warnings.push_back(warning); });
  PromptReader moved(std::move(*reader));
  reader.reset();
  EXPECT_TRUE(moved.next());
  EXPECT_EQ(warnings.size(), 1u);
}

TEST(PromptFiles, FormatsByEnding) {
  EXPECT_EQ(prompt_format_of("a.TXT"), PromptFormat::kText);
  EXPECT_EQ(prompt_format_of("x/a.b.jsonl"), PromptFormat::kJsonLines);
  EXPECT_EQ(prompt_format_of("a.csv"), PromptFormat::kCsv);
  EXPECT_EQ(prompt_format_of("a.tsv"), PromptFormat::kTsv);
  EXPECT_FALSE(prompt_format_of("prompts"));
  EXPECT_EQ(prompt_format_of("a.json"), PromptFormat::kJson);
  EXPECT_FALSE(prompt_format_of("a.caption"));
}

// Every line is a prompt or an error with a reason, for all bytes.
TEST(PromptFiles, RandomBytesGiveLinesOrReasons) {
  std::mt19937 random(3);
  const std::string alphabet(
      "{}[]\",:\\--prompt seed=\n\n\r\t'|$_\0\xff\xc3\xa9"
      "12",
      36);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t n = random() % 120; n > 0; --n) text += alphabet[random() % alphabet.size()];
    for (const PromptFormat format :
         {PromptFormat::kText, PromptFormat::kJsonLines, PromptFormat::kCsv, PromptFormat::kTsv}) {
      try {
        const auto all = read_all(text, format, 1 + random() % 50);
        for (const PromptLine& line : all.lines) EXPECT_TRUE(line.prompt && !line.prompt->empty());
        for (const BadLine& bad : all.bad) EXPECT_FALSE(bad.reason.empty());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kData);
      }
    }
  }
}

// JSON escapes can give characters that no line may contain. Line ends within a prompt are text.
TEST(PromptFiles, ControlCharactersOfEscapesAreBadLinesToo) {
  const auto all = read_all(R"({"prompt":"a\u0000b"}
{"prompt":"a","negative_prompt":"b\u001bc"}
{"prompt":"a\u009bb"}
{"prompt":"\n\t"}
{"prompt":"a\nb\tc"}
)",
                            PromptFormat::kJsonLines);
  ASSERT_EQ(all.bad.size(), 4u);
  EXPECT_EQ(all.bad[0].reason, "the prompt holds a control character (0x00) at byte 1");
  EXPECT_EQ(all.bad[1].reason, "the negative prompt holds a control character (0x1b) at byte 1");
  EXPECT_EQ(all.bad[2].reason, "the prompt holds a control character (0x9b) at byte 1");
  EXPECT_EQ(all.bad[3].reason, "the prompt is empty");
  ASSERT_EQ(all.lines.size(), 1u);
  EXPECT_EQ(all.lines[0].prompt, "a\nb\tc");
  EXPECT_EQ(read_all("a --x\xc2\x9b 3\n", PromptFormat::kText).bad.at(0).reason,
            "a control character (0x9b) at byte 5 of the line");
}

TEST(PromptFiles, KeysOfTheManifestAreNotCopiedAndThatIsSaid) {
  const auto all =
      read_all(R"({"prompt":"a","index":4,"width":128,"tag":"t"})", PromptFormat::kJsonLines);
  ASSERT_EQ(all.warnings.size(), 1u);
  EXPECT_NE(all.warnings[0].find("\"index\""), std::string::npos);
  EXPECT_EQ(read_all("prompt,line\na,3\n", PromptFormat::kCsv).warnings.size(), 1u);
  // An unchanged manifest.
  const auto again = read_all(R"({"prompt":"a","index":4,"key":"k","crc32":"00000000"})",
                              PromptFormat::kJsonLines);
  EXPECT_TRUE(again.warnings.empty());
}

TEST(JsonPrompts, AnEnvelopeAsksByPost) {
  const std::string rest = R"("url":"/v1/images/generations","body":{"prompt":"a"}})";
  EXPECT_EQ(read_all(R"({"method":"POST",)" + rest, PromptFormat::kJsonLines).lines.size(), 1u);
  EXPECT_EQ(read_all("{" + rest, PromptFormat::kJsonLines).lines.size(), 1u);
  const auto other = read_all(R"({"method":"DELETE",)" + rest, PromptFormat::kJsonLines);
  EXPECT_NE(other.bad.at(0).reason.find("POST"), std::string::npos);
}

TEST(JsonPrompts, APictureToChange) {
  const auto all = read_all(
      R"({"prompt":"a","image":"in/car.png","image_guidance":2,"edit_style":"x","style":"foreign"}
{"prompt":"b","image":"car.png","apply_orientation":true}
{"prompt":"c","image":null,"edit_style":"foreign"}
{"prompt":"d","image":""}
{"prompt":"e","image":["car.png"]}
{"prompt":"f","image":"car.png","apply_orientation":1}
{"prompt":"g","image":"car.png","image_guidance":"much"}
{"prompt":"h","image":"a\u0007b"}
{"text":"i","seed":1,"edit":{"image":"../car.png","sha256":"0","style":"janus-pro-r1","image_guidance":null,"apply_orientation":false},"key":"0","crc32":"0"}
{"text":"j","seed":1,"edit":"a foreign column","key":"0","crc32":"0"}
)",
      PromptFormat::kJsonLines);
  ASSERT_EQ(all.lines.size(), 6u);
  ASSERT_EQ(all.bad.size(), 4u);
  const EditedImage& first = *all.lines[0].edit;
  EXPECT_EQ(first.image, "in/car.png");
  EXPECT_EQ(first.style, "x");
  EXPECT_EQ(first.image_guidance, 2.0);
  EXPECT_FALSE(first.apply_orientation);
  ASSERT_EQ(all.lines[0].extras.size(), 1u);
  EXPECT_EQ(all.lines[0].extras[0].first, "style");
  EXPECT_EQ(all.lines[1].edit->apply_orientation, true);
  EXPECT_FALSE(all.lines[2].edit);
  ASSERT_EQ(all.lines[2].extras.size(), 1u) << "foreign without a picture";
  EXPECT_EQ(all.lines[2].extras[0].first, "edit_style");
  EXPECT_FALSE(all.lines[3].edit);
  EXPECT_EQ(all.lines[4].edit->image, "../car.png");
  EXPECT_EQ(all.lines[4].edit->style, "janus-pro-r1");
  EXPECT_FALSE(all.lines[4].edit->image_guidance);
  EXPECT_FALSE(all.lines[5].edit);
  EXPECT_EQ(all.bad[0].reason, "image is an array, not the path of a picture to change");
  EXPECT_NE(all.bad[3].reason.find("control character (0x07)"), std::string::npos);
}

}  // namespace
}  // namespace bifrons::testing
