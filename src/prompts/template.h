// Prompts made of templates as sd-dynamic-prompts writes them: {a|b}, {0.5::a|b}, {2$$a|b|c},
// {1-3$$ and $$a|b|c}, __wildcard__, ${name=value}. docs/batches.md says what differs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/prompts/wildcard_files.h"

namespace bifrons {

// A piece of a template. Exactly one of the kinds has content beyond `kind`.
struct TemplateNode {
  enum class Kind {
    kText,
    kSequence,
    kChoice,
    kInTurn,    // of the only child, the combinations one after the other
    kByChance,  // of the only child, one by chance, even where all combinations are drawn
    kSet,       // fills the only child in, for kGet of the same slot; gives no text itself
    kGet
  };
  Kind kind = Kind::kText;
  std::string text;                           // kText
  std::vector<const TemplateNode*> children;  // kSequence: in order; kChoice: the options
  std::vector<double> weights;                // kChoice, by option
  int64_t least = 1, most = 1;                // kChoice: how many options are taken, all different
  std::string separator = ", ";
  int slot = 0;              // kSet, kGet
  bool asks_all = false;     // somewhere in it stands {!...}
  int64_t combinations = 1;  // how many texts this gives, kMostCombinations + 1 for more
  int64_t bytes = 0;         // of the longest of them, kLongestTemplate + 1 for more
};

constexpr int64_t kMostCombinations = 1'000'000;
// Bytes that a filled-in template may have: as many as a line of a prompt file.
constexpr int64_t kLongestTemplate = 64 << 10;

// Files <directory>/<name>.txt with a value a line, perhaps with a weight before it. A file that
// uses no variable of its surroundings is read once.
class Wildcards {
 public:
  explicit Wildcards(std::string directory) : files_(std::move(directory)) {}

 private:
  friend class TemplateParser;
  friend class Template;
  WildcardFiles files_;
  std::map<std::string, const TemplateNode*> known_;  // by name or pattern
  std::set<std::string> open_;  // those that use variables of their surroundings
  std::vector<std::unique_ptr<TemplateNode>> nodes_;
  // Of the template that is parsed now.
  std::set<std::string> being_read_, being_set_;  // files and variables, against circles
  int64_t made_ = 0;                              // nodes
  int64_t missed_ = 0;                            // variables that were looked up and not set
  int slots_ = 0;
};

// Whether --expand would make something else of a prompt: it has {a|b}, __name__ or ${name}.
bool looks_like_template(std::string_view prompt);

class Template {
 public:
  // Throws Error (data) for what is not understood or would not end: braces that do not match, a
  // wildcard without file or with itself inside, a variable that is not set, a text that may become
  // longer than kLongestTemplate.
  Template(std::string_view text, Wildcards& wildcards);

  // How many different ways to fill it in there are, kMostCombinations + 1 for more than that.
  int64_t combinations() const { return root_->combinations; }
  // Whether {!...} in it asks for all of them.
  bool asks_all() const { return root_->asks_all; }
  // The one of that number, from 0.
  std::string combination(int64_t index) const;
  // A random one: the same for the same text, seed and turn, on every machine. `turn`, from 0,
  // counts the texts made of this template: {@...} gives its values in that order.
  std::string random(uint64_t seed, int64_t turn = 0) const;

 private:
  std::string text_;
  std::vector<std::unique_ptr<TemplateNode>> nodes_;
  const TemplateNode* root_;
};

}  // namespace bifrons
