// Pictures are made one at a time, so a line of 100,000 pictures needs no more memory than a line
// of one.
#include "src/batch/job_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/engine/seeds.h"
#include "src/io/json.h"
#include "src/io/letters.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/name_rules.h"
#include "src/prompts/picture_name.h"
#include "src/prompts/requested_size.h"
#include "src/store/manifest.h"
#include "src/think.h"

namespace bifrons {
namespace {

// The fault of a prompt made from a template, for example of a value from a wildcard file.
std::string fault_of_filled(const DrawRequest& request) {
  for (const std::string& text : {request.prompt, request.negative_prompt.value_or("")}) {
    const auto control = control_character(text, true);
    if (!control) continue;
    return fmt::format("the filled-in template holds a control character (0x{:02x}) at byte {}",
                       control->code, control->at);
  }
  const bool blank = request.prompt.find_first_not_of(" \t\n") == std::string::npos;
  return blank ? "the filled-in template is an empty prompt" : "";
}

// The difference between the seeds of two successive pictures of a line.
uint64_t stride(const JobOptions& options) {
  return static_cast<uint64_t>(std::max<int64_t>(1, options.best_of));
}

bool is_random(const PromptLine& line, const JobOptions& options) {
  return line.random_seed || (!line.seed && options.random_seed);
}

}  // namespace

JobStream::JobStream(PromptReader reader, JobOptions options)
    : reader_(std::move(reader)), options_(std::move(options)), wildcards_(options_.wildcards) {}

void JobStream::check_stop() const {
  if (options_.stop && options_.stop()) throw Error(ErrorKind::kInterrupted, "stopped");
}

void JobStream::hint_at_templates(const PromptLine& line) {
  const auto is_comment = [](const std::string& text) {
    return text.starts_with('#') || text.find(" #") != std::string::npos;
  };
  if (options_.expand && is_comment(*line.prompt)) {
    reader_.warn("what stands behind a # is a comment in templates; write \\# for the sign itself");
  }
  if (!options_.expand && (looks_like_template(*line.prompt) ||
                           (line.negative_prompt && looks_like_template(*line.negative_prompt)))) {
    reader_.warn(
        "prompts with {a|b} or __name__ are drawn as they stand; --expand fills such templates in");
  }
}

void JobStream::begin_template(Current& current, const PromptLine& line) {
  current.expansion.emplace(*line.prompt, wildcards_);
  const auto& negative =
      line.negative_prompt ? line.negative_prompt : options_.defaults.negative_prompt;
  try {
    if (negative) current.negative.emplace(*negative, wildcards_);
  } catch (const Error& error) {
    throw Error(error.kind(), std::string("the negative prompt: ") + error.what());
  }
  if (!options_.combinatorial) {
    if (current.expansion->asks_all() || (current.negative && current.negative->asks_all())) {
      throw Error(ErrorKind::kData, "{!...} asks for all combinations; add --combinatorial");
    }
    return;
  }
  const int64_t combinations = current.expansion->combinations();
  const int64_t negatives = current.negative ? current.negative->combinations() : 1;
  current.per_prompt = current.count;
  const double pictures = static_cast<double>(combinations) * static_cast<double>(negatives) *
                          static_cast<double>(current.per_prompt);
  if (pictures > static_cast<double>(kMostCombinations)) {
    throw Error(
        ErrorKind::kData,
        fmt::format("more than {} combinations; draw some at random instead", kMostCombinations));
  }
  current.count = static_cast<int64_t>(pictures);
}

void JobStream::begin_line(PromptLine line) {
  check_size(line, options_.image_size);
  Current current;
  current.count = line.count.value_or(options_.count);
  hint_at_templates(line);
  if (options_.expand) begin_template(current, line);
  if (options_.defaults.thinking != nullptr && options_.think_with) take_thought(current, line);
  if (line.edit) {
    if (!options_.edit) throw Error(ErrorKind::kData, "pictures are not changed here");
    current.edit = options_.edit(line);
  }
  current.line = std::move(line);
  current_ = std::move(current);
  choose_seeds();
}

// A line may give its thought itself, as lines of our own manifests do.
void JobStream::take_thought(Current& current, const PromptLine& line) {
  for (const auto& [name, json] : line.extras) {
    if (name != kThoughtMember) continue;
    current.thinking = options_.think_with(Json::parse(json, "thought").text("thought"));
  }
}

// What all pictures of the line have in common.
PictureJob JobStream::job_of_line() const {
  PictureJob job;
  job.request = options_.defaults;
  apply(current_->line, job.request);
  if (current_->thinking != nullptr) job.request.thinking = current_->thinking;
  job.edit = current_->edit;
  job.format = format_of_line();
  return job;
}

uint64_t JobStream::random_seed_of_line() {
  Current& c = *current_;
  if (!random_base_) {
    c.first_seed = seed_of_prompt(*c.line.prompt);
    const PictureJob as_before = make(0);
    c.offset = 0;
    is_broken_ = true;  // an error here concerns the directory, not the line
    random_base_ = options_.random_base ? options_.random_base(as_before) : 0;
    is_broken_ = false;
  }
  return seed_of_prompt(*c.line.prompt, *random_base_);
}

// Chooses the first seed, and whether the line avoids the seeds of earlier lines.
void JobStream::choose_seeds() {
  Current& c = *current_;
  const PromptLine& line = c.line;
  if (is_random(line, options_)) {
    c.first_seed = random_seed_of_line();
  } else {
    c.first_seed = line.seed       ? *line.seed
                   : options_.seed ? *options_.seed
                                   : seed_of_prompt(*line.prompt);
  }
  check_seeds(ErrorKind::kData, c.first_seed, static_cast<uint64_t>(c.count) * stride(options_));
  if (line.seed) return;
  PictureJob first = job_of_line();
  first.request.seed = c.first_seed;
  c.kind = settings_hash(first);
  c.steps_aside = true;
  if (const auto before = offsets_.find(c.kind); before != offsets_.end()) {
    c.offset = before->second;
    c.has_stepped = true;
  }
  const std::optional<std::string> own = own_name();
  const uint64_t name = ManifestIndex::hash(own.value_or(""));
  c.has_own_name = own.has_value();
  if (!own || !names_.contains(name)) return;
  c.follows = true;
  c.steps_aside = false;  // it names an existing picture
}

// Gives a picture of such a line the seed of the earlier picture with the same name. If there is
// none, the line has more pictures than the earlier one, and these avoid used seeds.
void JobStream::follow(PictureJob& job, int64_t number) {
  Current& c = *current_;
  const uint64_t name = ManifestIndex::hash(fold_case(name_of(job)));
  const auto stepped = stepped_.find(name);
  c.steps_aside = !names_.contains(name);
  if (!c.steps_aside) c.offset = stepped == stepped_.end() ? number : stepped->second;
  fill_in(job.request, number, c.offset);
}

// The name of the line's first picture in lower case, if the line itself gives it; nullopt if the
// name comes from the batch or depends on the seed.
std::optional<std::string> JobStream::own_name() {
  const PromptLine& line = current_->line;
  const bool by_id = !line.id.empty() &&
                     (options_.name.empty() || options_.name.find("{id}") != std::string::npos);
  if (line.output.empty() && !by_id) return std::nullopt;
  PictureJob job = job_of_line();
  fill_in(job.request, 0, 0);
  std::string name = name_of(job);
  ++job.request.seed;
  return name_of(job) == name ? std::optional(fold_case(name)) : std::nullopt;
}

PictureFormat JobStream::format_of_line() const {
  const std::string& output = current_->line.output;
  return picture_format_of(output.empty() ? options_.name : output).value_or(options_.format);
}

// Sets the seed at that offset and its prompts.
void JobStream::fill_in(DrawRequest& request, int64_t number, int64_t offset) {
  Current& c = *current_;
  const uint64_t step = static_cast<uint64_t>(offset) * stride(options_);
  check_seeds(ErrorKind::kData, c.first_seed, step + stride(options_));
  request.seed = c.first_seed + step;
  if (!c.expansion) return;
  if (!options_.combinatorial) {
    // Candidates or a negative prompt do not change the prompts.
    const uint64_t seed = c.first_seed + static_cast<uint64_t>(offset);
    constexpr uint64_t kOther = 0x6e65676174697665;  // independent draws for negative prompts
    c.prompt = c.expansion->random(seed, number);
    if (c.negative) c.negative_prompt = c.negative->random(seed ^ kOther, number);
  } else if (number % c.per_prompt == 0) {
    const int64_t index = number / c.per_prompt;
    const int64_t negatives = c.negative ? c.negative->combinations() : 1;
    c.prompt = c.expansion->combination(index / negatives);
    if (c.negative) c.negative_prompt = c.negative->combination(index % negatives);
  }
  request.prompt = c.prompt;
  if (c.negative) request.negative_prompt = c.negative_prompt;
}

PictureJob JobStream::make(int64_t number) {
  Current& c = *current_;
  PictureJob job = job_of_line();
  job.line = c.line.number;
  job.number = number + 1;
  job.id = c.line.id;
  job.extras = c.line.extras;
  job.random_seed = is_random(c.line, options_);
  if (c.expansion) job.template_text = *c.line.prompt;
  fill_in(job.request, number, c.offset);
  if (c.follows) follow(job, number);
  for (; c.steps_aside && seen_.contains(settings_hash(job));
       fill_in(job.request, number, ++c.offset)) {
    c.has_stepped = true;
    check_stop();
  }
  ++c.offset;
  if (c.steps_aside && c.has_stepped) offsets_[c.kind] = c.offset;
  job.key = picture_key(job, options_);
  job.file_name = name_of(job);
  return job;
}

// A line's output has priority over the batch's pattern, and the pattern over an id. The name is
// numbered if the line gives several pictures. Without any of these the name is made from the
// settings, so it does not depend on the position of the line.
std::string JobStream::name_of(const PictureJob& job) const {
  const PromptLine& line = current_->line;
  std::string pattern = line.output.empty() ? options_.name : line.output;
  if (pattern.empty() && line.id.empty()) {
    std::string former = automatic_name(job, former_slug(job.request.prompt));
    const bool was_drawn = options_.is_listed && options_.is_listed(former);
    return was_drawn ? former : automatic_name(job, slug(job.request.prompt));
  }
  std::string ending(ending_of(job.format));
  if (picture_format_of(pattern)) {
    ending = pattern.substr(pattern.rfind('.'));
    pattern.resize(pattern.size() - ending.size());
  }
  std::string name = pattern.empty()
                         ? line.id
                         : picture_name(pattern, {line, job.request.prompt, job.request.seed,
                                                  index_, job.number - 1});
  const bool apart = current_->count == 1 || (!pattern.empty() && tells_pictures_apart(pattern));
  name += (apart ? "" : fmt::format("-{:04}", job.number)) + ending;
  const std::string fault = fault_of_path(name);
  if (!fault.empty()) {
    throw Error(ErrorKind::kData, quote(name, 120) + " cannot be an output name: it " + fault);
  }
  return name;
}

// Whether a path would have to be both a file and a folder.
bool JobStream::is_below_a_picture(std::string_view file_name) {
  const std::string name = fold_case(file_name);
  if (folders_.contains(ManifestIndex::hash(name))) return true;
  for (size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
    const uint64_t folder = ManifestIndex::hash(std::string_view(name).substr(0, slash));
    if (names_.contains(folder)) return true;
    folders_.insert(folder);
  }
  return false;
}

// Why the engine would refuse it. Pictures of a line can differ only in their prompts.
std::string JobStream::fault_of(const PictureJob& job) {
  Current& c = *current_;
  if (!options_.fault) return {};
  const auto same = [&job](const DrawRequest& checked) {
    return checked.prompt == job.request.prompt &&
           checked.negative_prompt == job.request.negative_prompt;
  };
  if (!c.checked || !same(*c.checked)) {
    c.fault = options_.fault(job);
    c.checked = job.request;
  }
  return c.fault;
}

// Reports a line once. Its other pictures may be good.
std::optional<BadLine> JobStream::report(const PictureJob& job, std::string reason) {
  if (std::exchange(current_->reported, true)) return std::nullopt;
  return BadLine{job.line, std::move(reason), job.id};
}

// Gives the picture its index, if it can be drawn.
std::optional<JobStream::Item> JobStream::place(PictureJob job) {
  if (std::string fault = fault_of_filled(job.request); !fault.empty()) {
    return report(job, std::move(fault));
  }
  // A repeat has exactly the same file name.
  const uint64_t key = ManifestIndex::hash(job.key + job.file_name);
  // Case is ignored: for some file systems A.png is a.png.
  const uint64_t name = ManifestIndex::hash(fold_case(job.file_name));
  const auto [known, is_new] = names_.emplace(name, Known{key, index_});
  if (!is_new && known->second.key != key) {
    return report(job, "an earlier line already gives a picture named " +
                           quote(job.file_name, 120) + ", large and small letters alike");
  }
  if (is_new && is_below_a_picture(job.file_name)) {
    names_.erase(known);
    return report(job,
                  quote(job.file_name, 120) + " would be below a picture, or a folder of others");
  }
  job.index = index_++;
  job.drawn_index = known->second.index;
  if (std::string fault = fault_of(job); !fault.empty()) return report(job, std::move(fault));
  seen_.add(settings_hash(job));
  if (!is_new) {
    job.repeat = ++repeats_[name];
    ++duplicates_;
  } else if (current_->has_own_name && current_->offset > job.number) {
    stepped_[name] = current_->offset - 1;
  }
  return job;
}

std::optional<JobStream::Item> JobStream::next_of_line() {
  const int64_t line = current_->line.number;
  try {
    std::optional<Item> item = place(make(current_->next++));
    if (current_->next >= current_->count) current_.reset();
    return item;
  } catch (const Error& error) {
    if (is_broken_ || error.kind() == ErrorKind::kInterrupted) throw;
    BadLine bad{line, error.what(), current_->line.id};
    const bool reported = current_->reported;
    current_.reset();
    if (reported) return std::nullopt;
    return bad;
  }
}

std::optional<JobStream::Item> JobStream::next() {
  std::optional<Item> item = find();
  if (item) std::visit([this](auto& each) { each.file = file_; }, *item);
  return item;
}

std::optional<JobStream::Item> JobStream::find() {
  while (true) {
    check_stop();
    if (current_) {
      if (std::optional<Item> item = next_of_line()) return item;
      continue;
    }
    std::optional<ParsedLine> parsed = reader_.next();
    if (!parsed) return std::nullopt;
    file_ = reader_.file();
    ++lines_;
    if (auto* bad = std::get_if<BadLine>(&*parsed)) return std::move(*bad);
    PromptLine& line = std::get<PromptLine>(*parsed);
    const int64_t number = line.number;
    std::string id = line.id;
    try {
      begin_line(std::move(line));
    } catch (const Error& error) {
      if (is_broken_ || error.kind() == ErrorKind::kInterrupted) throw;
      current_.reset();
      return BadLine{number, error.what(), std::move(id)};
    }
  }
}

}  // namespace bifrons
