// System calls on a batch's directory, with sentences as errors.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/io/paths.h"

namespace bifrons {

// Throws Error (cannot write): "cannot write `path`: why".
[[noreturn]] void fail_to_write(const std::string& path, const std::string& why);
[[noreturn]] void fail_to_write(const std::string& path, int error_number);

// A file of the batch for writing, opened with the flags of open(2): regular, and not behind a
// symbolic link. Throws Error (cannot write).
UniqueFd open_own(const std::string& path, int flags);

// The content of a regular file of at most `most` bytes; nullopt for anything else.
std::optional<std::string> content_of(const std::string& path, int64_t most);

// Names of what is in a directory, in no order; none where there is no directory or it may not be
// read. Throws Error (missing): the listing breaks off.
std::vector<std::string> names_in(const std::string& directory);

// The status of the name itself, links not followed; nullopt when it does not exist.
std::optional<struct stat> status_of(const std::string& path);

// Whether both exist and are names of one file.
bool same_file(const std::optional<struct stat>& a, const std::optional<struct stat>& b);

// Whether no directory of the relative path `name` below `directory` is a symbolic link, which
// could lead anywhere. Directories that do not exist yet are not links.
bool stays_inside(const std::string& directory, const std::string& name);

}  // namespace bifrons
