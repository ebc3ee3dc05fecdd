// The same stream of pictures that a run takes, only counted.
#include "tools/bifrons/batch_survey.h"

namespace bifrons {

Survey survey(JobStream& jobs, const Shard& shard, const SurveyHooks& hooks) {
  constexpr size_t kFirst = 3;
  Survey result;
  while (auto item = jobs.next()) {
    if (hooks.stop && hooks.stop()) throw Error(ErrorKind::kInterrupted, "stopped before drawing");
    const auto* bad = std::get_if<BadLine>(&*item);
    if (bad == nullptr) {
      const PictureJob& job = std::get<PictureJob>(*item);
      const std::string fault = hooks.fault ? hooks.fault(job.request) : std::string();
      if (!fault.empty()) item = BadLine{job.line, fault};
      bad = std::get_if<BadLine>(&*item);
    }
    if (bad != nullptr) {
      ++result.bad_lines;
      if (hooks.bad) hooks.bad(*bad);
      continue;
    }
    const PictureJob& job = std::get<PictureJob>(*item);
    ++result.pictures;
    if (job.index % shard.count != shard.index) continue;
    ++result.of_shard;
    const PictureState state = hooks.state(job);
    result.done += state == PictureState::kDone;
    result.changed += state == PictureState::kChanged;
    if (state != PictureState::kDone && result.first_names.size() < kFirst) {
      result.first_names.push_back(job.file_name);
      result.first_requests.push_back(job.request);
    }
  }
  result.lines = jobs.lines();
  result.duplicates = jobs.duplicates();
  return result;
}

}  // namespace bifrons
