// Draws a prompt file into a directory of pictures. A batch can be resumed after any interruption.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "kernels/threads.h"
#include "src/engine/seeds.h"
#include "src/io/quote.h"
#include "src/store/gallery.h"
#include "src/store/random_base.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/batch_drawing.h"
#include "tools/bifrons/batch_place.h"
#include "tools/bifrons/batch_survey.h"
#include "tools/bifrons/batch_watch.h"
#include "tools/bifrons/contact_sheets.h"
#include "tools/bifrons/dry_run.h"
#include "tools/bifrons/generation.h"
#include "tools/bifrons/picture_faults.h"
#include "tools/bifrons/prompt_files.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/shard.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/stop_sentence.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

// Files up to this size are read completely before drawing, so that the bars know the total.
constexpr int64_t kSmallFile = int64_t{4} << 20;

class Batch {
 public:
  explicit Batch(const BatchArguments& arguments)
      : arguments_(arguments),
        job_options_(job_options(arguments)),
        source_(arguments.files, arguments.format, arguments.strict),
        shard_(choose_shard(arguments.shard, environment)),
        setup_(arguments.engine.setup()) {}

  int run() {
    try {
      return run_or_stop();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInterrupted || listed_ < 0) throw;
      throw Error(error.kind(), stopped_sentence(listed_, 0));  // no picture was begun
    }
  }

 private:
  int run_or_stop() {
    set_fresh(arguments_.resume == Resume::kFresh);
    check_seed();
    log_shard();
    check_stdout();
    encode_picture({1, 1, {0, 0, 0}}, arguments_.save_as, nullptr);  // the build may lack a codec
    Store::check_place(store_options());
    if (!arguments_.dry_run) listed_ = pictures_to_go_on_from(store_options());
    set_pictures_before(listed_);
    if (arguments_.gallery) check_gallery_place(arguments_.output);
    if (arguments_.grid_per_prompt) check_line_sheets_place(arguments_.output);
    // All errors that can be found early are found before the store opens, because --fresh empties
    // it.
    open_engines();
    prepare_thinking();
    open_judges();
    edits_.emplace(arguments_.edit, engines_, arguments_.verbosity);
    job_options_.edit = [this](const PromptLine& line) { return edits_->read(line); };
    faults_.emplace(engines_.front(), *edits_, judges_.empty() ? nullptr : &judges_.front(),
                    job_options_.question);
    source_.check_headers(arguments_.comments);
    if (arguments_.dry_run) return dry_run();
    const BatchSize size = look_ahead();
    JobStream stream = jobs(
        true, [this](const PictureJob& job) { return random_base(job); },
        [this](std::string_view name) { return store_ != nullptr && store_->lists(name); });
    stream.begin();
    Store store(store_options());
    store_ = &store;
    log_history(store.history());
    set_pictures_before(std::max<int64_t>(listed_, 0));
    listed_ = -1;  // from here on draw() says what is done
    return draw(stream, store, size);
  }

  // Lines without a seed count up from --seed. The last of them must still be a seed.
  void check_seed() const {
    const Settings& settings = arguments_.settings;
    if (!settings.seed || settings.random_seed) return;
    check_seeds(ErrorKind::kUsage, *settings.seed,
                static_cast<uint64_t>(arguments_.count * arguments_.best_of.drawings()));
  }

  StoreOptions store_options() const {
    return {arguments_.output, shard_.shard.index, shard_.shard.count, arguments_.resume,
            arguments_.overwrite};
  }

  PlaceFacts place_facts() const {
    return {.store = store_options(),
            .rope = arguments_.settings.rope.value_or(RopeMode::kF32),
            .metadata = arguments_.metadata,
            .judged = arguments_.best_of.candidates.has_value(),
            .random_seed = job_options_.random_seed};
  }

  int dry_run() {
    const BatchPlace place(place_facts(), engines_.front());
    JobStream stream = jobs(true, place);
    const Survey found = survey_all(stream, shard_.shard, place, source_.name());
    return dry_run_batch(arguments_, {.found = found,
                                      .shard = shard_.shard,
                                      .engine = engines_.front(),
                                      .edits = *edits_,
                                      .judge = judges_.empty() ? nullptr : &judges_.front(),
                                      .question = job_options_.question});
  }

  // The number from which a directory's random seeds are made. 0 if an older version has drawn this
  // picture: its seeds were made from the prompt alone.
  uint64_t random_base(const PictureJob& as_before) {
    const PictureState state =
        store_->state_of({as_before.file_name, model().weights_hash, 0, "", as_before.key});
    const bool old = !job_options_.random_seed &&
                     (state == PictureState::kDone || state == PictureState::kDamaged);
    return keep_random_base(arguments_.output, old ? 0 : new_random_base());
  }

  void log_shard() const {
    for (const std::string& warning : shard_.warnings) log(arguments_.verbosity, warning);
    if (shard_.reason.empty()) return;
    log(arguments_.verbosity,
        fmt::format("shard {} of {} ({})", shard_.shard.index, shard_.shard.count, shard_.reason));
  }

  void log_history(const StoreHistory& history) const {
    if (history.damaged_lines > 0) {
      log(arguments_.verbosity, fmt::format("{} damaged lines of the manifest are dropped; their "
                                            "pictures are drawn again",
                                            history.damaged_lines));
    }
    if (history.removed > 0) {
      log(arguments_.verbosity,
          fmt::format("removed {} pictures of earlier runs", history.removed));
    }
  }

  JobStream jobs(bool with_warnings, const BatchPlace& place) {
    return jobs(
        with_warnings, [&place](const PictureJob& job) { return place.random_base(job); },
        [&place](std::string_view name) { return place.lists(name); });
  }

  // The stream of pictures and bad lines that a run, --strict and --dry-run use.
  JobStream jobs(bool with_warnings, std::function<uint64_t(const PictureJob&)> random_base,
                 std::function<bool(std::string_view)> is_listed) {
    std::function<void(const std::string&)> warn;
    if (with_warnings) {
      warn = [this](const std::string& text) { log(arguments_.verbosity, text); };
    }
    JobOptions options = job_options_;
    options.random_base = std::move(random_base);
    options.is_listed = std::move(is_listed);
    options.fault = [this](const PictureJob& job) { return faults_->of(job); };
    options.stop = stop_requested;
    return {source_.reader(warn, arguments_.comments), std::move(options)};
  }

  void open_engines() {
    thinks_ = arguments_.think.options(setup_.options.model);
    if (thinks_) setup_.options.planned = planned_pictures(*thinks_);
    const std::vector<std::string> devices = device_list(setup_.options.device);
    for (const std::string& device : devices) {
      EngineSetup setup = setup_;
      setup.options.device = device;
      setup.options.rope = arguments_.settings.rope.value_or(RopeMode::kF32);
      if (setup.options.threads == 0 && devices.size() > 1) {  // the engines share the cores
        setup.options.threads =
            std::max(1, static_cast<int>(std::thread::hardware_concurrency() / devices.size()));
      }
      setup.built_in = setup_.built_in && engines_.empty() && !arguments_.dry_run;
      engines_.push_back(open_engine(setup, arguments_.verbosity));
    }
    job_options_.image_size = model().image_size;
    job_options_.kv = model().kv;
  }

  // All engines have the same model, so one preparation serves them. Each loads its own text head.
  void prepare_thinking() {
    if (!thinks_) return;
    job_options_.defaults.thinking = engines_.front().thinking(*thinks_);
    job_options_.think_with = think_with(engines_.front(), *thinks_);
  }

  // Each engine judges its own pictures, because an engine cannot draw and judge at once.
  void open_judges() {
    if (!arguments_.best_of.candidates) return;
    for (Engine& engine : engines_) judges_.push_back(Understanding::open(engine));
    if (job_options_.question.empty()) job_options_.question = judges_.front().match_template();
  }

  // Counts the pictures to draw if the file is small, and finds bad lines for --strict. Writes
  // nothing.
  BatchSize look_ahead() {
    BatchSize size;
    if (source_.bytes() >= 0) size.file_bytes = source_.bytes();
    const bool small = source_.bytes() >= 0 && source_.bytes() <= kSmallFile;
    if (!arguments_.strict && !small) return size;
    const BatchPlace place(place_facts(), engines_.front());
    JobStream stream = jobs(false, place);
    SurveyHooks hooks;  // no hashes: the run computes them
    hooks.state = [&](const PictureJob& job) { return place.state_of(job, false); };
    const Survey found = arguments_.strict ? survey_all(stream, shard_.shard, place, source_.name())
                                           : survey(stream, shard_.shard, hooks);
    if (arguments_.strict) refuse_bad_lines(found);
    if (found.changed > 0) {
      log(arguments_.verbosity, fmt::format("{} pictures have other settings or another model than "
                                            "before and are drawn again",
                                            found.changed));
    }
    size.to_draw = found.to_draw();
    return size;
  }

  BatchSetup setup(BatchWatch& watch) {
    BatchSetup s;
    s.directory = arguments_.output;
    s.model = model();
    s.device = engines_.front().device();
    s.device.resize(std::min(s.device.size(), s.device.find(',')));
    s.rope = arguments_.settings.rope.value_or(RopeMode::kF32);
    s.shard = shard_.shard;
    s.writers = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 8);
    s.encode = [this, device = engines_.front().device(),
                rope = s.rope](const DrawnPicture& drawn) {
      PictureMetadata metadata =
          describe(drawn.job.request, rope, model(), device, drawn.drawing.thought.get());
      if (drawn.choice) add_judgement(metadata, *drawn.choice);
      if (drawn.job.edit != nullptr) add_edit_record(metadata, edit_record(*drawn.job.edit));
      return encode_picture(drawn.drawing.picture, drawn.job.format,
                            arguments_.metadata ? &metadata : nullptr);
    };
    s.on_picture = [&watch](const FinishedPicture& picture) {
      count_picture();
      watch.picture(picture);
    };
    s.on_failure = [this, &watch](const LinePlace& place, const std::string& reason) {
      watch.failure(source_.name(), place, reason);
    };
    s.stop = stop_requested;
    if (arguments_.grid_per_prompt) {
      s.on_asked = [this](const PictureJob& job) { line_sheets_.add(job); };
    }
    return s;
  }

  BatchEngine batch_engine(size_t i) {
    BatchEngine with{.engine = engines_[i]};
    with.complete = [this, i](const PictureJob& job, DrawRequest& request) {
      edits_->complete(i, job, request);
    };
    if (!judges_.empty()) with.judge = &judges_[i];
    with.candidates = arguments_.best_of.drawings();
    with.question = job_options_.question;
    return with;
  }

  int draw(JobStream& stream, Store& store, const BatchSize& size) {
    BatchWatch watch(arguments_, size, model().image_tokens * arguments_.best_of.drawings());
    BatchRun run(stream, store, setup(watch));
    watch.start(model(), engines_.front().device(), shard_.shard);

    std::vector<std::exception_ptr> failures(engines_.size());
    std::vector<std::thread> threads;
    const auto draw_safely = [&](size_t i) {
      try {
        BatchOptions options;
        options.lanes = arguments_.lanes;
        options.progress = [&, i](const BatchProgress& progress) {
          const BatchCounts counts = run.counts();
          set_pictures_before(counts.done_before);
          watch.progress(i, progress.tokens, counts);
          return !stop_requested() && !run.broken();
        };
        draw_with(batch_engine(i), run, options);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    };
    for (size_t i = 1; i < engines_.size(); ++i) {
      // The other engines draw what it would have drawn.
      if (!start_thread(threads, [&, i] { draw_safely(i); })) {
        log(arguments_.verbosity,
            fmt::format("no thread is to be had for device {} of {}; it is left "
                        "out",
                        i + 1, engines_.size()));
      }
    }
    draw_safely(0);
    for (std::thread& thread : threads) thread.join();
    watch.speculated(total_speculation(engines_));

    std::exception_ptr failure;
    try {
      run.finish();  // its error has priority: a full disk causes the others
    } catch (...) {
      failure = std::current_exception();
    }
    for (const std::exception_ptr& each : failures) {
      if (!failure && !is_stop(each)) failure = each;
    }
    return conclude(store, watch, run.counts(), failure);
  }

  int conclude(Store& store, BatchWatch& watch, const BatchCounts& counts,
               const std::exception_ptr& failure) {
    if (failure) return give_up(watch, counts, failure);
    if (stop_requested()) {
      watch.finish(counts, static_cast<int>(ErrorKind::kInterrupted));
      throw Error(ErrorKind::kInterrupted,
                  stopped_sentence(counts.done_before + counts.drawn, counts.drawn));
    }
    store.finish(counts.failed + counts.bad_lines, fmt::format("{:016x}", counts.jobs));
    if (arguments_.grid) save_sheet();
    if (arguments_.grid_per_prompt) save_line_sheets();
    const bool any = store.history().listed + counts.drawn > 0;
    if (arguments_.gallery && any) write_gallery(arguments_.output);
    if (arguments_.gallery && !any) watch.log("no pictures for a gallery");
    const int64_t failed = counts.failed + counts.bad_lines;
    int exit_code = failed > 0 ? kExitSomeFailed : 0;
    if (watch.stdout_failed()) exit_code = static_cast<int>(ErrorKind::kCannotWrite);
    const double seconds = watch.seconds();
    watch.log(summary_of(counts, seconds));
    if (arguments_.verbosity.verbose) {
      watch.log(speculation_text(total_speculation(engines_)));
      for (const Engine& engine : engines_) {
        const std::string words = decoding_text(engine.decoding());
        if (!words.empty()) watch.log(engine.device() + ": " + words);
      }
    }
    if (const int64_t others = store.history().listed - counts.listed; others > 0) {
      watch.log(
          fmt::format("{} pictures of earlier runs that {} no longer asks for stay there and are "
                      "listed; --fresh removes them",
                      others, source_.name()));
    }
    if (failed > 0) watch.log("what failed is in " + quote(store.errors_path()));
    watch.finish(counts, exit_code);
    return exit_code;
  }

  int give_up(BatchWatch& watch, const BatchCounts& counts, const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      watch.finish(counts, error.exit_code());
      throw Error(error.kind(), fmt::format("{}; {} pictures are done and safe; {}", error.what(),
                                            counts.done_before + counts.drawn, how_to_go_on()));
    }
  }

  void save_sheet() {
    const auto path = beside_batch(arguments_.output, "-grid.png");
    const auto sheet = batch_sheet(arguments_.output);
    if (sheet.empty()) return;
    log(arguments_.verbosity,
        "contact sheet: " + quote(save_output(path, arguments_.overwrite, sheet).string()));
  }

  void save_line_sheets() {
    LineSheets::Options options{arguments_.output, arguments_.overwrite, arguments_.metadata};
    options.warn = [this](const std::string& text) { log(arguments_.verbosity, text); };
    options.stop = stop_requested;
    const int64_t sheets = line_sheets_.save(options);
    log(arguments_.verbosity,
        fmt::format("{} sheets in {}", sheets, quote(line_sheets_directory(arguments_.output))));
  }

  const ModelInfo& model() const { return engines_.front().model(); }

  const BatchArguments& arguments_;
  JobOptions job_options_;  // its question is set when the judges are open
  PromptFiles source_;
  ShardChoice shard_;
  EngineSetup setup_;
  LineSheets line_sheets_;
  std::optional<ThinkOptions> thinks_;
  std::vector<Engine> engines_;
  std::vector<Understanding> judges_;  // one for each engine with --best-of, otherwise none
  std::optional<BatchEdits> edits_;
  std::optional<PictureFaults> faults_;
  const Store* store_ = nullptr;  // set when it is open
  int64_t listed_ = -1;           // pictures of earlier runs, for a stop before drawing
};

}  // namespace

int run_batch(const BatchArguments& arguments) { return Batch(arguments).run(); }

}  // namespace bifrons::cli
