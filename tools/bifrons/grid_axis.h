// An axis of `bifrons grid`: the setting or word that changes between columns or between rows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/bifrons.h"

namespace bifrons::cli {

// A caption shows the drawn value in the form of the picture's record.
struct AxisValue {
  std::string caption;
  std::function<void(DrawRequest&)> apply;  // empty on an axis of words
  std::string word;  // on an axis of words: the replacement of the first word
};

struct Axis {
  std::string name;  // the setting's option without hyphens (seed, cfg, top-k), or words
  std::vector<AxisValue> values;
  bool of_words() const { return name == "words"; }
};

// The names of all axes: "seed= cfg= ... words=".
std::string axis_words();
// The names with example values for the help: "seed=1..4, cfg=3,5,7, ... or words=red,blue,green".
std::string axis_examples();

// Parses "seed=1..4", "cfg=3,5,7", "temp=0..1+0.25" and so on, for each setting that is a number,
// by any of its names in prompt files. Also parses "words=red,blue": its first word must occur in
// `prompt` and is replaced by each of the words. A value with a comma is put in double quotes, and
// a quote in it is doubled. Throws Error (usage) for an unknown axis, an invalid value of the
// setting, or a repeated value.
Axis parse_axis(const std::string& text, const std::string& prompt);

// The request of a cell: the base request with one value of every axis. All words are replaced in
// the original prompt, so no axis changes a word that another one inserted.
DrawRequest cell_request(const DrawRequest& base,
                         const std::vector<std::pair<const Axis*, const AxisValue*>>& values);

// Throws Error (usage) if both axes change the same setting, or replace words at the same position
// of `prompt`. Then a caption would be wrong.
void check_axes(const Axis& across, const Axis& down, const std::string& prompt);

}  // namespace bifrons::cli
