// System calls for a batch's directory. Errors are messages for the user.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/io/paths.h"

namespace bifrons {

// Throws Error (cannot write): "cannot write `path`: <reason>".
[[noreturn]] void fail_to_write(const std::string& path, const std::string& why);
[[noreturn]] void fail_to_write(const std::string& path, int error_number);

// Opens a file of the batch for writing, with the flags of open(2). It must be a regular file and
// not a symbolic link. Throws Error (cannot write).
UniqueFd open_own(const std::string& path, int flags);

// The content of a regular file of at most `most` bytes; nullopt for anything else.
std::optional<std::string> content_of(const std::string& path, int64_t most);

// Names of the entries of a directory, unordered. Empty if the directory does not exist or must not
// be read. Throws Error (missing) if reading fails before the end.
std::vector<std::string> names_in(const std::string& directory);

// The status of the name itself; links are not followed. nullopt if it does not exist.
std::optional<struct stat> status_of(const std::string& path);

// Whether both names exist and refer to the same file.
bool same_file(const std::optional<struct stat>& a, const std::optional<struct stat>& b);

// Whether none of the directories in the relative path `name` below `directory` is a symbolic link,
// which could lead anywhere. Directories that do not exist yet are not links.
bool stays_inside(const std::string& directory, const std::string& name);

}  // namespace bifrons
