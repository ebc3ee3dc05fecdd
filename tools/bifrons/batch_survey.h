// Reads a whole prompt file without drawing: for --strict, --dry-run and the progress bars.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/batch/batch_run.h"
#include "tools/bifrons/batch_place.h"

namespace bifrons::cli {

struct Survey {
  int64_t lines = 0;
  int64_t bad_lines = 0;
  int64_t pictures = 0;  // of all shards
  int64_t of_shard = 0;
  int64_t done = 0;     // of this shard
  int64_t changed = 0;  // of this shard: drawn before with other settings
  int64_t duplicates = 0;
  std::vector<std::string> first_names;  // up to three names of pictures to draw
  std::vector<PictureJob> first_jobs;
  PlannedPictures planned;  // edits among those to draw
  int64_t to_draw() const { return of_shard - done; }
};

struct SurveyHooks {
  std::function<PictureState(const PictureJob&)> state;
  std::function<void(const BadLine&)> bad{};
  // Why a picture of this shard that is to be drawn could not be drawn or saved; empty if it could.
  std::function<std::string(const PictureJob&)> name_fault{};
};

// Throws Error: data if the whole file is of the wrong kind, interrupted.
Survey survey(JobStream& jobs, const Shard& shard, const SurveyHooks& hooks);

// Surveys what a run in `place` would draw and refuse. Prints the first twenty bad lines to stderr,
// as lines of the file `name`.
Survey survey_all(JobStream& jobs, const Shard& shard, const BatchPlace& place,
                  const std::string& name);

// Throws Error (data) if there are bad lines, for --strict.
void refuse_bad_lines(const Survey& survey);

}  // namespace bifrons::cli
