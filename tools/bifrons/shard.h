// Which part of a batch this process draws: said with --shard, or read off what started it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/batch/job_stream.h"

namespace bifrons::cli {

struct ShardChoice {
  Shard shard;
  std::string reason;                 // for a message; empty when nothing was asked for
  std::vector<std::string> warnings;  // traps that were seen
};

// A variable's value; empty when it is not set.
using Variables = std::function<std::string(const char*)>;

// `wanted` is "I/N", "auto", "auto/N" (where the launcher gives no count) or empty, in which case
// BIFRONS_SHARD says it, or everything is drawn here. Throws Error (usage).
ShardChoice choose_shard(const std::string& wanted, const Variables& variables);

}  // namespace bifrons::cli
