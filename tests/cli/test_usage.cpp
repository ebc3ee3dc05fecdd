// Wrong usage: refused arguments and their exit codes. These tests need no model.
#include <gtest/gtest.h>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

struct Refusal {
  std::vector<std::string> arguments;
  std::string says;  // part of the single line on stderr
};

class Usage : public ::testing::TestWithParam<Refusal> {};

TEST_P(Usage, IsRefusedInOneLineWithCode2) {
  const Outcome outcome = run_bifrons(GetParam().arguments);
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find(GetParam().says), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Cli, Usage,
    ::testing::Values(
        Refusal{{}, "bifrons --help"}, Refusal{{"generate"}, "no prompt"},
        Refusal{{"genrate"}, "did you mean 'generate'?"},
        Refusal{{"genrate", "a fox"}, "did you mean 'generate'?"},
        Refusal{{"-q", "genrate"}, "did you mean 'generate'?"},
        Refusal{{"-q", "doctor"}, "the command goes first: bifrons doctor"},
        Refusal{{"-q", "describe", "x.png"}, "the command goes first: bifrons describe"},
        Refusal{{"-q", "--", "x y", "-o", "z.png"}, "options go before it"},
        Refusal{{"a fox", "--best-of", "2", "--match-question", ""}, "--match-question"},
        Refusal{{"fox"}, "bifrons -p \"fox\""},
        Refusal{{"a", "fox", "in", "the", "snow"}, "goes in quotes"},
        Refusal{{"generate", "a fox", "b"}, "unexpected argument"},
        Refusal{{"a fox", "--sed", "1"}, "did you mean --seed?"},
        Refusal{{"--a prompt"}, "after -p or --"}, Refusal{{"a fox", "-p", "a cat"}, "given twice"},
        Refusal{{"a fox", "--seed", "-2"}, "--seed takes a whole number"},
        Refusal{{"a fox", "--seed", "18446744073709551616"}, "18446744073709551615"},
        Refusal{{"a fox", "--seed", "0x7"}, "--seed"},
        Refusal{{"a fox", "--seed", "7.0"}, "--seed"}, Refusal{{"a fox", "--seed", " 7"}, "--seed"},
        Refusal{{"a fox", "--seed", ""}, "--seed"}, Refusal{{"a fox", "--seed"}, "--seed"},
        Refusal{{"a fox", "--count", "0"}, "from 1 to"},
        Refusal{{"a fox", "--count", "10000"}, "from 1 to 9999"},
        Refusal{{"a fox", "--cfg", "nan"}, "--cfg takes a number from 0"},
        Refusal{{"a fox", "--cfg", "inf"}, "--cfg"}, Refusal{{"a fox", "--cfg", "1e400"}, "--cfg"},
        Refusal{{"a fox", "--cfg-scale", "5x"}, "--cfg"},
        Refusal{{"a fox", "--temp", "-1"}, "--temp"},
        Refusal{{"a fox", "--top-p", "2"}, "above 0 and up to 1"},
        Refusal{{"a fox", "--top-p", "0"}, "--top-p"},
        Refusal{{"a fox", "--top-k", "-1"}, "--top-k"},
        Refusal{{"a fox", "--threads", "many"}, "--threads"},
        Refusal{{"a fox", "--rope", "f16"}, "f32 or bf16"},
        Refusal{{"a fox", "--size", "big"}, "WIDTHxHEIGHT"},
        Refusal{{"a fox", "--size", "xx"}, "not \"xx\""},
        Refusal{{"a fox", "--size", "3x"}, "not \"3x\""}, Refusal{{"a fox", "-W", "0"}, "--width"},
        Refusal{{"a fox", "-o", "-", "--json"}, "both want stdout"},
        Refusal{{"a \xff fox"}, "not valid UTF-8 at byte 2"},
        Refusal{{"a fox", "-n", "\xc0\x80"}, "the negative prompt is not valid UTF-8"},
        Refusal{{"decode"}, "TOKENS is required"}, Refusal{{"info"}, "FILE is required"},
        Refusal{{"decode", "a", "b"}, "unexpected argument"},
        Refusal{{"BATCH", "x.txt"}, "did you mean 'batch'?"},
        Refusal{{"infp", "x.png"}, "did you mean 'info'?"},
        Refusal{{"hlep"}, "did you mean 'help'?"},
        Refusal{{"--batch", "x.txt", "-o", "y"}, "a command has no dashes: bifrons batch"},
        Refusal{{"help", "genrate"}, "did you mean 'generate'?"},
        Refusal{{"help", "generate", "x"}, "no help about \"x\""},
        Refusal{{"grid", "a fox", "-x", "cfg=1,,2", "-o", "x.png"}, "cfg has an empty value"},
        Refusal{{"describe", "x.png", "--stop", ""}, "--stop takes a text"},
        Refusal{{"completion", "csh"}, "bash, zsh and fish"},
        Refusal{{"tokenize", "\xed\xa0\x80"}, "not valid UTF-8"}));

