// Turns lines of a prompt file into single pictures: counts, templates, seeds and repeats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "src/batch/picture_job.h"
#include "src/batch/seen_pictures.h"
#include "src/prompts/prompt_reader.h"
#include "src/prompts/template.h"

namespace bifrons {

// A part of a batch: picture k belongs to shard k mod `count`.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
};

// Equal lines without a seed give different pictures: a line takes the first seeds, counted up from
// its own, that no earlier line uses with the same prompt and settings. The first of equal lines
// keeps its seed, and a further one continues after the previous one. A line with a seed gives the
// same picture again, and so does a line with its own file name if an equal line has that name.
// Such a picture is a repeat: it is listed but not drawn. A name that the batch's pattern makes
// without the line's id does not count as the line's own name.
class JobStream {
 public:
  using Item = std::variant<PictureJob, BadLine>;

  JobStream(PromptReader reader, JobOptions options);

  // The next picture, repeat or bad line; nullopt at the end. A line with several bad pictures is
  // reported once. Throws what the reader throws, and Error (interrupted).
  std::optional<Item> next();

  int64_t lines() const { return lines_; }            // without blank ones
  int64_t duplicates() const { return duplicates_; }  // repeats
  int64_t bytes_read() const { return reader_.bytes_read(); }

  // Whether next() returns without waiting for the file.
  bool ready() { return current_.has_value() || reader_.ready(); }
  // Reads the header of a file that has one. Throws as next() does.
  void begin() { reader_.begin(); }

 private:
  struct Current {
    PromptLine line;
    std::optional<Template> expansion;
    std::optional<Template> negative;  // the negative prompt as a template
    int64_t next = 0, count = 0;
    int64_t per_prompt = 1;               // pictures of each combination
    std::string prompt, negative_prompt;  // the current combination
    bool reported = false;                // a bad picture of it has been reported
    uint64_t first_seed = 0;
    int64_t offset = 0;        // seed offset of the next picture from the first, in drawings
    bool steps_aside = false;  // uses only seeds that earlier lines do not use
    bool has_stepped = false;
    bool follows = false;  // has the file names of an earlier line
    bool has_own_name = false;
    uint64_t kind = 0;                           // hash of prompt and settings
    std::shared_ptr<const Thinking> thinking{};  // of a line that gives its thought
    std::shared_ptr<const LineEdit> edit{};
    std::optional<DrawRequest> checked{};
    std::string fault;  // of `checked`
  };
  struct Known {
    uint64_t key = 0;  // hash of it and the name
    int64_t index = 0;
  };
  std::optional<Item> find();
  void begin_line(PromptLine line);
  void begin_template(Current& current, const PromptLine& line);
  void take_thought(Current& current, const PromptLine& line);
  void hint_at_templates(const PromptLine& line);
  void choose_seeds();
  uint64_t random_seed_of_line();
  PictureJob make(int64_t number);
  void follow(PictureJob& job, int64_t number);
  PictureJob job_of_line() const;
  void fill_in(DrawRequest& request, int64_t number, int64_t offset);
  std::string name_of(const PictureJob& job) const;
  std::optional<std::string> own_name();
  PictureFormat format_of_line() const;
  bool is_below_a_picture(std::string_view file_name);
  std::optional<Item> next_of_line();
  std::optional<Item> place(PictureJob job);
  std::string fault_of(const PictureJob& job);
  std::optional<BadLine> report(const PictureJob& job, std::string reason);
  void check_stop() const;

  PromptReader reader_;
  JobOptions options_;
  Wildcards wildcards_;
  std::optional<uint64_t> random_base_;
  bool is_broken_ = false;  // the random base could not be read
  std::string file_;        // of current_, or of the previous line
  std::optional<Current> current_;
  std::unordered_set<uint64_t> folders_;       // hashes of all parent folders of pictures so far
  std::unordered_map<uint64_t, Known> names_;  // by hash; of all pictures so far
  std::unordered_map<uint64_t, int64_t> repeats_;  // number of repeats by hash of the name
  SeenPictures seen_;                              // prompts with settings and seeds
  std::unordered_map<uint64_t, int64_t> offsets_;  // of the next line of a kind that has stepped
  std::unordered_map<uint64_t, int64_t>
      stepped_;  // offsets of pictures with names of their own, by those' hash
  int64_t lines_ = 0, duplicates_ = 0, index_ = 0;
};

}  // namespace bifrons
