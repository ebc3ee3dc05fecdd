// A batch's directory before anything is drawn there: what is done, what is in the way.
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
  bool metadata = true;      // whether pictures carry their settings
  bool judged = false;       // whether they are chosen from candidates
  bool random_seed = false;  // JobOptions::random_seed
};

class BatchPlace {
 public:
  // Reads the manifests; `engine` must outlive it. Throws Error: missing, interrupted.
  BatchPlace(PlaceFacts facts, const Engine& engine);

  // `hashes`: whether --resume verify reads every file now.
  PictureState state_of(const PictureJob& job, bool hashes) const;
  // As JobOptions::is_listed.
  bool lists(std::string_view file_name) const;
  // Why the picture's file could not be written, in the words of the run; empty when it could.
  std::string fault_of_name(const PictureJob& job) const;
  // As JobOptions::random_base. Where none has been chosen yet it is one that nobody keeps.
  uint64_t random_base(const PictureJob& as_before) const;

 private:
  bool is_that_picture(const PictureJob& job) const;

  PlaceFacts facts_;
  const Engine& engine_;
  ManifestIndex index_;
};

}  // namespace bifrons::cli
