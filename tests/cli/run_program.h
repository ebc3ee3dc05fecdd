// Runs the real binary and captures its output.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bifrons::testing {

struct Surroundings {
  std::filesystem::path directory;               // working directory
  std::string input;                             // stdin
  std::map<std::string, std::string> variables;  // added to a clean environment
  std::string stdout_to;                         // file for stdout, instead of capturing it
  bool close_stdout = false;
  bool close_all = false;     // closes stdin and stderr too
  bool close_reader = false;  // stdout is a pipe that nobody reads
};

struct Outcome {
  int exit_code = -1;  // for a signal: 1000 + its number
  std::string out;
  std::string err;
};

// Whether `grid` ended because no font is installed. Any other missing thing is a failure.
inline bool lacks_a_font(const Outcome& outcome) {
  return outcome.exit_code == 66 &&
         outcome.err.find("captions need a font and this machine has none") != std::string::npos;
}

Outcome run_bifrons(const std::vector<std::string>& arguments, const Surroundings& where = {});

// Starts the program without waiting for it. `err` receives stderr.
pid_t start_bifrons(const std::vector<std::string>& arguments, const Surroundings& where,
                    const std::filesystem::path& err);

// The exit code as in Outcome, or nothing if the process still runs after `seconds`.
std::optional<int> wait_for_exit(pid_t process, double seconds);

// A model directory to draw with: the storybook model, or else a toy model of the golden files.
// Empty if this checkout has neither.
std::string model_for_tests();

}  // namespace bifrons::testing
