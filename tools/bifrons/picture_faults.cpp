// The components that would refuse a picture are asked, so that no rule exists twice.
#include "tools/bifrons/picture_faults.h"

#include <utility>

#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

PictureFaults::PictureFaults(const Engine& engine, BatchEdits& edits, const Understanding* judge,
                             std::string question)
    : engine_(engine), edits_(edits), judge_(judge), question_(std::move(question)) {}

std::string PictureFaults::of(const PictureJob& job) {
  if (job.edit != nullptr) {
    if (std::string fault = edits_.fault_of(job); !fault.empty()) return fault;
  } else if (const auto fault = engine_.fault_of(job.request)) {
    return fault->what();
  }
  if (judge_ != nullptr) {
    const auto fault = judge_->fault_of(question_about(question_, job.request.prompt));
    if (fault) return fault->what();
  }
  return of_format(job.format);
}

// The build may lack a codec.
const std::string& PictureFaults::of_format(PictureFormat format) {
  const auto [known, is_new] = formats_.emplace(format, "");
  if (is_new) {
    try {
      encode_picture({1, 1, {0, 0, 0}}, format, nullptr);
    } catch (const Error& error) {
      known->second = error.what();
    }
  }
  return known->second;
}

}  // namespace bifrons::cli
