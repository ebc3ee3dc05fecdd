// Counts the texts of a template and bounds their length before any text is made.
#include <algorithm>

#include "src/prompts/template_parse.h"

namespace bifrons {
namespace {

int64_t capped_bytes(int64_t bytes) { return std::min(bytes, kLongestTemplate + 1); }

int64_t capped(double value) {
  return value > static_cast<double>(kMostCombinations) ? kMostCombinations + 1
                                                        : static_cast<int64_t>(value);
}

int64_t choice_combinations(const TemplateNode& node) {
  std::vector<int64_t> counts;
  for (const TemplateNode* child : node.children) counts.push_back(child->combinations);
  double sum = 0;
  for (int64_t taken = node.least; taken <= node.most; ++taken) {
    sum += ordered_selections(counts, taken);
    if (sum > static_cast<double>(kMostCombinations)) break;
  }
  return capped(sum);
}

// Length in bytes of the longest choice: the longest options that may be taken, with the separators
// between them.
int64_t longest_choice(const TemplateNode& node) {
  std::vector<int64_t> lengths;
  for (const TemplateNode* child : node.children) lengths.push_back(child->bytes);
  std::sort(lengths.rbegin(), lengths.rend());
  int64_t bytes = 0;
  for (int64_t i = 0; i < node.most && bytes <= kLongestTemplate; ++i) {
    bytes += lengths[i] + (i > 0 ? static_cast<int64_t>(node.separator.size()) : 0);
  }
  return capped_bytes(bytes);
}

}  // namespace

double ordered_selections(const std::vector<int64_t>& counts, int64_t taken) {
  std::vector<double> ways(static_cast<size_t>(taken) + 1, 0.0);  // [j]: unordered, j options
  ways[0] = 1;
  for (const int64_t count : counts) {
    for (size_t j = ways.size() - 1; j > 0; --j)
      ways[j] += ways[j - 1] * static_cast<double>(count);
  }
  double all = ways.back();
  for (int64_t j = 2; j <= taken; ++j) all *= static_cast<double>(j);
  return all;
}

void count_node(TemplateNode& node) {
  using Kind = TemplateNode::Kind;
  for (const TemplateNode* child : node.children) node.asks_all |= child->asks_all;
  if (node.kind == Kind::kText) {
    node.bytes = capped_bytes(static_cast<int64_t>(node.text.size()));
  } else if (node.kind == Kind::kSequence) {
    double product = 1;
    for (const TemplateNode* child : node.children) {
      product *= static_cast<double>(child->combinations);
      node.bytes = capped_bytes(node.bytes + child->bytes);
    }
    node.combinations = capped(product);
  } else if (node.kind == Kind::kChoice) {
    node.combinations = choice_combinations(node);
    node.bytes = longest_choice(node);
  } else if (node.kind == Kind::kSet) {
    node.combinations = node.children[0]->combinations;
  } else {  // kInTurn, kByChance, kGet: each gives one text
    node.bytes = node.children[0]->bytes;
  }
}

}  // namespace bifrons
