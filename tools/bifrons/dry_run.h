// `bifrons batch --dry-run`: what a batch would do, cost and refuse.
#pragma once

#include <string>

#include "src/batch/job_stream.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/prompt_files.h"

namespace bifrons {

struct DryRunFacts {
  PromptFiles& source;
  JobOptions options;
  Shard shard;
  std::string model;  // its directory
};

// Prints the report; returns 3 when some lines are bad, else 0. Writes no file.
int dry_run_batch(const BatchArguments& arguments, const DryRunFacts& facts);

}  // namespace bifrons
