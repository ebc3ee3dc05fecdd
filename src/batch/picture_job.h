// One picture of a batch: its request, and the name and key of its file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/batch/line_edit.h"
#include "src/bifrons.h"
#include "src/prompts/prompt_line.h"
#include "vision/pictures/picture_file.h"

namespace bifrons {

struct PictureJob;

// Defaults for settings that lines do not give, and options of the whole batch.
struct JobOptions {
  DrawRequest defaults;            // prompt and seed are not used
  std::optional<uint64_t> seed{};  // of lines without a seed; not set: made from the prompt
  bool random_seed = false;        // lines without a seed get a random one; `seed` is not used
  int64_t count = 1;               // pictures of a line without a count
  RopeMode rope = RopeMode::kF32;
  KvFormat kv = KvFormat::kStored;  // of the engines
  int64_t image_size = 0;  // of every picture; 0: unknown, so sizes in lines are not checked
  PictureFormat format = PictureFormat::kPng;
  std::string name{};          // pattern for lines without an output; see check_output_name()
  bool metadata = true;        // whether the files carry their settings
  bool expand = false;         // prompts and negative prompts are templates
  bool combinatorial = false;  // all combinations of both instead of random ones
  std::string wildcards = "wildcards";  // directory of __name__ files
  int64_t best_of = 0;                  // candidates of each picture (Candidates); 0: no choice
  std::string question{};               // asked of each candidate, as question_about() takes it

  // Whether a picture of that name is listed. Pictures of earlier versions keep their names.
  std::function<bool(std::string_view)> is_listed{};
  // The number from which random seeds of this directory are made. It is called at the first random
  // seed, with the line's first picture as it would be without such a number. Not set, or 0: seeds
  // are made from the prompts alone.
  std::function<uint64_t(const PictureJob&)> random_base{};
  // Why the engine would refuse the picture. Empty: it would accept it.
  std::function<std::string(const PictureJob&)> fault{};
  // With `defaults.thinking`: what a line thinks with that gives its thought itself. Throws Error:
  // the line is bad.
  std::function<std::shared_ptr<const Thinking>(const std::string& thought)> think_with{};
  // Reads the picture that a line changes, for lines with PromptLine::edit. Throws Error: the line
  // is bad. Not set: such lines are bad.
  std::function<std::shared_ptr<const LineEdit>(const PromptLine&)> edit{};
  std::function<bool()> stop{};  // true: next() throws Error (interrupted)
};

// A picture to draw.
struct PictureJob {
  int64_t index = 0;  // from 0, among all pictures of the file
  // The index of the drawn picture, which differs from `index` for a repeat. It determines the
  // shard.
  int64_t drawn_index = 0;
  int64_t repeat = 0;  // n: not drawn, but listed for the n-th further time
  bool random_seed = false;
  int64_t line = 0;
  std::string file{};  // of the line, as in PromptLine; empty: there is only one file
  int64_t number = 1;  // among the pictures of its line, from 1
  std::string id;      // the line's; may be empty
  std::string file_name;
  PictureFormat format = PictureFormat::kPng;  // from the ending of its output, or from the options
  std::string key;            // SHA-256 of all settings that determine the file, except the model
  std::string template_text;  // the template of the prompt; empty: the prompt is no template
  DrawRequest request;  // with best_of, of its first candidate: picture i of a line has seed + i N
  std::shared_ptr<const LineEdit> edit{};  // null: the prompt alone is drawn
  std::vector<std::pair<std::string, std::string>> extras;
};

// Members of a manifest's line when pictures are thought about, and the field of a prompt line that
// gives the thought.
inline constexpr std::string_view kThoughtMember = "thought", kThinkMember = "think";

// ".png", ".jpg" or ".webp".
std::string_view ending_of(PictureFormat format);

// SLUG-SEED-KEY.png: the name of a picture that gets no name from its line or the batch.
// `slug_of_prompt`: slug() or former_slug() of the prompt.
std::string automatic_name(const PictureJob& job, const std::string& slug_of_prompt);

// The key of a picture: 64 hex digits, of `request`, `format` and `edit` of the job. `options` give
// rope, kv, metadata, best_of and question.
std::string picture_key(const PictureJob& job, const JobOptions& options);

// A hash of every setting of a picture that a line can change.
uint64_t settings_hash(const PictureJob& job);

// The name of the picture in earlier versions, which kept only [a-z0-9] of a prompt. It does not
// depend on the version that drew it.
std::string former_name(const PictureJob& job);

// The common name of all pictures of a line, made from its first picture: the id, or the file name
// without its ending and -0001.
std::string name_of_line(const PictureJob& job);

// The seed of a line without one in a batch without one. It depends on the prompt and not on the
// position of the line. It has 32 bits, so that it can be typed. Another `random_base` gives other
// seeds.
uint64_t seed_of_prompt(std::string_view prompt, uint64_t random_base = 0);

}  // namespace bifrons
