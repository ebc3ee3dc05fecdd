// Completion scripts contain every option of the program, and are valid in their shells.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <regex>
#include <set>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

// The commands in the help. `bench` is not in every build.
std::vector<std::string> command_names() {
  std::vector<std::string> names = {"generate",    "batch",  "grid",       "gallery", "merge",
                                    "describe",    "ask",    "chat",       "vary",    "encode",
                                    "reconstruct", "decode", "info",       "inspect", "tokenize",
                                    "devices",     "doctor", "completion", "help",    "version",
                                    "models",      "verify", "quantize"};
  if (run_bifrons({"--help"}).out.find("\n  bench ") != std::string::npos) names.push_back("bench");
  return names;
}

// All long and short options in the help of a command.
std::set<std::string> options_in_help(const std::string& command) {
  const std::string help = run_bifrons({command, "--help"}).out;
  std::set<std::string> options;
  const std::regex option(R"((^|[\s,])(--?[A-Za-z][a-z-]*))");
  const std::string marker = "\n  -";  // start of an option's line
  for (size_t at = help.find(marker); at != std::string::npos; at = help.find(marker, at + 1)) {
    const size_t end = help.find("  ", at + 3);  // names end at two blanks
    const std::string names = help.substr(at + 1, end - at - 1);
    for (std::sregex_iterator it(names.begin(), names.end(), option), last; it != last; ++it) {
      options.insert((*it)[2]);
    }
  }
  return options;
}

TEST(CliCompletion, EveryOptionOfEveryCommandAppears) {
  const std::string bash = run_bifrons({"completion", "bash"}).out;
  const std::string zsh = run_bifrons({"completion", "zsh"}).out;
  const std::string fish = run_bifrons({"completion", "fish"}).out;
  for (const std::string& command : command_names()) {
    const std::set<std::string> options = options_in_help(command);
    EXPECT_TRUE(options.contains("--help")) << command;
    EXPECT_NE(bash.find("    " + command + ") options="), std::string::npos);
    const size_t line_at = bash.find("    " + command + ") options=\"");
    std::string line = bash.substr(line_at, bash.find('\n', line_at) - line_at);
    for (char& c : line) {
      if (c == '"') c = ' ';
    }
    for (const std::string& option : options) {
      EXPECT_NE(line.find(" " + option + " "), std::string::npos) << command << " " << option;
      EXPECT_NE(zsh.find("'" + option + "["), std::string::npos) << command << " " << option;
      const std::string spelled =
          option.starts_with("--") ? " -l " + option.substr(2) : " -s " + option.substr(1);
      EXPECT_NE(fish.find(spelled + " "), std::string::npos) << command << " " << option;
    }
  }
  EXPECT_GE(options_in_help("generate").size(), 40u);
}

