// No lock is held while a file is written.
#include "src/batch/batch_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "src/io/json.h"
#include "src/io/sha256.h"
#include "src/settings/settings.h"
#include "src/store/manifest_columns.h"
#include "src/think.h"

namespace bifrons {
namespace {

// Written if there are several prompt files. `line` counts in this file.
constexpr std::string_view kFileMember = "prompt_file";

std::string tokens_sha256(const std::vector<int32_t>& tokens) {
  std::vector<uint8_t> bytes;  // little-endian on every machine
  bytes.reserve(tokens.size() * 4);
  for (const int32_t token : tokens) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<uint8_t>(static_cast<uint32_t>(token) >> shift));
    }
  }
  return sha256(bytes);
}

bool is_about_one_picture(const Error& error) {
  return error.kind() == ErrorKind::kUsage || error.kind() == ErrorKind::kData ||
         error.kind() == ErrorKind::kMissing;
}

}  // namespace

std::string line_members(const PictureJob& job) {
  std::string out = "\"text\":" + json_text(job.request.prompt);
  const auto add = [&out](std::string_view name, const std::string& json) {
    out += fmt::format(",{}:{}", json_text(name), json);
  };
  if (!job.template_text.empty()) add("template", json_text(job.template_text));
  if (!job.id.empty()) add("id", json_text(job.id));
  auto extras = job.extras;
  if (job.request.thinking != nullptr) {
    std::erase_if(extras, [](const auto& extra) {
      return extra.first == kThoughtMember || extra.first == kThinkMember;
    });
  }
  if (!job.file.empty()) {
    std::erase_if(extras, [](const auto& extra) { return extra.first == kFileMember; });
  }
  out += column_members(extras);
  if (!job.file.empty()) add(kFileMember, json_text(job.file));
  add("index", std::to_string(job.index));
  add("line", std::to_string(job.line));
  add("number", std::to_string(job.number));
  return out;
}

std::string manifest_members(const DrawnPicture& drawn, const BatchSetup& setup) {
  const DrawRequest& r = drawn.job.request;
  std::string out = line_members(drawn.job);
  const auto add = [&out](std::string_view name, const std::string& json) {
    out += fmt::format(",{}:{}", json_text(name), json);
  };
  out += number_members(r);
  if (r.negative_prompt) add("negative_prompt", json_text(*r.negative_prompt));
  add("allow_special", r.allow_special ? "true" : "false");
  if (drawn.job.edit != nullptr) add("edit", edit_member(*drawn.job.edit, setup.directory));
  if (const Thought* thought = drawn.drawing.thought.get()) {
    add(kThinkMember, json_text(options_of(*r.thinking).style.name));
    add(kThoughtMember, json_text(thought->text));
  }
  add("rope", json_text(rope_name(setup.rope)));
  if (setup.model.kv != KvFormat::kStored) add("kv_cache", json_text(kv_name(setup.model.kv)));
  add("model", json_text(setup.model.name));
  add("program", json_text("bifrons " + build_info().version));
  add("device", json_text(setup.device));
  if (drawn.choice) add("best_of", best_of_json(choice_json(*drawn.choice)));
  add("width", std::to_string(drawn.drawing.picture.width));
  add("height", std::to_string(drawn.drawing.picture.height));
  add("seconds", fmt::format("{:.4f}", drawn.drawing.seconds));
  add("tokens_sha256", json_text(tokens_sha256(drawn.drawing.tokens)));
  return out;
}

BatchRun::BatchRun(JobStream& jobs, Store& store, BatchSetup setup)
    : jobs_(jobs),
      store_(store),
      setup_(std::move(setup)),
      repeats_(store),
      writers_(setup_.writers) {
  counts_.jobs = ManifestIndex::hash(setup_.model.weights_hash);
}

ManifestEntry BatchRun::entry_of(const PictureJob& job) const {
  return {.file_name = job.file_name,
          .model = setup_.model.weights_hash,
          .key = job.key,
          .repeat = job.repeat};
}

void BatchRun::note_asked(const PictureJob& job, const ManifestEntry& entry) {
  const bool listed = store_.lists(listing_of(entry));
  const std::lock_guard lock(mutex_);
  counts_.listed += listed;
  if (job.repeat > 0) return;
  // Random seeds differ between directories, so they are not part of the hash.
  const std::string drawn =
      job.random_seed ? fmt::format("{} random", job.index) : former_name(job) + " " + job.key;
  counts_.jobs = ManifestIndex::hash(fmt::format("{:x} {}", counts_.jobs, drawn));
}

