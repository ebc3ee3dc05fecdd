// Path queries and creation of directories. No call throws a standard exception, even if a path is
// too long, in a loop of links or not accessible.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "src/io/descriptor.h"

namespace bifrons {

// Whether `path` is a directory; links are followed. Also false if that cannot be determined.
bool directory_exists(const std::filesystem::path& path);

// Whether `path` exists; links are not followed. Also false if that cannot be determined.
bool path_exists(const std::filesystem::path& path);

// The error number that prevents the check for existence (name too long, loop of links, directory
// that may not be searched, file in place of a directory). 0 if the check works, even if nothing
// exists at `path`.
int obstacle_at(const std::filesystem::path& path);

// `directory` without slashes at its end; "/" stays.
std::string without_slashes(std::string directory);

// Absolute path without "." and ".."; links are resolved as far as possible. Best effort if the
// current directory was deleted or links form a loop.
std::filesystem::path canonical_path(const std::filesystem::path& path);

// Creates `path` and its missing parents. Each new directory is synced into its parent if the
// parent is readable. Throws Error (cannot write).
void make_directories(const std::filesystem::path& path);

// fsync of a directory; nothing where it may not be read, as it cannot be opened then. Throws Error
// (cannot write) that names `shown`, or the directory where that is empty.
void sync_directory(const std::string& path, const std::string& shown = {});

// What a file that is not regular is, for messages: "a directory", "a pipe", ...
std::string_view kind_of_file(mode_t mode);

struct RegularFile {
  UniqueFd file;             // closed when there is a problem
  int64_t bytes = 0;         // its size at opening
  bool absent = false;       // the problem: there is no such file
  bool not_regular = false;  // the problem: it is not regular
  std::string problem;       // why it is not open, without its name; empty when it is
};

// Opens a regular file with the flags of open(2). Never waits, even for a pipe without a writer.
// Refuses every other kind of file: a device, for example, has no end.
RegularFile open_regular(const std::string& path, int flags);

}  // namespace bifrons
