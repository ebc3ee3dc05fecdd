// Fills in a template: a random text, or the combination with a given number.
#include "src/prompts/template.h"

#include <algorithm>

#include "kernels/error.h"
#include "src/io/fnv1a.h"
#include "src/prompts/template_parse.h"

namespace bifrons {
namespace {

// SplitMix64: 64 random bits from a counter, the same on every machine.
class Chance {
 public:
  Chance(std::string_view text, uint64_t seed) : state_(fnv1a(text, seed)) {}
  // In [0, 1).
  double next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }

 private:
  uint64_t state_;
};

// Picks a random option, by weight. Options with a negative weight are already taken.
size_t pick(const std::vector<double>& weights, Chance& chance) {
  double all = 0;
  for (const double w : weights) all += std::max(w, 0.0);
  double left = chance.next() * all;
  size_t last = weights.size();
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] < 0 || (weights[i] == 0 && all > 0)) continue;
    last = i;
    left -= weights[i];
    if (left < 0) break;
  }
  check(last < weights.size(), "template: no option left");
  return last;
}

// The state while one template is filled in.
class Filling {
 public:
  Filling(std::string_view text, uint64_t seed, int64_t turn) : chance_(text, seed), turn_(turn) {}

  std::string by_chance(const TemplateNode& node);
  std::string by_number(const TemplateNode& node, int64_t index);

 private:
  using Kind = TemplateNode::Kind;
  std::string in_turn(const TemplateNode& node) {
    const TemplateNode& all = *node.children[0];
    return by_number(all, turn_ % all.combinations);
  }
  std::string select(const TemplateNode& node, int64_t index, int64_t taken);
  std::string sequence(const TemplateNode& node, int64_t index);

  Chance chance_;
  int64_t turn_;
  std::map<int, std::string> slots_;
};

std::string Filling::by_chance(const TemplateNode& node) {
  std::string out;
  switch (node.kind) {
    case Kind::kText:
      return node.text;
    case Kind::kSequence:
      for (const TemplateNode* child : node.children) out += by_chance(*child);
      return out;
    case Kind::kInTurn:
      return in_turn(node);
    case Kind::kByChance:
      return by_chance(*node.children[0]);
    case Kind::kSet:
      slots_[node.slot] = by_chance(*node.children[0]);
      return out;
    case Kind::kGet:
      return slots_[node.slot];
    case Kind::kChoice:
      break;
  }
  const auto span = static_cast<double>(node.most - node.least + 1);
  const int64_t taken = node.least + static_cast<int64_t>(chance_.next() * span);
  std::vector<double> weights = node.weights;
  for (int64_t i = 0; i < taken; ++i) {
    const size_t option = pick(weights, chance_);
    weights[option] = -1;
    out += (i == 0 ? "" : node.separator) + by_chance(*node.children[option]);
  }
  return out;
}

// Returns selection number `index` of all ordered selections of `taken` options.
std::string Filling::select(const TemplateNode& node, int64_t index, int64_t taken) {
  std::vector<int64_t> counts;
  for (const TemplateNode* child : node.children) counts.push_back(child->combinations);
  std::string out;
  for (int64_t left = taken; left > 0; --left) {
    for (size_t option = 0; option < counts.size(); ++option) {
      const int64_t own = counts[option];
      if (own == 0) continue;
      counts[option] = 0;
      const auto others =
          left == 1 ? int64_t{1} : static_cast<int64_t>(ordered_selections(counts, left - 1));
      if (index < own * others) {
        out += (left == taken ? "" : node.separator) +
               by_number(*node.children[option], index / others);
        index %= others;
        break;
      }
      index -= own * others;
      counts[option] = own;
    }
  }
  return out;
}

// The last child varies fastest. Children are filled in from the first to the last, because an
// earlier one may set a variable that a later one uses.
std::string Filling::sequence(const TemplateNode& node, int64_t index) {
  std::vector<int64_t> own(node.children.size());
  for (size_t i = own.size(); i-- > 0;) {
    own[i] = index % node.children[i]->combinations;
    index /= node.children[i]->combinations;
  }
  std::string out;
  for (size_t i = 0; i < own.size(); ++i) out += by_number(*node.children[i], own[i]);
  return out;
}

std::string Filling::by_number(const TemplateNode& node, int64_t index) {
  switch (node.kind) {
    case Kind::kText:
      return node.text;
    case Kind::kSequence:
      return sequence(node, index);
    case Kind::kInTurn:
      return in_turn(node);
    case Kind::kByChance:
      return by_chance(*node.children[0]);
    case Kind::kSet:
      slots_[node.slot] = by_number(*node.children[0], index);
      return {};
    case Kind::kGet:
      return slots_[node.slot];
    case Kind::kChoice:
      break;
  }
  std::vector<int64_t> counts;
  for (const TemplateNode* child : node.children) counts.push_back(child->combinations);
  for (int64_t taken = node.least; taken <= node.most; ++taken) {
    const auto ways = static_cast<int64_t>(ordered_selections(counts, taken));
    if (index < ways) return select(node, index, taken);
    index -= ways;
  }
  throw ContractError("template: no combination of that number");
}

}  // namespace

Template::Template(std::string_view text, Wildcards& wildcards) : text_(text) {
  wildcards.made_ = 0;
  root_ = TemplateParser(text_, wildcards, nodes_).parse();
}

std::string Template::combination(int64_t index) const {
  check(index >= 0 && index < combinations() && combinations() <= kMostCombinations,
        "template: no combination of that number");
  return Filling(text_, static_cast<uint64_t>(index), index).by_number(*root_, index);
}

std::string Template::random(uint64_t seed, int64_t turn) const {
  return Filling(text_, seed, turn).by_chance(*root_);
}

}  // namespace bifrons
