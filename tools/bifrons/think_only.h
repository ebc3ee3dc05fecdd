// --think-only: thoughts without pictures.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/bifrons/generate.h"

namespace bifrons::cli {

struct WrittenThoughts {
  std::vector<std::shared_ptr<const Thought>> thoughts;  // in the order of the requests
  BatchStats stats;
};

// Writes up to `lanes` thoughts at once (0: automatic). Throws what drawing throws, and the error
// of the first request that is refused.
WrittenThoughts thoughts_of(Engine& engine, const std::vector<DrawRequest>& requests, int lanes,
                            const ThoughtListener& listener = {});

// A thought as a line of a prompt file, with its line end: --think draws from it. `members` are
// further JSON members, each with a comma before it.
std::string thought_line(const DrawRequest& request, const std::string& members,
                         const Thought& thought);

// `generate --think-only`: writes the thoughts to stdout, or one JSON object with all. Returns the
// exit code. Throws what thoughts_of() throws.
int write_thoughts(const Generate& generate, Engine& engine,
                   const std::vector<DrawRequest>& requests);

}  // namespace bifrons::cli
