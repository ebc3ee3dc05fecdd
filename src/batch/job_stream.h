// From lines of a prompt file to single pictures: counts, templates, seeds and repeats.
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

// Two integers that split a batch: picture k belongs to shard k mod `count`.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
};

// Where lines repeat each other, no picture that was asked for is lost: a line without a seed takes
// the first seeds, counted up from its own, with which no line before it gives the same prompt and
// settings. So the first of equal lines has the seed it always had, and a further one goes on where
// the last one stopped. A line that says its seed, or asks for a file of its own that an equal line
// has asked for, gives the same picture again: that is a repeat, which is listed but not drawn. A
// name that the batch's pattern makes without the line's id is no file of its own.
class JobStream {
 public:
  using Item = std::variant<PictureJob, BadLine>;

  JobStream(PromptReader reader, JobOptions options);

  // The next picture, repeat or bad line; nothing at the end. A line that gives several bad
  // pictures is told of once. Throws what the reader throws, and Error (interrupted).
  std::optional<Item> next();

  int64_t lines() const { return lines_; }            // that were not blank
  int64_t duplicates() const { return duplicates_; }  // repeats
  int64_t bytes_read() const { return reader_.bytes_read(); }

  // Whether next() would not wait for more of the file.
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
    std::string prompt, negative_prompt;  // the combination drawn now
    bool reported = false;                // that a picture of it is bad
    uint64_t first_seed = 0;
    int64_t offset = 0;        // of the next picture's seed from the first, in drawings
    bool steps_aside = false;  // for pictures that lines before it give
    bool has_stepped = false;
    bool follows = false;  // it asks for files that a line before it gives
    bool has_own_name = false;
    uint64_t kind = 0;  // hash of prompt and settings
    std::optional<DrawRequest> checked{};
    std::string fault;  // of that one
  };
  struct Known {
    uint64_t key = 0;  // hash of it and the name
    int64_t index = 0;
  };
  std::optional<Item> find();
  void begin_line(PromptLine line);
  void begin_template(Current& current, const PromptLine& line);
  void hint_at_templates(const PromptLine& line);
  void choose_seeds();
  uint64_t random_seed_of_line();
  PictureJob make(int64_t number);
  void follow(PictureJob& job, int64_t number);
  DrawRequest request_of_line() const;
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
  bool is_broken_ = false;  // there was no telling the random base
  std::string file_;        // of current_, or of the line before
  std::optional<Current> current_;
  std::unordered_set<uint64_t> folders_;           // hashes: of all pictures so far, and above
  std::unordered_map<uint64_t, Known> names_;      // by hash, of all pictures so far
  std::unordered_map<uint64_t, int64_t> repeats_;  // of names that have some, by hash
  SeenPictures seen_;                              // prompts with settings and seeds
  std::unordered_map<uint64_t, int64_t> offsets_;  // of the next line of a kind that has stepped
  std::unordered_map<uint64_t, int64_t>
      stepped_;  // offsets of pictures with names of their own, by those' hash
  int64_t lines_ = 0, duplicates_ = 0, index_ = 0;
};

}  // namespace bifrons
