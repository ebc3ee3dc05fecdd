// `bifrons batch --dry-run`: what a batch would draw, cost and refuse.
#pragma once

#include <string>

#include "src/batch/job_stream.h"
#include "src/understand.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/batch_edits.h"
#include "tools/bifrons/batch_survey.h"

namespace bifrons::cli {

struct DryRunFacts {
  const Survey& found;
  Shard shard;
  Engine& engine;
  BatchEdits& edits;
  Understanding* judge = nullptr;  // only with --best-of
  std::string question;            // asked about each candidate
};

// Prints the report. Returns 3 if some lines are bad, otherwise 0. Writes no file. Throws the
// errors that a run would throw before drawing, and Error (data) for bad lines with --strict.
int dry_run_batch(const BatchArguments& arguments, const DryRunFacts& facts);

}  // namespace bifrons::cli
