// Only reads. The store, which writes, uses the same terms.
#include "tools/bifrons/batch_place.h"

#include "src/store/random_base.h"
#include "tools/bifrons/generation.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/settings.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

BatchPlace::BatchPlace(PlaceFacts facts, const Engine& engine)
    : facts_(std::move(facts)),
      engine_(engine),
      index_(read_manifests(facts_.store.directory, stop_requested)) {}

PictureState BatchPlace::state_of(const PictureJob& job, bool hashes) const {
  const Resume resume = facts_.store.resume;
  if (resume == Resume::kFresh || (resume == Resume::kVerify && !hashes)) return PictureState::kNew;
  return state_of_picture(index_.find(job.file_name), facts_.store.directory,
                          {job.file_name, engine_.model().weights_hash, 0, "", job.key}, resume);
}

bool BatchPlace::lists(std::string_view file_name) const {
  return facts_.store.resume != Resume::kFresh && index_.find(file_name) != nullptr;
}

// An unlisted file may be from a batch that has lost its manifest. The run keeps it if it is the
// picture that would be drawn, and its settings show that before drawing.
bool BatchPlace::is_that_picture(const PictureJob& job) const {
  if (!facts_.metadata || facts_.judged || job.request.thinking != nullptr) return false;
  try {
    const std::string file = read_file(facts_.store.directory + "/" + job.file_name, kLongestFile);
    const PictureFileInfo info =
        read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
    PictureMetadata drawn = describe(job.request, facts_.rope, engine_.model(), engine_.device());
    if (job.edit != nullptr) add_edit_record(drawn, edit_record(*job.edit));
    return info.metadata.settings == drawn.settings;
  } catch (const Error&) {
    return false;
  }
}

std::string BatchPlace::fault_of_name(const PictureJob& job) const {
  const bool listed = index_.find(job.file_name) != nullptr;
  std::string fault = Store::fault_of_name(facts_.store, job.file_name, listed);
  if (!fault.empty() && !listed && is_that_picture(job)) return {};
  return fault;
}

uint64_t BatchPlace::random_base(const PictureJob& as_before) const {
  const bool anew = facts_.store.resume == Resume::kFresh && facts_.store.shards == 1;
  if (anew) return new_random_base();
  if (const auto kept = read_random_base(facts_.store.directory)) return *kept;
  const PictureState state = state_of(as_before, false);
  const bool old = state == PictureState::kDone || state == PictureState::kDamaged;
  return old && !facts_.random_seed ? 0 : new_random_base();
}

int64_t pictures_to_go_on_from(const StoreOptions& options) {
  if (options.resume == Resume::kFresh) return -1;
  const size_t listed = read_manifests(options.directory, stop_requested).size();
  return listed > 0 ? static_cast<int64_t>(listed) : -1;
}

}  // namespace bifrons::cli
