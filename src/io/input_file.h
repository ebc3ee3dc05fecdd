// Files that a user names to be read: opened without waiting, and refused by kind and size.
#pragma once

#include <cstdint>
#include <string>

#include "src/io/descriptor.h"

namespace bifrons {

// What may stand in the place of a regular file.
enum class InputKind {
  kFile,   // a pipe only where a shell handed it over: /dev/stdin, /dev/fd/N, as of <(command)
  kLines,  // any pipe, be there a writer or not yet; /dev/null
};

struct InputFile {
  UniqueFd fd;
  int64_t bytes = -1;  // of a regular file; -1: a pipe, unknown
};

// Symbolic links are followed. Throws Error: missing when it cannot be opened, data when it is a
// directory, a device, a socket or a pipe that is not allowed, interrupted when `stopped` says so
// after a signal broke off the waiting.
InputFile open_input(const std::string& path, InputKind kind, bool (*stopped)());

}  // namespace bifrons
