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
#include "src/batch/template.h"
#include "src/bifrons.h"
#include "vision/picture_file.h"

namespace bifrons {

// Two integers that split a batch: picture k belongs to shard k mod `count`.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
};

// What lines leave open, and what holds for all of them.
struct JobOptions {
  DrawRequest defaults;            // prompt and seed are not used
  std::optional<uint64_t> seed{};  // of every line without one; nothing: made from the prompt
  int64_t count = 1;               // pictures of a line that does not say
  RopeMode rope = RopeMode::kF32;
  int64_t image_size = 0;  // of every picture; 0: not known, and sizes in lines are not looked at
  PictureFormat format = PictureFormat::kPng;
  std::string name{};    // pattern, as check_output_name() takes it, of lines without an output
  bool metadata = true;                 // whether the files carry their settings
  bool expand = false;                  // prompts and negative prompts are templates
  bool combinatorial = false;           // all combinations of both instead of random ones
  std::string wildcards = "wildcards";  // directory of __name__ files
  int64_t best_of = 0;                  // candidates of each picture (Candidates); 0: not judged
  // Whether a picture of that name is listed: those of earlier versions keep their names.
  std::function<bool(std::string_view)> is_listed{};
  std::string question{};  // asked of each candidate, as question_about() takes it
};

// One picture to be.
struct PictureJob {
  int64_t index = 0;  // from 0, among all pictures of the file; shards count on it
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
// line moves. 32 bits, so that it can be typed.
uint64_t seed_of_prompt(std::string_view prompt);

class JobStream {
 public:
  using Item = std::variant<PictureJob, BadLine>;

  JobStream(PromptReader reader, JobOptions options);

  // The next picture or bad line; nothing at the end. A picture that another line already gives,
  // name, prompt, settings and all, is left out and counted. Throws what the reader throws.
  std::optional<Item> next();

  int64_t lines() const { return lines_; }            // that were not blank
  int64_t duplicates() const { return duplicates_; }  // pictures left out
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
    bool reported = false;                // that an earlier line has a name of its pictures
  };
  std::optional<Item> find();
  void begin_line(PromptLine line);
  void begin_template(Current& current, const PromptLine& line);
  void hint_at_templates(const PromptLine& line);
  void fill_in(PictureJob& job, int64_t number, uint64_t first_seed);
  PictureJob make(int64_t number);
  std::string name_of(const PictureJob& job) const;

  PromptReader reader_;
  JobOptions options_;
  Wildcards wildcards_;
  std::optional<Current> current_;
  bool is_below_a_picture(std::string_view file_name);

  std::string file_;                              // of current_, or of the line before
  std::unordered_set<uint64_t> folders_;          // hashes: of all pictures so far, and above
  std::unordered_map<uint64_t, uint64_t> names_;  // hashes: name to key, of all pictures so far
  int64_t lines_ = 0, duplicates_ = 0, index_ = 0;
};

}  // namespace bifrons
