// Examines a batch's directory before drawing: which pictures are done, and which files conflict.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/batch/job_stream.h"
#include "src/bifrons.h"
#include "src/store/store.h"

namespace bifrons::cli {

struct PlaceFacts {
  StoreOptions store;
  RopeMode rope = RopeMode::kF32;
  bool metadata = true;      // whether pictures contain their settings
  bool judged = false;       // whether they are selected from candidates
  bool random_seed = false;  // JobOptions::random_seed
};

class BatchPlace {
 public:
  // Reads the manifests; `engine` must outlive it. Throws Error: missing, interrupted.
  BatchPlace(PlaceFacts facts, const Engine& engine);

  // `hashes`: whether --resume verify reads every file at this point.
  PictureState state_of(const PictureJob& job, bool hashes) const;
  // See JobOptions::is_listed.
  bool lists(std::string_view file_name) const;
  // Why the picture's file could not be written, with the message of a run; empty if it could.
  std::string fault_of_name(const PictureJob& job) const;
  // See JobOptions::random_base. If no number has been chosen yet, this one is not stored.
  uint64_t random_base(const PictureJob& as_before) const;

 private:
  bool is_that_picture(const PictureJob& job) const;

  PlaceFacts facts_;
  const Engine& engine_;
  ManifestIndex index_;
};

// The pictures of earlier runs that a run goes on from; -1 if there are none or with --fresh.
int64_t pictures_to_go_on_from(const StoreOptions& options);

}  // namespace bifrons::cli
