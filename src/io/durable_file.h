// Atomic, durable file writes: a file is complete or does not exist, whatever interrupts the write.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace bifrons {

enum class IfExists { kReplace, kRefuse };

// Writes the temporary file `.<name>.part` (a hash for a long name) next to `path`, syncs it,
// renames it to `path` and syncs the directory. A symbolic link at `path` is replaced and not
// followed. A device, pipe or directory is refused. On failure the temporary file is removed, and
// Error (cannot write) names the file and the reason. With kRefuse an existing file is not changed
// and the result is false, even if the file appears just before the rename. Otherwise the result is
// true.
bool write_durably(const std::filesystem::path& path, std::span<const uint8_t> bytes,
                   IfExists if_exists);

// Removes the part of `path` that a killed process left. One that is being written stays.
void sweep_part(const std::filesystem::path& path);

// Throws the Error that write_durably() would throw because of what is at `path`. Writes nothing.
void refuse_obstacles(const std::filesystem::path& path);

// Creates and removes the temporary file of write_durably(), so the same Error is thrown early.
void check_writable(const std::filesystem::path& path);

}  // namespace bifrons