// Every option with a value in every command, except texts.
TEST(Cli, EmptyValuesAreSaidToBeEmpty) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> commands = {
      {"generate", {"--seed",   "--cfg",  "--guidance",   "--temp",    "--top-k",
                    "--top-p",  "--rope", "--count",      "--best-of", "--width",
                    "--height", "--size", "--threads",    "--device",  "--model",
                    "--output", "--like", "--tokens-out", "-s",        "-c",
                    "-o",       "-m",     "-t",           "-W",        "-H"}},
      {"batch",
       {"--seed", "--cfg", "--temp", "--top-k", "--top-p", "--rope", "--count", "--best-of",
        "--format", "--wildcards", "--resume", "--save-as", "--progress", "--batch", "--shard",
        "--devices", "--threads", "--model", "--output"}},
      {"grid", {"-x", "-y", "--across", "--down", "--font", "--batch", "--device", "--output"}},
      {"vary", {"--keep-rows", "--mask", "--strength", "--like"}},
      {"ask", {"--temp", "--top-k", "--top-p", "--seed", "--max-tokens", "--image"}},
      {"merge", {"--output"}},
      {"encode", {"--output", "--model", "--device"}}};
  for (const auto& [command, options] : commands) {
    for (const std::string& option : options) {
      std::vector<std::vector<std::string>> ways = {{command, option, "", "x"}};
      if (option.starts_with("--")) ways.push_back({command, option + "=", "x"});
      for (const std::vector<std::string>& words : ways) {
        const Outcome outcome = run_bifrons(words);
        EXPECT_EQ(outcome.exit_code, 2) << command << " " << option;
        EXPECT_NE(outcome.err.find(option + " was given an empty value"), std::string::npos)
            << command << " " << option << ": " << outcome.err;
      }
    }
  }
}

TEST(Cli, AMissingValueIsRefusedWithWhatTheOptionTakes) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"generate", "a fox", "--speculate"},
       "nothing comes after --speculate; write --speculate N. Speculative decoding: auto "
       "(default), "
       "off, or"},
      {{"a fox", "--rope"}, "nothing comes after --rope; write --rope NAME. "},
      {{"a fox", "--cfg", "3", "-s"}, "nothing comes after -s; write -s NUMBER. "},
      {{"a fox", "-qo"}, "nothing comes after -o; write -o FILE. "},
      {{"a fox", "--cfg-weight"}, "nothing comes after --cfg-weight; write --cfg-weight TEXT\n"},
      {{"grid", "a fox", "-x"}, "nothing comes after -x; write -x AXIS. "},
      {{"bench", "--only"},
       "nothing comes after --only; write --only TEXT. Measure only these: decode, "},
      {{"bench", "batch", "--pictures"}, "nothing comes after --pictures; write --pictures INT. "}};
  for (const auto& [words, sentence] : cases) {
    const Outcome outcome = run_bifrons(words);
    EXPECT_EQ(outcome.exit_code, 2) << sentence;
    EXPECT_TRUE(outcome.err.starts_with("bifrons: " + sentence)) << outcome.err;
  }
}

