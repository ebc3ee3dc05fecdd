// What README.md shows works: its command lines are taken, its options exist.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

constexpr const char* kNoModel = "/nowhere/model";

std::string readme() {
  std::ostringstream text;
  text << std::ifstream(std::string(BIFRONS_SOURCE_DIR) + "/README.md").rdbuf();
  return text.str();
}

std::vector<std::string> matches_of(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
    found.push_back(at->size() > 1 ? at->str(1) : at->str());
  }
  return found;
}

// Words as a shell splits them, for the one kind of quote that README.md uses.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words = matches_of(line, R"("[^"]*"|[^\s"]+)");
  for (std::string& word : words) {
    if (word.front() == '"') word = word.substr(1, word.size() - 2);
  }
  return words;
}

// Indented lines and code spans that call the program, without its name.
std::vector<std::vector<std::string>> commands() {
  std::vector<std::vector<std::string>> found;
  for (const char* pattern : {R"(\n    (?:build/release/)?bifrons (.+))", "`bifrons ([^`]+)`"}) {
    for (const std::string& line : matches_of(readme(), pattern)) found.push_back(words_of(line));
  }
  return found;
}

bool lists(const std::string& help, const std::string& name) {
  return std::regex_search(help, std::regex(R"((^|[\s,]))" + name + R"(($|[\s,]))"));
}

// With no model to be found a command that is understood ends with 66, a help or script with 0.
TEST(Readme, CommandLinesAreUnderstood) {
  const std::string help = run_bifrons({"--help"}).out;
  int run = 0;
  for (std::vector<std::string> words : commands()) {
    SCOPED_TRACE(::testing::PrintToString(words));
    if (words.size() == 1 && words[0].find(' ') == std::string::npos) {  // a command's name
      EXPECT_TRUE(lists(help, words[0]));
      continue;
    }
    const auto model = std::find(words.begin(), words.end(), "-m");
    if (model != words.end() && model + 1 != words.end()) model[1] = kNoModel;
    if (words[0] == "bench") words.insert(words.end(), {"-m", kNoModel});
    const TemporaryDirectory directory;
    const Outcome outcome = run_bifrons(
        words, {.directory = directory.path(), .variables = {{"BIFRONS_MODEL", kNoModel}}});
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 66)
        << outcome.exit_code << ": " << outcome.err;
    ++run;
  }
  EXPECT_GE(run, 10) << "README.md shows no commands where they were looked for";
}

TEST(Readme, OptionsExist) {
  std::string help = run_bifrons({"--help"}).out;
  for (const char* command : {"generate", "batch", "grid", "merge", "vary", "ask"}) {
    help += run_bifrons({command, "--help"}).out;
  }
  const auto spans = matches_of(readme(), "`(-[^`]+)`");
  EXPECT_GE(spans.size(), 10u) << "README.md names no options where they were looked for";
  for (const std::string& span : spans) {
    for (const std::string& option : matches_of(span, R"((?:^|[\s,])(--?[A-Za-z][a-z-]*))")) {
      EXPECT_TRUE(lists(help, option)) << option;
    }
  }
}

}  // namespace
}  // namespace bifrons::testing
