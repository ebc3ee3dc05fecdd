// The part of a batch that this process draws: given by --shard, or detected from the launcher.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/batch/job_stream.h"

namespace bifrons::cli {

struct ShardChoice {
  Shard shard;
  std::string reason;                 // for a message; empty if no part was requested
  std::vector<std::string> warnings;  // about likely mistakes
};

// The value of a variable; empty if it is not set.
using Variables = std::function<std::string(const char*)>;

// `wanted` is "I/N", "auto", "auto/N" (if the launcher gives no count) or empty. If it is empty,
// BIFRONS_SHARD is used; without it, this process draws everything. Throws Error (usage).
ShardChoice choose_shard(const std::string& wanted, const Variables& variables);

}  // namespace bifrons::cli
