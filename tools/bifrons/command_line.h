// Parses a command line and runs its command.
#pragma once

namespace bifrons::cli {

// Parses the words, runs the command that they name and returns its exit code. Throws Error (usage)
// and the errors of the command.
int run_command_line(int argc, const char* const* argv);

}  // namespace bifrons::cli
