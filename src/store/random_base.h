// .bifrons/random.json: the number that a directory's random seeds are made from, chosen once, so
// that a batch that goes on, and every shard of it, draws the same pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bifrons {

// nullopt: none has been chosen. Throws Error (data): the file holds something else.
std::optional<uint64_t> read_random_base(const std::string& directory);

// The number of the directory; if there is none, `wanted` is stored. Of several processes at once
// the first one decides. Throws Error: data, cannot write.
uint64_t keep_random_base(const std::string& directory, uint64_t wanted);

// A random one.
uint64_t new_random_base();

// Removes what killed processes left on the way to it. `alone`: no other process writes to the
// directory, so that all of it is such; else what is older than an hour.
void sweep_random_base(const std::string& directory, bool alone);

// Throws Error (cannot write).
void remove_random_base(const std::string& directory);

}  // namespace bifrons
