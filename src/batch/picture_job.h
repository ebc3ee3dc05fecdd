// One picture of a batch: what is drawn, and the name and key of its file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/bifrons.h"
#include "vision/pictures/picture_file.h"

namespace bifrons {

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

// ".png", ".jpg" or ".webp".
std::string_view ending_of(PictureFormat format);

// SLUG-SEED-KEY.png, the name of a picture that has none of its own. `slug_of_prompt`: slug() or
// former_slug() of the prompt.
std::string automatic_name(const PictureJob& job, const std::string& slug_of_prompt);

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

}  // namespace bifrons
