// Prompts made of templates: {a|b}, {0.5::a|b}, {2$$a|b|c}, {1-3$$ and $$a|b|c} and __wildcard__,
// as the dynamic-prompts extension of A1111 writes them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// A piece of a template. Exactly one of the three kinds has content beyond `kind`.
struct TemplateNode {
  enum class Kind { kText, kSequence, kChoice };
  Kind kind = Kind::kText;
  std::string text;                           // kText
  std::vector<const TemplateNode*> children;  // kSequence: in order; kChoice: the options
  std::vector<double> weights;                // kChoice, by option
  int64_t least = 1, most = 1;                // kChoice: how many options are taken, all different
  std::string separator = ", ";
  int64_t combinations = 1;  // how many texts this gives, kMostCombinations + 1 for more
  int64_t bytes = 0;         // of the longest of them, kLongestTemplate + 1 for more
};

constexpr int64_t kMostCombinations = 1'000'000;
// Bytes that a filled-in template may have: as many as a line of a prompt file.
constexpr int64_t kLongestTemplate = 64 << 10;

// Files <directory>/<name>.txt with a value a line; blank lines and lines that begin with # do not
// count. Each is read once.
class Wildcards {
 public:
  explicit Wildcards(std::string directory) : directory_(std::move(directory)) {}

 private:
  friend class TemplateParser;
  std::string directory_;
  std::map<std::string, const TemplateNode*> known_;  // nullptr: being read
  std::vector<std::unique_ptr<TemplateNode>> nodes_;
};

class Template {
 public:
  // Throws Error (data): braces that do not match, a wildcard without file or with itself inside, a
  // text that may become longer than kLongestTemplate.
  Template(std::string_view text, Wildcards& wildcards);

  // How many different ways to fill it in there are, kMostCombinations + 1 for more than that.
  int64_t combinations() const { return root_->combinations; }
  // The one of that number, from 0.
  std::string combination(int64_t index) const;
  // A random one: the same for the same text and seed, on every machine.
  std::string random(uint64_t seed) const;

 private:
  std::string text_;
  std::vector<std::unique_ptr<TemplateNode>> nodes_;
  const TemplateNode* root_;
};

}  // namespace bifrons
