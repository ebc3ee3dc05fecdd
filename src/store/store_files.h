// The system calls of a batch's directory, with sentences for what goes wrong.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "src/io/paths.h"

namespace bifrons {

// Throws Error (cannot write): "cannot write `path`: why".
[[noreturn]] void fail_to_write(const std::string& path, int error_number);

// All of a regular file of at most `most` bytes; nothing when it is none, or cannot be read.
std::optional<std::string> content_of(const std::string& path, int64_t most);

// Of the name itself, links not followed; nothing when there is none.
std::optional<struct stat> status_of(const std::string& path);

// Whether both are there and are names of one file.
bool same_file(const std::optional<struct stat>& a, const std::optional<struct stat>& b);

// Whether none of the directories that `name`, a relative path, has below `directory` is a symbolic
// link, which could lead anywhere; those that are not there yet are none.
bool stays_inside(const std::string& directory, const std::string& name);

}  // namespace bifrons
