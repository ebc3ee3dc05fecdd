// Input files named by the user: opened without waiting, checked for kind and size.
#pragma once

#include <cstdint>
#include <string>

#include "src/io/descriptor.h"

namespace bifrons {

// Which kinds of files are accepted besides a regular file.
enum class InputKind {
  kFile,   // a pipe only if a shell passed it: /dev/stdin, /dev/fd/N, as of <(command)
  kLines,  // every pipe, with or without a writer; /dev/null
};

struct InputFile {
  UniqueFd fd;
  int64_t bytes = -1;  // size of a regular file; -1 for a pipe
};

// Symbolic links are followed. Throws Error: missing if the file cannot be opened; data for a
// directory, a device, a socket or a pipe that is not accepted; interrupted if `stopped` returns
// true after a signal interrupted the wait.
InputFile open_input(const std::string& path, InputKind kind, bool (*stopped)());

}  // namespace bifrons
