// The lines of a batch that change a picture: read and checked before drawing, and made into
// prompts by the engine that draws them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/batch/picture_job.h"
#include "src/edit.h"
#include "tools/bifrons/edit_flags.h"
#include "tools/bifrons/options.h"

namespace bifrons::cli {

class BatchEdits {
 public:
  // All are borrowed. The engines have one model and are open before the first line is read.
  BatchEdits(const EditFlags& flags, std::vector<Engine>& engines, const Verbosity& verbosity)
      : flags_(flags),
        engines_(engines),
        verbosity_(verbosity),
        planned_(engines.front().planned()) {}

  // JobOptions::edit. Engines may be drawing meanwhile; one caller at a time.
  std::shared_ptr<const LineEdit> read(const PromptLine& line);
  // Why the picture would be refused, as far as it is known without looking at it; empty if it
  // would not. May be called as read() is.
  std::string fault_of(const PictureJob& job);
  // The same from looking at the picture.
  static std::string fault_of_picture(const PictureJob& job);
  // BatchRun::Complete for engine `i`, on the thread that draws with it. Plans the engine's memory
  // for edits where it is not planned yet.
  void complete(size_t i, const PictureJob& job, DrawRequest& request);

 private:
  // An editor, and the picture that it was shown last.
  struct Open {
    std::unique_ptr<Editor> editor;
    std::string shown{};
  };
  const EditStyle& style_of_model();
  void check_model(const EditStyle& style);

  const EditFlags& flags_;
  std::vector<Engine>& engines_;
  const Verbosity& verbosity_;
  const PlannedPictures planned_;                    // without edits
  const EditStyle* own_ = nullptr;                   // of lines without a style
  std::map<const EditStyle*, std::string> refused_;  // why the model does not edit; empty: it does
  std::vector<std::map<const EditStyle*, Open>> open_{engines_.size()};  // by engine
};

// Plans memory for edits in this style, beside what is planned; more rows stay.
PlannedPictures planned_with(PlannedPictures planned, const EditStyle& style);
// BatchOptions::rows for them.
inline int rows_of(const PlannedPictures& planned) {
  return planned.edit != nullptr && planned.edit->part_row ? 3 : 2;
}

}  // namespace bifrons::cli