// The next picture to draw. Without `waits` it reads only what is available of the prompt file.
std::optional<BatchJob> BatchRun::find_job(bool waits) {
  // Returns from time to time, because repeats are listed only after their pictures have been
  // drawn.
  constexpr int kMostRepeats = 256;
  int repeats = 0;
  while (!dry_ && !writers_.broken() && !(setup_.stop && setup_.stop())) {
    if (!waits && (repeats == kMostRepeats || !jobs_.ready())) break;
    std::optional<JobStream::Item> item = jobs_.next();
    {
      const std::lock_guard lock(mutex_);
      counts_.lines = jobs_.lines();
      counts_.duplicates = jobs_.duplicates();
      counts_.file_bytes = jobs_.bytes_read();
    }
    if (!item) {
      dry_ = true;
      break;
    }
    if (const auto* bad = std::get_if<BadLine>(&*item)) {
      {
        const std::lock_guard lock(mutex_);
        ++counts_.bad_lines;
      }
      fail_line({bad->file, bad->number}, bad->id, bad->reason);
      continue;
    }
    PictureJob& job = std::get<PictureJob>(*item);
    if (setup_.on_asked) setup_.on_asked(job);
    const ManifestEntry wanted = entry_of(job);
    note_asked(job, wanted);
    if (job.drawn_index % setup_.shard.count != setup_.shard.index) continue;
    const PictureState state = store_.state_of(wanted);
    if (job.repeat > 0) {
      if (state != PictureState::kDone) {
        repeats_.add({{wanted, line_members(job)}, {job.file, job.line}, job.id, job.index});
        ++repeats;
      }
      continue;
    }
    const std::lock_guard lock(mutex_);
    if (state == PictureState::kDone) {
      ++counts_.done_before;
      continue;
    }
    counts_.changed += state == PictureState::kChanged;
    counts_.damaged += state == PictureState::kDamaged;
    ++counts_.taken;
    BatchJob next{static_cast<uint64_t>(job.index), job.request};
    pending_.emplace(next.id, std::move(job));
    return next;
  }
  return std::nullopt;
}

std::optional<BatchJob> BatchRun::take_found() {
  const std::lock_guard lock(source_mutex_);
  return found_ ? std::exchange(found_, std::nullopt) : find_job(true);
}

std::optional<BatchJob> BatchRun::take(const Complete& complete) {
  while (std::optional<BatchJob> job = take_found()) {
    if (!complete) return job;
    PictureJob of_job;
    {
      const std::lock_guard lock(mutex_);
      of_job = pending_.at(job->id);
    }
    try {
      complete(of_job, job->request);
      return job;
    } catch (const Error& error) {
      if (!is_about_one_picture(error)) throw;
      deliver({.id = job->id, .error = error, .attempts = 0});
    }
  }
  return std::nullopt;
}

bool BatchRun::ready() {
  const std::unique_lock lock(source_mutex_, std::try_to_lock);
  if (!lock) return false;
  if (!found_) found_ = find_job(false);
  return dry_ || found_;
}

PictureJob BatchRun::claim(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(id);
  check(found != pending_.end(), "batch: a result nobody asked for");
  PictureJob job = std::move(found->second);
  pending_.erase(found);
  return job;
}

void BatchRun::deliver(BatchResult result) {
  PictureJob job = claim(result.id);
  if (!result.error) return enqueue({std::move(job), std::move(*result.drawing)});
  {
    const std::lock_guard lock(mutex_);
    ++counts_.failed;
  }
  fail_line({job.file, job.line}, job.id, result.error->what());
}

void BatchRun::deliver(uint64_t id, ChosenDrawing chosen) {
  PictureJob job = claim(id);
  job.request.seed = chosen.candidates[chosen.kept].seed;
  Drawing drawing = std::move(chosen.drawing);
  enqueue({std::move(job), std::move(drawing), std::move(chosen)});
}

void BatchRun::enqueue(DrawnPicture drawn) {
  writers_.add([this, drawn = std::move(drawn)] { write(drawn); });
}

void BatchRun::write(const DrawnPicture& drawn) {
  const PictureJob& job = drawn.job;
  std::vector<uint8_t> file;
  std::string reason;
  try {
    file = setup_.encode(drawn);
    store_.add(entry_of(job), manifest_members(drawn, setup_), file);
  } catch (const NameTaken& error) {
    reason = error.what();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUsage) throw;  // a format this build cannot write
    reason = error.what();
  }
  {
    const std::lock_guard lock(mutex_);
    ++(reason.empty() ? counts_.drawn : counts_.failed);
    counts_.written_bytes += reason.empty() ? static_cast<int64_t>(file.size()) : 0;
  }
  if (!reason.empty()) return fail_line({job.file, job.line}, job.id, reason);
  if (!setup_.on_picture) return;
  const std::lock_guard lock(event_mutex_);
  setup_.on_picture({drawn, (std::filesystem::path(setup_.directory) / job.file_name).string()});
}

void BatchRun::finish() {
  writers_.finish();
  bool whole = false;
  {
    const std::scoped_lock lock(source_mutex_, mutex_);
    whole = dry_ && !found_ && pending_.empty();
  }
  for (const RepeatedLine& line : repeats_.finish()) {
    if (!whole) return;  // stopped: the next run lists them
    {
      const std::lock_guard lock(mutex_);
      ++counts_.failed;
      ++counts_.failed_repeats;
    }
    fail_line(line.place, line.id, fault_of_repeat(line.listing.entry.file_name));
  }
}

void BatchRun::fail_line(const LinePlace& place, const std::string& id, const std::string& reason) {
  const std::string file =
      place.file.empty() ? "" : fmt::format("\"{}\":{},", kFileMember, json_text(place.file));
  store_.add_error(fmt::format("{{{}\"line\":{},\"id\":{},\"reason\":{}}}", file, place.line,
                               json_text(id), json_text(reason)));
  if (!setup_.on_failure) return;
  const std::lock_guard lock(event_mutex_);
  setup_.on_failure(place, reason);
}

BatchCounts BatchRun::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace bifrons
