// fork and exec. The streams are files, because a pipe can fill up and block.
#include "tests/cli/run_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

void redirect(const fs::path& path, int flags, int to) {
  const int file = open(path.c_str(), flags, 0644);
  if (file < 0 || dup2(file, to) < 0) _exit(125);
  if (file != to) close(file);
}

void set_streams(const Surroundings& where, const fs::path& in, const fs::path& out,
                 const fs::path& err) {
  redirect(in, O_RDONLY, STDIN_FILENO);
  const int create = O_WRONLY | O_CREAT | O_TRUNC;
  redirect(where.stdout_to.empty() ? out : fs::path(where.stdout_to), create, STDOUT_FILENO);
  redirect(err, create, STDERR_FILENO);
  if (where.close_reader) {
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) _exit(125);
    close(ends[0]);
    close(ends[1]);
  }
  if (where.close_stdout || where.close_all) close(STDOUT_FILENO);
  if (where.close_all) close(STDIN_FILENO);
  if (where.close_all) close(STDERR_FILENO);
}

pid_t start(const std::vector<std::string>& arguments, const Surroundings& where,
            const fs::path& in, const fs::path& out, const fs::path& err) {
  std::vector<std::string> words = {"bifrons"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  for (const auto& [name, value] : where.variables) variables.push_back(name + "=" + value);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  const pid_t process = fork();
  if (process != 0) return process;
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) signal(signal_number, SIG_DFL);
  if (!where.directory.empty() && chdir(where.directory.c_str()) != 0) _exit(125);
  set_streams(where, in, out, err);
  execve(BIFRONS_BINARY, argv.data(), environment.data());
  _exit(125);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

Outcome run_bifrons(const std::vector<std::string>& arguments, const Surroundings& where) {
  const TemporaryDirectory streams;
  streams.write("in", where.input);
  const pid_t process = start(arguments, where, streams / "in", streams / "out", streams / "err");
  Outcome outcome;
  outcome.exit_code = wait_for_exit(process, 300).value_or(-1);
  if (outcome.exit_code == -1) kill(process, SIGKILL);
  outcome.out = streams.read("out");
  outcome.err = streams.read("err");
  return outcome;
}

pid_t start_bifrons(const std::vector<std::string>& arguments, const Surroundings& where,
                    const fs::path& err) {
  return start(arguments, where, "/dev/null", "/dev/null", err);
}

std::optional<int> wait_for_exit(pid_t process, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    int status = 0;
    if (waitpid(process, &status, WNOHANG) == process) return code_of(status);
    if (std::chrono::steady_clock::now() > end) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::string model_for_tests() {
  const fs::path root = BIFRONS_SOURCE_DIR;
  const fs::path storybook = root / "samples/models/storybook";
  if (fs::exists(storybook / "config.json")) return storybook.string();
  std::set<fs::path> toys;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "tests/golden/models", error)) {
    if (fs::exists(entry.path() / "config.json") && fs::exists(entry.path() / "tokenizer.json")) {
      toys.insert(entry.path());
    }
  }
  return toys.empty() ? std::string() : toys.begin()->string();
}

}  // namespace bifrons::testing
