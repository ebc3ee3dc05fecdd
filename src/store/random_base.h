// .bifrons/random.json holds the number from which a directory's random seeds are made. It is
// chosen once, so that a resumed batch and all its shards draw the same pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bifrons {

// nullopt: no number has been chosen. Throws Error (data) if the file holds something else.
std::optional<uint64_t> read_random_base(const std::string& directory);

// Returns the number of the directory. If there is none, stores `wanted`. If several processes do
// so at once, the first one wins. Throws Error: data, cannot write.
uint64_t keep_random_base(const std::string& directory, uint64_t wanted);

// Returns a random number for a new directory.
uint64_t new_random_base();

// Removes temporary files of killed processes. `alone`: no other process writes to the directory,
// so all such files are removed; otherwise only those older than one hour.
void sweep_random_base(const std::string& directory, bool alone);

// Throws Error (cannot write).
void remove_random_base(const std::string& directory);

}  // namespace bifrons
