// Runs the real binary and keeps what it said.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bifrons::testing {

struct Surroundings {
  std::filesystem::path directory;               // to run in
  std::string input;                             // stdin
  std::map<std::string, std::string> variables;  // beside a clean environment
  std::string stdout_to;                         // a file in place of a captured stdout
  bool close_stdout = false;
  bool close_all = false;     // stdin and stderr too
  bool close_reader = false;  // stdout is a pipe that nobody reads
};

struct Outcome {
  int exit_code = -1;  // 1000 + number for a signal
  std::string out;
  std::string err;
};

Outcome run_bifrons(const std::vector<std::string>& arguments, const Surroundings& where = {});

// The same without waiting; `err` collects stderr.
pid_t start_bifrons(const std::vector<std::string>& arguments, const Surroundings& where,
                    const std::filesystem::path& err);

// The exit code as in Outcome, or nothing when it still runs after that time.
std::optional<int> wait_for_exit(pid_t process, double seconds);

// A model directory to draw with: the storybook, else a toy one of the golden files; empty when
// this checkout has neither.
std::string model_for_tests();

}  // namespace bifrons::testing
