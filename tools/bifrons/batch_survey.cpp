// Counts the pictures of the stream that a run draws.
#include "tools/bifrons/batch_survey.h"

#include <fmt/format.h>

#include "src/batch/repeated_lines.h"
#include "tools/bifrons/batch_edits.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

class Surveyor {
 public:
  Surveyor(const Shard& shard, const SurveyHooks& hooks) : shard_(shard), hooks_(hooks) {}

  void take(const PictureJob& job) {
    const bool mine = job.drawn_index % shard_.count == shard_.index;
    if (job.repeat > 0) {
      const bool failed = mine && failed_.contains(ManifestIndex::hash(job.file_name));
      if (failed) take(BadLine{job.line, fault_of_repeat(job.file_name), job.id, job.file});
      return;
    }
    const PictureState state = mine ? hooks_.state(job) : PictureState::kNew;
    if (mine && state != PictureState::kDone && hooks_.name_fault) {
      if (std::string fault = hooks_.name_fault(job); !fault.empty()) {
        failed_.add(ManifestIndex::hash(job.file_name));
        return take(BadLine{job.line, std::move(fault), job.id, job.file});
      }
    }
    ++result.pictures;
    if (!mine) return;
    ++result.of_shard;
    result.done += state == PictureState::kDone;
    result.changed += state == PictureState::kChanged;
    if (state != PictureState::kDone && job.edit != nullptr) {
      result.planned = planned_with(result.planned, *job.edit->style);
    }
    if (state == PictureState::kDone || result.first_names.size() == kFirst) return;
    result.first_names.push_back(job.file_name);
    result.first_jobs.push_back(job);
  }

  // A line may have several bad pictures.
  void take(const BadLine& bad) {
    LinePlace place{bad.file, bad.number};
    result.bad_lines += place != last_bad_;
    last_bad_ = std::move(place);
    if (hooks_.bad) hooks_.bad(bad);
  }

  Survey result;

 private:
  static constexpr size_t kFirst = 3;
  const Shard& shard_;
  const SurveyHooks& hooks_;
  LinePlace last_bad_;
  SeenPictures failed_;  // by hash of the name
};

}  // namespace

Survey survey(JobStream& jobs, const Shard& shard, const SurveyHooks& hooks) {
  Surveyor surveyor(shard, hooks);
  while (auto item = jobs.next()) {
    std::visit([&](const auto& each) { surveyor.take(each); }, *item);
  }
  surveyor.result.lines = jobs.lines();
  surveyor.result.duplicates = jobs.duplicates();
  return std::move(surveyor.result);
}

Survey survey_all(JobStream& jobs, const Shard& shard, const BatchPlace& place,
                  const std::string& name) {
  constexpr int64_t kShown = 20;
  int64_t bad_lines = 0;
  SurveyHooks hooks;
  hooks.state = [&](const PictureJob& job) { return place.state_of(job, true); };
  hooks.name_fault = [&](const PictureJob& job) {
    std::string fault = place.fault_of_name(job);
    return fault.empty() ? BatchEdits::fault_of_picture(job) : fault;
  };
  hooks.bad = [&](const BadLine& bad) {
    if (++bad_lines <= kShown) {
      print_stderr(
          fmt::format("{}:{}: {}\n", bad.file.empty() ? name : bad.file, bad.number, bad.reason));
    }
  };
  Survey found = survey(jobs, shard, hooks);
  if (bad_lines > kShown)
    print_stderr(fmt::format("bifrons: {} more bad lines\n", bad_lines - kShown));
  return found;
}

void refuse_bad_lines(const Survey& survey) {
  if (survey.bad_lines == 0) return;
  throw Error(ErrorKind::kData,
              fmt::format("{} of {} lines are bad; nothing was drawn, because of --strict",
                          survey.bad_lines, survey.lines));
}

}  // namespace bifrons::cli
