// What keeps a picture from being drawn or kept, told before it is drawn.
#pragma once

#include <map>
#include <string>

#include "src/batch/job_stream.h"
#include "src/bifrons.h"
#include "src/understand.h"

namespace bifrons::cli {

class PictureFaults {
 public:
  // Both must outlive it. `judge`: asks `question` of each candidate, where there are some.
  PictureFaults(const Engine& engine, const Understanding* judge, std::string question);

  // A sentence about the picture's line; empty when nothing is wrong with it. One call at a time,
  // whatever the engine does meanwhile.
  std::string of(const PictureJob& job);

 private:
  const std::string& of_format(PictureFormat format);

  const Engine& engine_;
  const Understanding* judge_;
  std::string question_;
  std::map<PictureFormat, std::string> formats_;
};

}  // namespace bifrons::cli
