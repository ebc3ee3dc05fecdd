// stdout carries paths or events. All other output goes to stderr.
#include "tools/bifrons/batch_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/io/json.h"
#include "src/io/quote.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr double kEventSeconds = 1;
constexpr int64_t kFailuresShown = 20;  // the others are in errors.jsonl

std::string members(const BatchCounts& c) {
  return fmt::format(R"("drawn":{},"skipped":{},"failed":{},"bad_lines":{},"duplicates":{})",
                     c.drawn, c.done_before, c.failed, c.bad_lines, c.duplicates);
}

// The JSON member that names the file, if there are several prompt files.
std::string file_member(const std::string& file) {
  return file.empty() ? "" : "\"prompt_file\":" + json_text(file) + ",";
}

}  // namespace

std::optional<int64_t> expected_pictures(const BatchSize& size, const BatchCounts& counts) {
  if (size.to_draw) return size.to_draw;
  if (!size.file_bytes || counts.file_bytes <= 0) return std::nullopt;
  const double part =
      std::min(1.0, static_cast<double>(counts.file_bytes) /
                        static_cast<double>(std::max<int64_t>(*size.file_bytes, 1)));
  // The file is read in blocks. The estimate is poor until several have been read.
  if (part < 1 && counts.file_bytes < (int64_t{1} << 18)) return std::nullopt;
  return static_cast<int64_t>(static_cast<double>(counts.taken) / part);
}

BatchWatch::BatchWatch(const BatchArguments& arguments, BatchSize size, int64_t tokens_of_a_picture)
    : quiet_(arguments.verbosity.quiet),
      jsonl_(arguments.jsonl),
      size_(size),
      tokens_of_a_picture_(tokens_of_a_picture),
      start_(Clock::now()) {
  ProgressKind kind = arguments.progress;
  if (kind == ProgressKind::kAuto) {
    kind = stderr_is_terminal() ? ProgressKind::kBar : ProgressKind::kLine;
  }
  bars_ = kind == ProgressKind::kBar && !quiet_;
  lines_ = kind == ProgressKind::kLine && !quiet_;
}

double BatchWatch::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

// The batch continues after stdout is closed, because the pictures can still be saved.
void BatchWatch::print(const std::string& text) {
  if (stdout_failed_) return;
  try {
    write_stdout(jsonl_ ? plain_json(text) : text);
  } catch (const Error&) {
    stdout_failed_ = true;
    print_stderr("bifrons: stdout takes no more; the batch goes on without it\n");
  }
}

void BatchWatch::clear() {
  if (on_screen_) print_stderr("\r\x1b[K\x1b[1A\r\x1b[K");
  on_screen_ = false;
}

void BatchWatch::above_bars(const std::function<void()>& body) {
  const bool redraw = on_screen_;
  clear();
  body();
  if (redraw) show_bars();
}

void BatchWatch::show_bars() {
  print_stderr(bars_text_);
  on_screen_ = true;
}

void BatchWatch::log(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (quiet_) return;
  above_bars([&] { print_stderr("bifrons: " + line + "\n"); });
}

void BatchWatch::start(const ModelInfo& model, const std::string& device, const Shard& shard) {
  const std::lock_guard lock(mutex_);
  if (!jsonl_) return;
  print(fmt::format(
      R"({{"schema":1,"event":"start","pictures":{},"model":{},"model_hash":"{}","device":{},)"
      R"("shard":[{},{}]}})"
      "\n",
      size_.to_draw ? std::to_string(*size_.to_draw) : "null", json_text(model.name),
      model.weights_hash, json_text(device), shard.index, shard.count));
}

void BatchWatch::picture(const FinishedPicture& picture) {
  const std::lock_guard lock(mutex_);
  if (!jsonl_) {
    above_bars([&] { print(picture.path + "\n"); });
    return;
  }
  const PictureJob& job = picture.drawn.job;
  const auto& choice = picture.drawn.choice;
  const auto& thought = picture.drawn.drawing.thought;
  print(fmt::format(
      R"({{"schema":1,"event":"image","file":{},"id":{},{}"line":{},"index":{},"seed":{},)"
      R"("seconds":{:.4f}{}}})"
      "\n",
      json_text(picture.path), json_text(job.id), file_member(job.file), job.line, job.index,
      job.request.seed, picture.drawn.drawing.seconds,
      (choice ? ",\"best_of\":" + choice_json(*choice) : "") +
          (thought ? ",\"thought\":" + json_text(thought->text) : "")));
}

