// .bifrons/random.json: the number that a directory's random seeds are made from, chosen once, so
// that a batch that goes on, and every shard of it, draws the same pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bifrons {

// Nothing where none has been chosen. Throws Error (data): something else is there.
std::optional<uint64_t> read_random_base(const std::string& directory);

// The same number where there is one, else `wanted`, which is kept: of several processes at once
// the first decides. Throws Error: data, cannot write.
uint64_t keep_random_base(const std::string& directory, uint64_t wanted);

// A random one.
uint64_t new_random_base();

// Throws Error (cannot write).
void remove_random_base(const std::string& directory);

}  // namespace bifrons