// A text, a file or a directory takes every word, so a forgotten value would swallow an option.
TEST(Cli, AnOptionIsNoValue) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"batch", "s.jsonl", "-o", "--dry-run"},
       "-o lacks its value: \"--dry-run\" is read as an option; if it is the value, write "
       "--output=--dry-run\n"},
      {{"pull", "owner/x", "--local-dir", "--dry-run"}, "--local-dir lacks its value: "},
      {{"generate", "a fox", "-n", "--json"}, "-n lacks its value: "},
      {{"generate", "a fox", "--tokens-out", "-q"}, "--tokens-out lacks its value: \"-q\""},
      {{"generate", "a fox", "--tokens-out", "-qy"}, "--tokens-out lacks its value: \"-qy\""},
      {{"generate", "a fox", "-qo", "-s", "3"}, "-o lacks its value: \"-s\""},
      {{"a fox", "-p", "--seed=3"}, "-p lacks its value: "},
      {{"a fox", "-n", "--jsn", "-q"}, "-n lacks its value: \"--jsn\""},
      {{"a fox", "--cfg", "--json"}, "--cfg lacks its value: "},
      {{"a fox", "-o", "--", "a"}, "-o lacks its value: \"--\""},
      {{"grid", "a fox", "-x", "-q"},
       "-x lacks its value: \"-q\" is read as an option; if it is the value, write --across=-q\n"}};
  for (const auto& [words, sentence] : cases) {
    const Outcome outcome = run_bifrons(words);
    EXPECT_EQ(outcome.exit_code, 2) << sentence;
    EXPECT_TRUE(outcome.err.starts_with("bifrons: " + sentence)) << outcome.err;
  }
}

// What is missing or wrong may be so because of an option that does not exist.
TEST(Cli, UnknownOptionsAreSaidFirst) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"encode", "f.png", "--speculate", "4"},
        {"encode", "--speculate", "4"},
        {"a fox", "--cfg", "x", "--speculat", "4"},
        {"bench", "batch", "--pictures", "x", "--speculat"}}) {
    const Outcome outcome = run_bifrons(words);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(outcome.err.starts_with("bifrons: unknown option \"--speculat")) << outcome.err;
  }
}

TEST(Cli, SizesThatDifferAreRefused) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--size", "128x128", "-W", "64"},
        {"-W", "64", "--size", "128x128"},
        {"--size", "128x128", "--height", "64"},
        {"-W", "64", "--width", "128"},
        {"-H", "64", "--height", "64"}}) {
    std::vector<std::string> all = {"a fox", "-m", "/nowhere"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = run_bifrons(all);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find("give one of them"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(run_bifrons({"a fox", "-m", "/nowhere", "-W", "64", "--size", "64x64"}).exit_code, 66);
}

// The value of an option is never read as another option, and a text may be empty.
TEST(Cli, EmptyTextsAreTexts) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--prompt=--seed="},
                                                {"--prompt="},
                                                {"--prompt=", "--seed=1"},
                                                {"-p", "", "--negative-prompt="},
                                                {"a fox", "-qo", "x.png"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"-m", "/nowhere"});
    const Outcome outcome = run_bifrons(all);
    EXPECT_EQ(outcome.exit_code, 66) << outcome.err;
  }
}

// Limits of double and invalid numbers, in every option that takes a number.
TEST(Cli, OddNumbersAreTheSameEverywhere) {
  const std::vector<std::string> wrong = {"nan", "inf", "-inf", "1e400", "0x1p3", " 5", "5 ",
                                          "+5",  "5,0", "five", "-1",    "1e",    "--5"};
  const std::vector<std::string> zero = {"-0", "0", "1e-400", "4.9e-324"};
  for (const std::string option : {"--cfg", "--temp", "--top-p"}) {
    for (const std::string& text : wrong) {
      const Outcome outcome = run_bifrons({"a fox", option, text, "-m", "/nowhere"});
      EXPECT_EQ(outcome.exit_code, 2) << option << " " << text;
      EXPECT_NE(outcome.err.find(option + " takes a number"), std::string::npos) << outcome.err;
    }
    for (const std::string& text : zero) {
      const bool tiny = text == "4.9e-324";  // greater than zero
      const Outcome outcome = run_bifrons({"a fox", option, text, "-m", "/nowhere"});
      EXPECT_EQ(outcome.exit_code, option == "--top-p" && !tiny ? 2 : 66) << option << " " << text;
    }
  }
  for (const std::string option : {"--seed", "--top-k", "--count", "--threads", "--best-of"}) {
    for (const std::string& text : wrong) {
      if (option == "--seed" && text == "-1") continue;  // has its own meaning in other commands
      const Outcome outcome = run_bifrons({"a fox", option, text, "-m", "/nowhere"});
      EXPECT_EQ(outcome.exit_code, 2) << option << " " << text;
    }
  }
}

