// From lines of a prompt file to single pictures: counts, templates, seeds, names and keys.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "src/batch/prompt_reader.h"
#include "src/batch/seen_pictures.h"
#include "src/batch/template.h"
#include "src/bifrons.h"
#include "vision/picture_file.h"

namespace bifrons {

// Two integers that split a batch: picture k belongs to shard k mod `count`.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
};

struct PictureJob;

// What lines leave open, and what holds for all of them.
struct JobOptions {
  DrawRequest defaults;            // prompt and seed are not used
  std::optional<uint64_t> seed{};  // of every line without one; nothing: made from the prompt
  bool random_seed = false;        // of every line without one, in place of `seed`
  int64_t count = 1;               // pictures of a line that does not say
  RopeMode rope = RopeMode::kF32;
  int64_t image_size = 0;  // of every picture; 0: not known, and sizes in lines are not looked at
  PictureFormat format = PictureFormat::kPng;
  std::string name{};    // pattern, as check_output_name() takes it, of lines without an output
  bool metadata = true;  // whether the files carry their settings
  bool expand = false;   // prompts and negative prompts are templates
  bool combinatorial = false;           // all combinations of both instead of random ones
  std::string wildcards = "wildcards";  // directory of __name__ files
  int64_t best_of = 0;                  // candidates of each picture (Candidates); 0: not judged
  std::string question{};               // asked of each candidate, as question_about() takes it

  // Whether a picture of that name is listed: those of earlier versions keep their names.
  std::function<bool(std::string_view)> is_listed{};
  // What random seeds of this directory are made from, asked when the first one is met. It gets the
  // line's first picture as it would be if they were made from the prompts alone, which is what
  // nothing, or 0, stands for.
  std::function<uint64_t(const PictureJob&)> random_base{};
  // Why whoever draws would refuse the picture; empty when it would not.
  std::function<std::string(const PictureJob&)> fault{};
  std::function<bool()> stop{};  // true: next() throws Error (interrupted)
};

// One picture to be.
struct PictureJob {
  int64_t index = 0;  // from 0, among all pictures of the file
  // Of the picture that is drawn, which is another one where this is a repeat. Shards count on it.
  int64_t drawn_index = 0;
  int64_t repeat = 0;  // n: not drawn, but listed once more for its line, the n-th time
  bool random_seed = false;
  int64_t line = 0;
  std::string file{};  // where the line stands, as in PromptLine; empty: there is one file only
  int64_t number = 1;  // among the pictures of its line, from 1
  std::string id;      // the line's; may be empty
  std::string file_name;
  PictureFormat format = PictureFormat::kPng;  // its output's ending decides, or the options
  std::string key;  // SHA-256 of what decides the file, but for the model
  std::string
      template_text;    // what the prompt was made from; empty: the prompt stood there as it is
  DrawRequest request;  // with best_of, of its first candidate: picture i of a line has seed + i N
  std::vector<std::pair<std::string, std::string>> extras;
};

// The key of a picture: 64 hex digits. `options` give rope, metadata, best_of and question.
std::string picture_key(const DrawRequest& request, PictureFormat format,
                        const JobOptions& options);

// What earlier versions called the picture, who kept [a-z0-9] alone of a prompt. Whoever drew it,
// this is the same.
std::string former_name(const PictureJob& job);

// What all pictures of the line are called together, when it is the line's first picture: its id,
// or else the name without ending and -0001.
std::string name_of_line(const PictureJob& job);

// The seed of a line that has none and whose batch has none: it stays with its prompt wherever the
// line moves. 32 bits, so that it can be typed. `random_base` other than 0 gives other seeds.
uint64_t seed_of_prompt(std::string_view prompt, uint64_t random_base = 0);

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
