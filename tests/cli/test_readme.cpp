// README.md and the pages: the program accepts their command lines, their options exist, and every
// option is documented.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoModel = "/nowhere/model";

struct Page {
  std::string name;
  std::string text;
};

Page page_at(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return {path.lexically_relative(BIFRONS_SOURCE_DIR).string(), text.str()};
}

// The manual: README.md and docs/*.md, sorted.
std::vector<Page> manual() {
  const fs::path root(BIFRONS_SOURCE_DIR);
  std::vector<Page> pages{page_at(root / "README.md")};
  for (const auto& entry : fs::directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(page_at(entry.path()));
  }
  std::sort(pages.begin(), pages.end(),
            [](const Page& a, const Page& b) { return a.name < b.name; });
  return pages;
}

// The manual and the pages for developers.
std::vector<Page> all_pages() {
  std::vector<Page> pages = manual();
  for (const char* name : {"CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}) {
    pages.push_back(page_at(fs::path(BIFRONS_SOURCE_DIR) / name));
  }
  return pages;
}

std::vector<std::string> matches_of(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
    found.push_back(at->size() > 1 ? at->str(1) : at->str());
  }
  return found;
}

// Splits words like a shell, with the one kind of quotes in the pages.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words = matches_of(line, R"("[^"]*"|[^\s"]+)");
  for (std::string& word : words) {
    if (word.front() == '"') word = word.substr(1, word.size() - 2);
  }
  return words;
}

// Indented lines and code spans that call the program, without the program's name.
std::vector<std::vector<std::string>> commands(const std::string& text) {
  std::vector<std::vector<std::string>> found;
  for (const char* pattern : {R"(\n    (?:build/release/)?bifrons (.+))", "`bifrons ([^`]+)`"}) {
    for (const std::string& line : matches_of(text, pattern)) found.push_back(words_of(line));
  }
  return found;
}

bool lists(const std::string& help, const std::string& name) {
  return std::regex_search(help, std::regex(R"((^|[\s,]))" + name + R"(($|[\s,]))"));
}

// The help of every command in the program's help, and of those below `bench`.
std::string help_of_all() {
  const std::string help = run_bifrons({"--help"}).out;
  const std::string part = help.substr(help.find("Subcommands:"));
  std::string all = help + run_bifrons({"bench", "batch", "--help"}).out +
                    run_bifrons({"bench", "quality", "--help"}).out;
  for (const std::string& command : matches_of(part, R"(\n  ([a-z]+) )")) {
    all += run_bifrons({command, "--help"}).out;
  }
  return all;
}

// No model can be found, and no network is used. So a valid command ends with 66, and a help or a
// script with 0.
TEST(Pages, CommandLinesAreUnderstood) {
  const std::string help = run_bifrons({"--help"}).out;
  std::set<std::vector<std::string>> run;
  for (const Page& page : all_pages()) {
    for (std::vector<std::string> words : commands(page.text)) {
      SCOPED_TRACE(page.name + ": " + ::testing::PrintToString(words));
      if (words.size() == 1 && words[0].find(' ') == std::string::npos) {  // name of a command
        EXPECT_TRUE(lists(help, words[0]));
        continue;
      }
      const auto model = std::find(words.begin(), words.end(), "-m");
      if (model != words.end() && model + 1 != words.end()) model[1] = kNoModel;
      if (words[0] == "bench") words.insert(words.end(), {"-m", kNoModel});
      if (!run.insert(words).second) continue;
      const TemporaryDirectory directory;
      const Outcome outcome = run_bifrons(words, {.directory = directory.path(),
                                                  .variables = {{"BIFRONS_MODEL", kNoModel},
                                                                {"HF_HUB_OFFLINE", "1"},
                                                                {"HF_HOME", directory.path()}}});
      EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 66)
          << outcome.exit_code << ": " << outcome.err;
    }
  }
  EXPECT_GE(run.size(), 50u) << "the pages show no commands where they were looked for";
}

TEST(Pages, ReadmeAndEveryPageOfTheManualShowCommands) {
  for (const Page& page : manual()) {
    const bool tells_of_code = page.name == "docs/architecture.md" ||
                               page.name == "docs/janus-pro.md" || page.name == "docs/library.md";
    const size_t least = page.name == "README.md" ? 10 : tells_of_code ? 0 : 5;
    EXPECT_GE(commands(page.text).size(), least) << page.name;
  }
}

TEST(Pages, OptionsExist) {
  const std::string help = help_of_all();
  size_t count = 0;
  for (const Page& page : manual()) {
    for (const std::string& span : matches_of(page.text, "`(-[^`]+)`")) {
      for (const std::string& option : matches_of(span, R"((?:^|[\s,])(--?[A-Za-z][a-z-]*))")) {
        EXPECT_TRUE(lists(help, option)) << page.name << ": " << option;
        ++count;
      }
    }
  }
  EXPECT_GE(count, 50u) << "the pages name no options where they were looked for";
}

TEST(Pages, EveryOptionIsTold) {
  std::string told;
  for (const Page& page : manual()) told += page.text;
  std::set<std::string> options;
  for (const std::string& option : matches_of(help_of_all(), R"([\s,](--[a-z][a-z-]*))")) {
    options.insert(option);
  }
  EXPECT_GE(options.size(), 50u) << "no options where they were looked for";
  options.erase("--help");
  for (const std::string& option : options) {
    EXPECT_TRUE(std::regex_search(told, std::regex("[`\\s]" + option + "[`\\s,]")))
        << "no page tells of " << option;
  }
}

}  // namespace
}  // namespace bifrons::testing
