// Thoughts are finished in any order and written in that of the prompt file.
#include "tools/bifrons/batch_thoughts.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "src/batch/job_stream.h"
#include "src/io/json.h"
#include "src/store/manifest_columns.h"
#include "src/store/random_base.h"
#include "tools/bifrons/prompt_files.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/shard.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/think_only.h"

namespace bifrons::cli {
namespace {

void refuse_pictures(const BatchArguments& a) {
  const std::pair<bool, const char*> needing[] = {{!a.output.empty(), "--output"},
                                                  {a.dry_run, "--dry-run"},
                                                  {a.best_of.candidates.has_value(), "--best-of"},
                                                  {a.grid, "--grid"},
                                                  {a.grid_per_prompt, "--grid-per-prompt"},
                                                  {a.gallery, "--gallery"}};
  for (const auto& [given, name] : needing) {
    if (!given) continue;
    throw Error(
        ErrorKind::kUsage,
        fmt::format("--think-only draws nothing and writes to standard output; leave out {}",
                    name));
  }
  if (device_list(a.engine.setup().options.device).size() > 1) {
    throw Error(ErrorKind::kUsage, "--think-only takes one device");
  }
}

class Thoughts {
 public:
  explicit Thoughts(const BatchArguments& arguments)
      : arguments_(arguments),
        source_(arguments.files, arguments.format, arguments.strict),
        shard_(choose_shard(arguments.shard, environment)),
        options_(job_options(arguments)) {}

  int run() {
    EngineSetup setup = arguments_.engine.setup();
    const auto thinks = arguments_.think.options(setup.options.model);
    if (!thinks) throw Error(ErrorKind::kUsage, "--think-only goes with --think");
    check_stdout();
    setup.options.planned = planned_pictures(*thinks);
    Engine engine = open_engine(setup, arguments_.verbosity);
    prepare(engine, *thinks);
    source_.check_headers(arguments_.comments);
    if (arguments_.strict) refuse_bad_lines();
    JobStream stream = jobs(true);
    write(engine, stream);
    return failed_ > 0 ? kExitSomeFailed : 0;
  }

 private:
  void prepare(Engine& engine, const ThinkOptions& thinks) {
    options_.image_size = engine.model().image_size;
    options_.defaults.thinking = engine.thinking(thinks);
    options_.think_with = think_with(engine, thinks);
    options_.edit = [](const PromptLine&) -> std::shared_ptr<const LineEdit> {
      throw Error(ErrorKind::kData, "--think has no place in an edit, whose prompt has a picture");
    };
    options_.fault = [&engine](const PictureJob& job) {
      const auto fault = engine.fault_of(job.request);
      return fault ? std::string(fault->what()) : std::string();
    };
    options_.random_base = [base = new_random_base()](const PictureJob&) { return base; };
    options_.stop = stop_requested;
  }

  JobStream jobs(bool with_warnings) {
    std::function<void(const std::string&)> warn;
    if (with_warnings) {
      warn = [this](const std::string& text) { log(arguments_.verbosity, text); };
    }
    return {source_.reader(warn, arguments_.comments), options_};
  }

  void refuse_bad_lines() {
    JobStream stream = jobs(false);
    while (auto item = stream.next()) {
      if (const auto* bad = std::get_if<BadLine>(&*item))
        fail({bad->file, bad->number}, bad->reason);
    }
    if (failed_ == 0) return;
    throw Error(ErrorKind::kData,
                fmt::format("{} of {} lines are bad; no thought was written, because of --strict",
                            failed_, stream.lines()));
  }

  // Any thread.
  void fail(const LinePlace& place, const std::string& reason) {
    ++failed_;
    print_stderr(fmt::format("{}:{}: {}\n", place.file.empty() ? source_.name() : place.file,
                             place.line, reason));
  }

  // The next job of this shard. Repeats are pictures of earlier lines.
  std::optional<PictureJob> next(JobStream& stream) {
    while (auto item = stream.next()) {
      if (const auto* bad = std::get_if<BadLine>(&*item)) {
        const std::lock_guard lock(mutex_);
        fail({bad->file, bad->number}, bad->reason);
        continue;
      }
      auto& job = std::get<PictureJob>(*item);
      if (job.repeat == 0 && job.drawn_index % shard_.shard.count == shard_.shard.index) {
        return std::move(job);
      }
    }
    return std::nullopt;
  }

  static std::string line_of(const PictureJob& job, const Thought& thought) {
    auto extras = job.extras;
    std::erase_if(extras, [](const auto& extra) {
      return extra.first == kThoughtMember || extra.first == kThinkMember;
    });
    std::string members = job.id.empty() ? "" : ",\"id\":" + json_text(job.id);
    for (const auto& [name, json] : extras) members += "," + json_text(name) + ":" + json;
    return thought_line(job.request, members, thought);
  }

  void take(BatchResult result) {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(result.id);
    const PictureJob& job = found->second;
    if (result.error) {
      fail({job.file, job.line}, result.error->what());
      lines_[result.id] = "";
    } else {
      lines_[result.id] = line_of(job, *result.drawing->thought);
    }
    jobs_.erase(found);
    for (auto at = lines_.begin(); at != lines_.end() && at->first == written_; ++written_) {
      if (!at->second.empty()) write_stdout(at->second);
      at = lines_.erase(at);
    }
  }

  void write(Engine& engine, JobStream& stream) {
    uint64_t number = 0;
    BatchOptions options;
    options.lanes = arguments_.lanes;
    options.thoughts_only = true;
    options.source_ready = [&stream] { return stream.ready(); };
    options.progress = [](const BatchProgress&) { return !stop_requested(); };
    const BatchStats stats = engine.draw_batch(
        [&]() -> std::optional<BatchJob> {
          auto job = next(stream);
          if (!job) return std::nullopt;
          BatchJob asked{number++, job->request};
          const std::lock_guard lock(mutex_);
          jobs_.emplace(asked.id, std::move(*job));
          return asked;
        },
        [this](BatchResult result) { take(std::move(result)); }, options);
    if (stats.stopped) throw Error(ErrorKind::kInterrupted, "stopped");
    log(arguments_.verbosity,
        fmt::format("wrote {} thought{} of {} tokens in {:.1f} s", stats.pictures,
                    stats.pictures == 1 ? "" : "s", stats.thought_tokens, stats.wall_seconds));
  }

  const BatchArguments& arguments_;
  PromptFiles source_;
  ShardChoice shard_;
  JobOptions options_;
  std::mutex mutex_;                       // guards the members below
  std::map<uint64_t, PictureJob> jobs_;    // given to the engine
  std::map<uint64_t, std::string> lines_;  // finished, but an earlier one is not
  uint64_t written_ = 0;
  int64_t failed_ = 0;
};

}  // namespace

int write_batch_thoughts(const BatchArguments& arguments) {
  refuse_pictures(arguments);
  return Thoughts(arguments).run();
}

}  // namespace bifrons::cli
