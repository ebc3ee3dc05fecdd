// Finds what prevents a picture from being drawn or saved, before it is drawn.
#pragma once

#include <map>
#include <string>

#include "src/batch/job_stream.h"
#include "src/bifrons.h"
#include "src/understand.h"
#include "tools/bifrons/batch_edits.h"

namespace bifrons::cli {

class PictureFaults {
 public:
  // All references must outlive it. `judge` is asked `question` about each candidate, if there are
  // candidates.
  PictureFaults(const Engine& engine, BatchEdits& edits, const Understanding* judge,
                std::string question);

  // A message about the picture's line; empty if there is no problem. Not thread-safe, but the
  // engine may be drawing meanwhile.
  std::string of(const PictureJob& job);

 private:
  const std::string& of_format(PictureFormat format);

  const Engine& engine_;
  BatchEdits& edits_;
  const Understanding* judge_;
  std::string question_;
  std::map<PictureFormat, std::string> formats_;
};

}  // namespace bifrons::cli
