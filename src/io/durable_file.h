// Files that are either whole or not there, whatever happens while they are written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace bifrons {

enum class IfExists { kReplace, kRefuse };

// Writes `.<name>.part` (of a long name: a hash of it) beside `path`, syncs it, renames it to
// `path` and syncs the directory. A symbolic link at `path` is replaced, not followed; a device,
// pipe or directory is refused. On any failure the part is removed and Error (cannot write) names
// the file and the reason. With kRefuse an existing file is left untouched and the answer is false,
// even when it appears at the last moment; otherwise the answer is true.
bool write_durably(const std::filesystem::path& path, std::span<const uint8_t> bytes,
                   IfExists if_exists);

// Removes the part of `path` that a killed process left. One that is being written stays.
void sweep_part(const std::filesystem::path& path);

// Throws the Error for what stands at `path` and may not be replaced, without writing anything.
void refuse_obstacles(const std::filesystem::path& path);

// Makes and removes the part that write_durably() would write: throws the same Error, early.
void check_writable(const std::filesystem::path& path);

}  // namespace bifrons
