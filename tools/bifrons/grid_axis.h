// An axis of `bifrons grid`: the setting or word that changes from column to column or row to row.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/bifrons.h"

namespace bifrons::cli {

// A caption shows the value that is drawn, as the picture's record writes it.
struct AxisValue {
  std::string caption;
  std::function<void(DrawRequest&)> apply;  // empty on an axis of words
  std::string word;                         // on an axis of words: what replaces the first one
};

struct Axis {
  std::string name;  // of the setting's option without hyphens (seed, cfg, top-k), or words
  std::vector<AxisValue> values;
  bool of_words() const { return name == "words"; }
};

// All axes: "seed= cfg= ... words=".
std::string axis_words();
// The same with values for the help: "seed=1..4, cfg=3,5,7, ... or words=red,blue,green".
std::string axis_examples();

// "seed=1..4", "cfg=3,5,7", "temp=0..1+0.25" and so on for each setting that is a number, by any
// name that prompt files know, or "words=red,blue", whose first word must stand in `prompt` and is
// replaced by each of them. A value with a comma stands in double quotes, a quote in it doubled.
// Throws Error (usage): no such axis, a value that the setting does not take, or one that stands
// there twice.
Axis parse_axis(const std::string& text, const std::string& prompt);

// The request of a cell: the base request with one value of every axis. All words are replaced in
// the original prompt, so no axis changes a word that another one inserted.
DrawRequest cell_request(const DrawRequest& base,
                         const std::vector<std::pair<const Axis*, const AxisValue*>>& values);

// Throws Error (usage): both axes change the same setting, or replace words at the same place of
// `prompt`. Then a caption would be wrong.
void check_axes(const Axis& across, const Axis& down, const std::string& prompt);

}  // namespace bifrons::cli
