// Prompt templates in the syntax of sd-dynamic-prompts: {a|b}, {0.5::a|b}, {2$$a|b|c}, {1-3$$ and
// $$a|b|c}, __wildcard__, ${name=value}. docs/batches.md lists the differences.
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

// A node of a parsed template. Besides `kind`, only the members of its kind are used.
struct TemplateNode {
  enum class Kind {
    kText,
    kSequence,
    kChoice,
    kInTurn,    // takes the combinations of its only child in order
    kByChance,  // a random combination of its only child, even where all are drawn
    kSet,       // fills in its only child for kGet of the same slot; has no text itself
    kGet
  };
  Kind kind = Kind::kText;
  std::string text;                           // kText
  std::vector<const TemplateNode*> children;  // kSequence: in order; kChoice: the options
  std::vector<double> weights;                // kChoice, by option
  int64_t least = 1, most = 1;                // kChoice: number of different options taken
  std::string separator = ", ";
  int slot = 0;              // kSet, kGet
  bool asks_all = false;     // the template contains {!...}
  int64_t combinations = 1;  // number of texts; kMostCombinations + 1 means more
  int64_t bytes = 0;         // of the longest text; kLongestTemplate + 1 means more
};

constexpr int64_t kMostCombinations = 1'000'000;
// Maximum length of a filled-in template in bytes. It is that of a line of a prompt file.
constexpr int64_t kLongestTemplate = 64 << 10;

// The wildcard files <directory>/<name>.txt. Each line holds a value, with an optional weight
// before it. A file is read once, unless it uses variables of the text around it.
class Wildcards {
 public:
  explicit Wildcards(std::string directory) : files_(std::move(directory)) {}

 private:
  friend class TemplateParser;
  friend class Template;
  WildcardFiles files_;
  std::map<std::string, const TemplateNode*> known_;  // by name or pattern
  std::set<std::string> open_;  // files that use variables of the text around them
  std::vector<std::unique_ptr<TemplateNode>> nodes_;
  // State of the template that is being parsed.
  std::set<std::string> being_read_, being_set_;  // files and variables in progress, to find cycles
  int64_t made_ = 0;                              // number of nodes
  int64_t missed_ = 0;                            // number of failed look-ups of variables
  int slots_ = 0;
};

// Whether --expand would change a prompt: it contains {a|b}, __name__ or ${name}.
bool looks_like_template(std::string_view prompt);

class Template {
 public:
  // Throws Error (data) if braces do not match, a wildcard has no file or contains itself, a
  // variable is not set, or a text may become longer than kLongestTemplate.
  Template(std::string_view text, Wildcards& wildcards);

  // Number of combinations. kMostCombinations + 1 means more.
  int64_t combinations() const { return root_->combinations; }
  // Whether the template asks for all combinations with {!...}.
  bool asks_all() const { return root_->asks_all; }
  // The combination with that number, from 0.
  std::string combination(int64_t index) const;
  // A random text. It depends only on the template, the seed and `turn`, and is the same on every
  // machine. `turn` counts the texts of this template from 0: {@...} gives its values in that
  // order.
  std::string random(uint64_t seed, int64_t turn = 0) const;

 private:
  std::string text_;
  std::vector<std::unique_ptr<TemplateNode>> nodes_;
  const TemplateNode* root_;
};

}  // namespace bifrons
