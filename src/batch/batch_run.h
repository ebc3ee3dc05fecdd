// One run of a batch: gives the missing pictures to an engine, and writes the results on its own
// threads.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/batch/job_stream.h"
#include "src/batch/repeated_lines.h"
#include "src/batch/writer_threads.h"
#include "src/bifrons.h"
#include "src/store/store.h"
#include "src/understand.h"

namespace bifrons {

// Pictures are counted for this run's shard, lines for the whole file.
struct BatchCounts {
  int64_t lines = 0;
  int64_t bad_lines = 0;
  int64_t done_before = 0;     // skipped, because an earlier run drew them
  int64_t taken = 0;           // given to an engine
  int64_t drawn = 0;           // on disk
  int64_t failed = 0;          // given to an engine but not drawn, or a repeat of such a picture
  int64_t duplicates = 0;      // repeats of pictures of earlier lines
  int64_t failed_repeats = 0;  // counted in both duplicates and failed
  int64_t changed = 0;         // counted in taken: drawn before with other settings
  int64_t damaged = 0;         // counted in taken: the listed file is missing or differs
  int64_t listed = 0;          // of all shards: requested and listed before, with any settings
  int64_t file_bytes = 0;      // of the prompt file, read so far
  int64_t written_bytes = 0;
  uint64_t jobs = 0;  // hash of all shards' pictures so far and of the model
};

// The result of a job. With --best-of the request's seed is that of the kept candidate.
struct DrawnPicture {
  PictureJob job;
  Drawing drawing;
  std::optional<Choice> choice{};  // not set: one drawing without candidates
};

// A job and its result, with the path of the file, for callbacks.
struct FinishedPicture {
  const DrawnPicture& drawn;
  std::string path;
};

struct BatchSetup {
  std::string directory;
  ModelInfo model;
  std::string device;  // without the thread count
  RopeMode rope = RopeMode::kF32;
  Shard shard;
  int writers = 2;
  // Encodes pixels to the bytes of a file, with metadata. Several threads call it at once.
  std::function<std::vector<uint8_t>(const DrawnPicture&)> encode;
  // Called by one thread at a time; the order of pictures is not defined.
  std::function<void(const FinishedPicture&)> on_picture{};
  std::function<void(const LinePlace& place, const std::string& reason)> on_failure{};
  std::function<bool()> stop{};  // true: give no more pictures to engines
  // Called for every picture that the file requests, of all shards and in order, drawn or not.
  std::function<void(const PictureJob&)> on_asked{};
};

// The JSON members of a manifest's line that come from the line of the prompt file.
std::string line_members(const PictureJob& job);
// JSON members with all settings of the picture and the result, such as its size.
std::string manifest_members(const DrawnPicture& drawn, const BatchSetup& setup);

class BatchRun {
 public:
  // Both must outlive the run.
  BatchRun(JobStream& jobs, Store& store, BatchSetup setup);
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  // Completes the request of a job for the engine that draws it. Throws Error (usage, data,
  // missing): this picture fails.
  using Complete = std::function<void(const PictureJob& job, DrawRequest& request)>;

  // Source and sink of Engine::draw_batch(). Several engines may share them. `complete` is called
  // without a lock, on the caller's thread.
  std::optional<BatchJob> take(const Complete& complete = {});
  // Whether take() returns without waiting for the prompt file or for another engine's call.
  bool ready();
  // Blocks while the queue of the writers is full. Throws the error of a writer.
  void deliver(BatchResult result);
  // deliver() for a job whose candidates were drawn by Candidates.
  void deliver(uint64_t id, ChosenDrawing chosen);

  // Waits until all delivered pictures are on disk, then lists their repeats. Throws the error of a
  // writer. Call it once, when no thread calls take() or deliver() any more.
  void finish();
  // Whether a writer has failed. Then no further picture is written.
  bool broken() const { return writers_.broken(); }
  BatchCounts counts() const;

 private:
  std::optional<BatchJob> find_job(bool waits);
  std::optional<BatchJob> take_found();
  ManifestEntry entry_of(const PictureJob& job) const;
  void note_asked(const PictureJob& job, const ManifestEntry& entry);
  PictureJob claim(uint64_t id);
  void enqueue(DrawnPicture drawn);
  void write(const DrawnPicture& drawn);
  void fail_line(const LinePlace& place, const std::string& id, const std::string& reason);

  JobStream& jobs_;
  Store& store_;
  BatchSetup setup_;

  std::mutex source_mutex_;  // guards jobs_ and the three members below
  RepeatedLines repeats_;
  bool dry_ = false;
  std::optional<BatchJob> found_;  // found by ready(), for the next take()

  mutable std::mutex mutex_;                          // guards the two members below
  std::unordered_map<uint64_t, PictureJob> pending_;  // given to an engine, by index
  BatchCounts counts_;

  std::mutex event_mutex_;
  WriterThreads writers_;  // last: its tasks use the other members
};

}  // namespace bifrons