TEST(Cli, EnvironmentIsCheckedLikeFlags) {
  const Outcome outcome = run_bifrons({"a fox"}, {.variables = {{"BIFRONS_THREADS", "two"}}});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("BIFRONS_THREADS"), std::string::npos) << outcome.err;
}

TEST(Cli, MissingModelIsExplained) {
  const Outcome outcome = run_bifrons({"-m", "/nowhere/model", "a fox"});
  EXPECT_EQ(outcome.exit_code, 66);
  EXPECT_NE(outcome.err.find("\"/nowhere/model\" (no such directory)"), std::string::npos);
  EXPECT_NE(outcome.err.find("-m /path/to/Janus-Pro"), std::string::npos);
  const Outcome other = run_bifrons({"a fox"}, {.variables = {{"BIFRONS_MODEL", "/nowhere"}}});
  EXPECT_EQ(other.exit_code, 66);
}

TEST(Cli, ModelThatIsAFileIsMissing) {
  const TemporaryDirectory scratch;
  scratch.write("weights", "");
  const Outcome outcome = run_bifrons({"-m", (scratch / "weights").string(), "a fox"});
  EXPECT_EQ(outcome.exit_code, 66);
  EXPECT_NE(outcome.err.find("a file, where a model's directory is needed"), std::string::npos)
      << outcome.err;
}

TEST(Cli, EmptyModelDirectoryIsAnError) {
  const TemporaryDirectory scratch;
  for (const std::string command : {"inspect", "doctor"}) {
    const Outcome outcome =
        run_bifrons({command, "-m", scratch.path().string()}, {.directory = scratch.path()});
    EXPECT_TRUE(outcome.exit_code == 65 || outcome.exit_code == 66) << command << outcome.err;
  }
  const Outcome tokenize = run_bifrons({"tokenize", "-m", scratch.path().string(), "a fox"});
  EXPECT_TRUE(tokenize.exit_code == 65 || tokenize.exit_code == 66) << tokenize.err;
}

TEST(Cli, HelpAndVersionGoToStdout) {
  for (const std::string flag : {"--help", "-h"}) {
    const Outcome outcome = run_bifrons({flag});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.out.find("generate"), std::string::npos);
    EXPECT_EQ(outcome.err, "");
  }
  const Outcome generate = run_bifrons({"generate", "--help"});
  EXPECT_NE(generate.out.find("--negative-prompt"), std::string::npos);
  const Outcome version = run_bifrons({"--version"});
  EXPECT_EQ(version.out.substr(0, 8), "bifrons ");
  EXPECT_EQ(version.out.find('\n'), version.out.size() - 1);
  for (const std::string word : {"version", "-V"}) EXPECT_EQ(run_bifrons({word}).out, version.out);
  EXPECT_EQ(run_bifrons({"help"}).out, run_bifrons({"--help"}).out);
  EXPECT_EQ(run_bifrons({"help", "generate"}).out, generate.out);
  EXPECT_NE(generate.out.find("Usage: bifrons generate ["), std::string::npos) << generate.out;
  EXPECT_NE(run_bifrons({"help"}).out.find("Usage: bifrons ["), std::string::npos);
  EXPECT_EQ(run_bifrons({"help", "help"}).out, run_bifrons({"help", "--help"}).out);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--version", "-v"},
                                                {"-v", "--version"},
                                                {"-V", "-v"},
                                                {"-v", "-V"},
                                                {"version", "-v"}}) {
    const Outcome verbose = run_bifrons(words);
    EXPECT_EQ(verbose.exit_code, 0);
    EXPECT_NE(verbose.out.find("compiler"), std::string::npos);
  }
}

TEST(Cli, EscapesInArgumentsDoNotReachTheTerminal) {
  const std::string hostile = "\x1b]0;title\x07\xe2\x80\xae";
  const std::vector<std::vector<std::string>> calls = {
      {"-m", hostile, "a fox"},     {"a fox", "--" + hostile}, {"generate", "a fox", hostile},
      {"a fox", "--seed", hostile}, {"info", hostile},         {"decode", hostile},
      {"a fox", "--like", hostile}, {"completion", hostile}};
  for (const auto& call : calls) {
    const Outcome outcome = run_bifrons(call);
    EXPECT_NE(outcome.exit_code, 0);
    for (char c : outcome.err + outcome.out) {
      EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << outcome.err;
    }
    EXPECT_EQ(outcome.err.find("\xe2\x80\xae"), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace bifrons::testing