// Sorted completions of `bifrons WORDS` in a shell with the script; nothing without that shell.
std::optional<std::vector<std::string>> completed(const std::string& shell,
                                                  const std::vector<std::string>& words,
                                                  const TemporaryDirectory& scratch) {
  if (std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) != 0) return std::nullopt;
  scratch.write("script", run_bifrons({"completion", shell}).out);
  std::string line = "bifrons";
  std::string call = "bash ../script.run";
  for (const std::string& word : words) line += " " + word;
  if (shell == "fish") {
    scratch.write("script.run", "source ../script\ncomplete -C '" + line + "'\n");
    call = "fish --no-config ../script.run | cut -f1";
  } else {
    scratch.write("script.run", "source ../script\nCOMP_WORDS=(" + line +
                                    (words.back().empty() ? " ''" : "") +
                                    "); COMP_CWORD=" + std::to_string(words.size()) +
                                    "\n_bifrons\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
  }
  std::system(
      ("cd " + (scratch / "place").string() + " && " + call + " > ../found 2> ../wrong").c_str());
  EXPECT_EQ(scratch.read("wrong"), "") << line;
  std::vector<std::string> found;
  const std::string text = scratch.read("found");
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    if (end > from) found.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Options with fixed words complete to these words, and paths to files or directories. Numbers have
// no completion.
TEST(CliCompletion, ValuesAreCompleted) {
  const TemporaryDirectory scratch;
  std::filesystem::create_directories(scratch / "place/folder");
  scratch.write("place/fox.png", "");
  scratch.write("place/f one.txt", "");
  using Words = std::vector<std::string>;
  const Words files = {"f one.txt", "folder", "fox.png"};
  const std::vector<std::pair<Words, Words>> cases = {
      {{"a", "--rope", "b"}, {"bf16"}},
      {{"generate", "--device", "c"}, {"cpu", "cuda"}},
      {{"batch", "--format", ""}, {"csv", "json", "jsonl", "tsv", "txt"}},
      {{"batch", "--resume", ""}, {"trust", "verify"}},
      {{"batch", "--save-as", ""}, {"jpg", "png", "webp"}},
      {{"batch", "--progress", "b"}, {"bar"}},
      {{"batch", "-o", "f"}, {"folder"}},
      {{"batch", "f"}, files},
      {{"generate", "--like", "f"}, files},
      {{"generate", "-m", "f"}, {"folder"}},
      {{"generate", "--seed", "f"}, {}},
      {{"grid", "x", "--font", "f"}, files},
      {{"info", "f"}, files},
      {{"gallery", "f"}, {"folder"}},
      {{"merge", "f"}, {"folder"}},
      {{"completion", ""}, {"bash", "fish", "zsh"}},
      {{"help", "gen"}, {"generate"}},
      {{"gen"}, {"generate"}}};
  for (const std::string shell : {"bash", "fish"}) {
    for (const auto& [words, expected] : cases) {
      auto found = completed(shell, words, scratch);
      if (!found) break;
      for (std::string& each : *found) {  // fish marks directories and escapes blanks
        if (each.ends_with('/')) each.pop_back();
        if (const size_t at = each.find('\\'); at != std::string::npos) each.erase(at, 1);
      }
      EXPECT_EQ(*found, expected) << shell << ::testing::PrintToString(words);
    }
  }
}

// The completed words are the accepted words, as the error for a wrong word lists them.
TEST(CliCompletion, ChoicesAreThoseOfTheRefusal) {
  const std::string bash = run_bifrons({"completion", "bash"}).out;
  for (const std::string option : {"--format", "--resume", "--rope", "--save-as", "--progress"}) {
    const std::string err = run_bifrons({"batch", "x", "-o", "y", option, "zzz"}).err;
    const size_t from = err.find(" takes ") + 7, to = err.find(", not \"zzz\"");
    ASSERT_LT(to, err.size()) << err;
    std::string words = std::regex_replace(err.substr(from, to - from), std::regex(",| or"), "");
    EXPECT_NE(bash.find("\"batch " + option + "\") value=\"" + words + "\""), std::string::npos)
        << option << " takes " << words;
  }
}

TEST(CliCompletion, OtherShellsTakeTheirScripts) {
  const TemporaryDirectory scratch;
  const std::pair<std::string, std::string> checks[] = {{"zsh", "zsh -n "},
                                                        {"fish", "fish --no-execute "}};
  for (const auto& [shell, check] : checks) {
    if (std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) != 0) continue;
    scratch.write("script", run_bifrons({"completion", shell}).out);
    EXPECT_EQ(std::system((check + (scratch / "script").string()).c_str()), 0) << shell;
  }
  const std::string zsh = run_bifrons({"completion", "zsh"}).out;
  for (const char* line :
       {"'--resume[", "(trust verify)'", "(png jpg webp)'", ":value:_files'", ":value:_files -/'",
        "(bash zsh fish)'", "_bifrons \"$@\"; else compdef"}) {
    EXPECT_NE(zsh.find(line), std::string::npos) << line;
  }
}

TEST(CliCompletion, BashTakesTheScript) {
  const TemporaryDirectory scratch;
  scratch.write("script", run_bifrons({"completion", "bash"}).out);
  const std::string script = (scratch / "script").string();
  EXPECT_EQ(std::system(("bash -n " + script).c_str()), 0);
  const std::string use =
      "bash -c 'source " + script +
      "; COMP_WORDS=(bifrons gen); COMP_CWORD=1; _bifrons; [[ ${COMPREPLY[*]} == generate ]] && "
      "COMP_WORDS=(bifrons decode --ov); COMP_CWORD=2; _bifrons; "
      "[[ ${COMPREPLY[*]} == --overwrite ]] && "
      "COMP_WORDS=(bifrons --rope b); COMP_CWORD=2; _bifrons; [[ ${COMPREPLY[*]} == bf16 ]]'";
  EXPECT_EQ(std::system(use.c_str()), 0);
}

TEST(CliCompletion, ShellScriptsOfTheProjectAreValid) {
  for (const std::string name :
       {"tools/demo.sh", "tools/test.sh", "tools/install_deps.sh", ".ci/run",
        "samples/cluster/slurm.sbatch", "samples/cluster/parallel.sh", "tools/gpu_check/pack.sh",
        "tools/gpu_check/run.sh", "tools/gpu_check/stage.sh", "tools/package.sh",
        "tests/install/fresh_root.sh", "tests/install/test_python.sh"}) {
    EXPECT_EQ(std::system(("bash -n " BIFRONS_SOURCE_DIR "/" + name).c_str()), 0) << name;
  }
}

}  // namespace
}  // namespace bifrons::testing
