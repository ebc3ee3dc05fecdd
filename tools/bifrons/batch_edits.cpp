// A picture is hashed when its line is read and decoded only when it is drawn, because a batch that
// goes on passes over many lines.
#include "tools/bifrons/batch_edits.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "src/io/sha256.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

std::string path_of(const PromptLine& line) {
  const std::string& image = line.edit->image;
  return image.starts_with('/') ? image : line.folder + image;
}

// The bytes of the picture, which must still be those that were hashed.
Picture picture_of_edit(const LineEdit& edit) {
  const std::string bytes = read_file(edit.path, kMostPictureBytes);
  if (sha256(bytes) != edit.sha256) {
    throw Error(ErrorKind::kData,
                quote(edit.path) + " has changed since its line was read; run the batch again");
  }
  return picture_of(bytes, edit.path, edit.orientation);
}

EditSettings settings_of(const PictureJob& job) {
  return {.image_guidance = job.edit->image_guidance, .allow_special = job.request.allow_special};
}

}  // namespace

PlannedPictures planned_with(PlannedPictures planned, const EditStyle& style) {
  if (planned.edit == nullptr || style.part_row) planned.edit = &style;
  return planned;
}

const EditStyle& BatchEdits::style_of_model() {
  if (own_ == nullptr) own_ = &flags_.style_for(engines_.front().model(), verbosity_);
  return *own_;
}

void BatchEdits::check_model(const EditStyle& style) {
  const auto [known, is_new] = refused_.emplace(&style, "");
  if (is_new) {
    try {
      check_edits(engines_.front(), style);
      for (const Engine& engine : engines_) engine.check_plan(planned_with(planned_, style));
    } catch (const Error& error) {
      known->second = error.what();
    }
  }
  if (!known->second.empty()) throw Error(ErrorKind::kData, known->second);
}

std::shared_ptr<const LineEdit> BatchEdits::read(const PromptLine& line) {
  const EditedImage& asked = *line.edit;
  LineEdit edit{.image = asked.image, .path = path_of(line)};
  edit.style = asked.style ? &edit_style(*asked.style) : &style_of_model();
  // The batch's weight means nothing to a line whose own style has no such row.
  const bool passes_over = asked.style && !edit.style->part_row;
  const std::optional<double> weight =
      asked.image_guidance || passes_over ? asked.image_guidance : flags_.image_guidance;
  edit.image_guidance = image_guidance_of(*edit.style, weight, "image_guidance");
  edit.orientation = asked.apply_orientation.value_or(flags_.orientation == Orientation::kApply)
                         ? Orientation::kApply
                         : Orientation::kAsStored;
  check_model(*edit.style);
  try {
    edit.sha256 = sha256(read_file(edit.path, kMostPictureBytes));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    throw Error(error.kind(), std::string("image names the picture to change: ") + error.what());
  }
  return std::make_shared<const LineEdit>(std::move(edit));
}

std::string BatchEdits::fault_of(const PictureJob& job) {
  if (job.edit == nullptr) return {};
  if (job.request.negative_prompt) {
    return "a negative prompt has no place in an edit, whose rows are those of its style";
  }
  if (job.request.thinking != nullptr) {
    return "--think has no place in an edit, whose prompt has a picture";
  }
  const auto fault =
      fault_of_edit(engines_.front(), *job.edit->style, job.request, settings_of(job));
  return fault ? fault->what() : std::string();
}

std::string BatchEdits::fault_of_picture(const PictureJob& job) {
  if (job.edit == nullptr) return {};
  try {
    picture_of_edit(*job.edit);
    return {};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    return error.what();
  }
}

void BatchEdits::complete(size_t i, const PictureJob& job, DrawRequest& request) {
  if (job.edit == nullptr) return;
  const EditStyle& style = *job.edit->style;
  const Picture picture = picture_of_edit(*job.edit);
  Engine& engine = engines_[i];
  engine.plan_for(planned_with(engine.planned(), style));
  Open& open = open_[i][&style];
  if (!open.editor) open.editor = std::make_unique<Editor>(engine, style);
  const std::string wanted =
      job.edit->sha256 + (job.edit->orientation == Orientation::kApply ? " turned" : "");
  if (open.shown != wanted) {
    open.shown.clear();
    open.editor->show(picture);
    open.shown = wanted;
  }
  request.spans = open.editor->prompt(request.prompt, settings_of(job));
}

}  // namespace bifrons::cli