void BatchWatch::failure(const std::string& file, const LinePlace& place,
                         const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (jsonl_) {
    print(fmt::format(R"({{"schema":1,"event":"error",{}"line":{},"reason":{}}})"
                      "\n",
                      file_member(place.file), place.line, json_text(reason)));
  }
  if (++shown_failures_ > kFailuresShown) return;
  above_bars([&] {
    print_stderr(
        fmt::format("{}:{}: {}\n", place.file.empty() ? file : place.file, place.line, reason));
  });
}

void BatchWatch::progress(size_t engine, int64_t tokens, const BatchCounts& counts) {
  const std::lock_guard lock(mutex_);
  tokens_[engine] = tokens;
  const double now = seconds();
  const double wait = bars_ ? kRedrawSeconds : jsonl_ ? kEventSeconds : kLineSeconds;
  if (now - last_shown_ < wait) return;
  last_shown_ = now;
  int64_t all = 0;
  for (const auto& [number, count] : tokens_) all += count;
  rate_.add(now, all);
  if (jsonl_) {
    const auto expected = expected_pictures(size_, counts);
    print(fmt::format(R"({{"schema":1,"event":"progress","tokens":{},{},"pictures":{},)"
                      R"("seconds":{:.3f}}})"
                      "\n",
                      all, members(counts), expected ? std::to_string(*expected) : "null", now));
  }
  if (bars_) draw_bars(all, counts);
  if (lines_ && now >= kLineSeconds) {
    const auto expected = expected_pictures(size_, counts);
    const double rate = static_cast<double>(counts.drawn) / now;
    print_stderr(fmt::format(
        "bifrons: {}{} pictures, {:.2f}/s{}\n", counts.drawn,
        expected ? fmt::format(" of {}", *expected) : "", rate,
        expected && rate > 0
            ? ", " + clock_text(static_cast<double>(*expected - counts.drawn) / rate) + " left"
            : ""));
  }
}

void BatchWatch::draw_bars(int64_t tokens, const BatchCounts& counts) {
  const double now = rate_.seconds(), rate = rate_.rate();
  const double each = static_cast<double>(tokens_of_a_picture_);
  const int columns = stderr_columns();
  clear();
  if (const auto expected = expected_pictures(size_, counts)) {
    bars_text_ = progress_line(counts.drawn, std::max(*expected, counts.drawn), now, rate / each,
                               columns, "pictures") +
                 "\n" +
                 progress_line(tokens, std::max(*expected * tokens_of_a_picture_, tokens), now,
                               rate, columns);
  } else {
    bars_text_ = fmt::format("{} pictures [{}, {:.2f}/s]\n{} tokens [{:.0f}/s]", counts.drawn,
                             clock_text(now), rate / each, tokens, rate);
  }
  show_bars();
}

void BatchWatch::speculated(const SpeculationStats& stats) {
  const std::lock_guard lock(mutex_);
  speculation_ = stats;
}

void BatchWatch::finish(const BatchCounts& counts, int exit_code) {
  const std::lock_guard lock(mutex_);
  clear();
  if (shown_failures_ > kFailuresShown && !quiet_) {
    print_stderr(fmt::format("bifrons: {} more lines failed\n", shown_failures_ - kFailuresShown));
  }
  if (jsonl_) {
    print(fmt::format(R"({{"schema":1,"event":"done",{},"passes":{},"codes_per_pass":{:.4f},)"
                      R"("mean_width":{:.4f},"seconds":{:.3f},"exit_code":{}}})"
                      "\n",
                      members(counts), speculation_.passes, codes_per_pass(speculation_),
                      mean_width(speculation_), seconds(), exit_code));
  }
}

std::string summary_of(const BatchCounts& counts, double seconds) {
  std::string text = fmt::format("drew {} pictures in {}", counts.drawn, clock_text(seconds));
  if (counts.drawn > 0 && seconds > 0) {
    text += fmt::format(" ({:.2f}/s)", static_cast<double>(counts.drawn) / seconds);
  }
  if (counts.done_before > 0) text += fmt::format(", {} were done before", counts.done_before);
  if (counts.changed > 0) text += fmt::format(", {} were changed", counts.changed);
  if (counts.damaged > 0) text += fmt::format(", {} were damaged or gone", counts.damaged);
  const int64_t repeats = counts.duplicates - counts.failed_repeats;
  if (repeats > 0) text += fmt::format(", {} repeat one and are listed with it", repeats);
  const int64_t failed = counts.failed + counts.bad_lines;
  if (failed > 0) text += fmt::format(", {} failed", failed);
  return text;
}

}  // namespace bifrons::cli
