// Completion scripts know every option the program has, and are valid in their shells.
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <set>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

// As the help lists them; `bench` is not part of every build.
std::vector<std::string> commands() {
  std::vector<std::string> names = {"generate", "batch",  "grid",      "gallery", "merge",
                                    "describe", "ask",    "chat",      "vary",    "encode",
                                    "reconstruct", "decode", "info",   "inspect",
                                    "tokenize", "devices", "doctor", "completion"};
  if (run_bifrons({"--help"}).out.find("\n  bench ") != std::string::npos) names.push_back("bench");
  return names;
}

// Every long and short option that the help of a command shows.
std::set<std::string> options_in_help(const std::string& command) {
  const std::string help = run_bifrons({command, "--help"}).out;
  std::set<std::string> options;
  const std::regex option(R"((^|[\s,])(--?[A-Za-z][a-z-]*))");
  const std::string marker = "\n  -";  // only lines that begin an option
  for (size_t at = help.find(marker); at != std::string::npos; at = help.find(marker, at + 1)) {
    const size_t end = help.find("  ", at + 3);  // names end where two blanks begin
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
  for (const std::string& command : commands()) {
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
        "tools/gpu_check/run.sh", "tools/gpu_check/stage.sh"}) {
    EXPECT_EQ(std::system(("bash -n " BIFRONS_SOURCE_DIR "/" + name).c_str()), 0) << name;
  }
}

}  // namespace
}  // namespace bifrons::testing
