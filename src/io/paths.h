// Questions about names, and directories made: the answers of a file system never become an
// exception of the standard library, be the name too long, a loop of links or out of reach.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "src/io/descriptor.h"

namespace bifrons {

// Whether `path`, links followed, is a directory. False also where that cannot be told.
bool leads_to_directory(const std::filesystem::path& path);

// Whether something has that name, links not followed. False also where that cannot be told.
bool is_there(const std::filesystem::path& path);

// The error number that keeps the system from saying whether something has that name (too long,
// a loop of links, a directory that may not be searched, a file in place of one); 0 when it can
// say, be it that there is nothing.
int obstacle_at(const std::filesystem::path& path);

// `directory` without slashes at its end; "/" stays.
std::string without_slashes(std::string directory);

// `path` from the root on, without "." and "..", with links followed as far as they lead. As good
// as can be where the current directory is gone or links go in circles.
std::filesystem::path whole_path(const std::filesystem::path& path);

// Makes `path` and what is missing above it, each synced into the directory that holds it, where
// that may be read. Throws Error (cannot write).
void make_directories(const std::filesystem::path& path);

// fsync of a directory; nothing where it may not be read, as it cannot be opened then. Throws Error
// (cannot write) that names `shown`, or the directory where that is empty.
void sync_directory(const std::string& path, const std::string& shown = {});

// What a file that is not regular is, for messages: "a directory", "a pipe", ...
std::string_view kind_of_file(mode_t mode);

struct RegularFile {
  UniqueFd file;            // closed when there is a problem
  int64_t bytes = 0;        // its size at opening
  bool absent = false;      // the problem: there is no such file
  bool other_kind = false;  // the problem: it is not regular
  std::string problem;      // why it is not open, without its name; empty when it is
};

// Opens a regular file with the flags of open(2). Never waits, as a pipe without a writer would
// have it, and refuses everything that is not regular: a device has no end. For writing it refuses
// a file that has hard links, before O_TRUNC, as it would change under its other names too.
RegularFile open_regular(const std::string& path, int flags);

}  // namespace bifrons
