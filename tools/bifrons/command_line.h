// From the words of a command line to a command.
#pragma once

namespace bifrons::cli {

// Understands the words, runs the command that they name and returns its exit code. Throws Error:
// usage, or what the command throws.
int run_command_line(int argc, const char* const* argv);

}  // namespace bifrons::cli
