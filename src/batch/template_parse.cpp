// Text to a tree of choices, with bounds on depth, files and size.
#include "src/batch/template_parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

constexpr int kDeepest = 16;
constexpr int64_t kLargestWildcardFile = 4 << 20;
constexpr size_t kMostOptions = 10'000;

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::kData, sentence); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int64_t capped_bytes(int64_t bytes) { return std::min(bytes, kLongestTemplate + 1); }

int64_t capped(double value) {
  return value > static_cast<double>(kMostCombinations) ? kMostCombinations + 1
                                                        : static_cast<int64_t>(value);
}

}  // namespace

double ordered_selections(const std::vector<int64_t>& counts, int64_t taken) {
  std::vector<double> ways(static_cast<size_t>(taken) + 1, 0.0);  // [j]: unordered, of j options
  ways[0] = 1;
  for (const int64_t count : counts) {
    for (size_t j = ways.size() - 1; j > 0; --j)
      ways[j] += ways[j - 1] * static_cast<double>(count);
  }
  double all = ways.back();
  for (int64_t j = 2; j <= taken; ++j) all *= static_cast<double>(j);
  return all;
}

const TemplateNode* TemplateParser::parse() {
  const TemplateNode* whole = sequence(0, "");
  if (at_ != text_.size()) refuse("a } without { in the template; write \\} for the sign itself");
  if (whole->bytes > kLongestTemplate) {
    refuse(fmt::format("the template can give a prompt longer than {} bytes", kLongestTemplate));
  }
  return whole;
}

TemplateNode& TemplateParser::make(TemplateNode::Kind kind) {
  return *nodes_.emplace_back(std::make_unique<TemplateNode>(TemplateNode{.kind = kind}));
}

// Pieces up to one of `ends` at this level, or to the end of the text.
const TemplateNode* TemplateParser::sequence(int depth, std::string_view ends) {
  if (depth > kDeepest) refuse(fmt::format("a template nested deeper than {} levels", kDeepest));
  TemplateNode& node = make(TemplateNode::Kind::kSequence);
  std::string plain;
  const auto flush = [&] {
    if (plain.empty()) return;
    TemplateNode& text = make(TemplateNode::Kind::kText);
    text.bytes = capped_bytes(static_cast<int64_t>(plain.size()));
    text.text = std::move(plain);
    plain.clear();
    node.children.push_back(&text);
  };
  while (at_ < text_.size() && ends.find(text_[at_]) == std::string_view::npos) {
    const std::string_view rest = text_.substr(at_);
    if (rest[0] == '}') break;
    if (rest.size() > 1 && rest[0] == '\\' &&
        (rest[1] == '{' || rest[1] == '}' || rest[1] == '|')) {
      plain += rest[1];
      at_ += 2;
    } else if (rest[0] == '{') {
      flush();
      ++at_;
      node.children.push_back(choice(depth + 1));
    } else if (const std::string_view name = wildcard_name(rest); !name.empty()) {
      flush();
      at_ += name.size() + 4;
      node.children.push_back(wildcard(std::string(name), depth + 1));
    } else {
      plain += rest[0];
      ++at_;
    }
  }
  flush();
  double product = 1;
  for (const TemplateNode* child : node.children) {
    product *= static_cast<double>(child->combinations);
    node.bytes = capped_bytes(node.bytes + child->bytes);
  }
  node.combinations = capped(product);
  return &node;
}

// "name" of "__name__..."; empty when the text does not begin like that.
std::string_view TemplateParser::wildcard_name(std::string_view text) {
  if (!text.starts_with("__")) return {};
  const size_t end = text.find("__", 2);
  if (end == std::string_view::npos || end == 2) return {};
  const std::string_view name = text.substr(2, end - 2);
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '/';
  });
  return plain && name.front() != '/' && name.back() != '/' ? name : std::string_view();
}

const TemplateNode* TemplateParser::wildcard(const std::string& name, int depth) {
  const auto found = wildcards_.known_.find(name);
  if (found != wildcards_.known_.end()) {
    if (found->second == nullptr) refuse("the wildcard __" + name + "__ leads back to itself");
    return found->second;
  }
  std::string content;
  try {
    const size_t slash = name.rfind('/');
    const std::string below = slash == std::string::npos ? "" : "/" + name.substr(0, slash);
    content = Directory::open(wildcards_.directory_ + below)
                  .read_file(name.substr(slash + 1) + ".txt", kLargestWildcardFile);
  } catch (const Error& error) {
    refuse("the wildcard __" + name + "__ has no values: " + error.what());
  }
  if (const auto bad = invalid_utf8(content)) {
    refuse(fmt::format("the wildcard file {}.txt is not valid UTF-8 at byte {}", name, *bad));
  }
  wildcards_.known_[name] = nullptr;
  const TemplateNode* node = nullptr;
  try {
    node = values(content, depth);
  } catch (const Error& error) {
    wildcards_.known_.erase(name);
    const std::string why = error.what();
    const std::string_view file = "the wildcard ";  // one within says already which it is
    if (why.starts_with(file)) throw;
    refuse(fmt::format("{}file {}.txt: {}", file, name, why));
  }
  wildcards_.known_[name] = node;
  return node;
}

// A choice of one among the lines of a wildcard file; its nodes live as long as the wildcards.
const TemplateNode* TemplateParser::values(std::string_view content, int depth) {
  std::vector<const TemplateNode*> options;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    TemplateParser parser(line, wildcards_, wildcards_.nodes_);
    options.push_back(parser.sequence(depth + 1, ""));
    if (parser.at_ != line.size()) refuse("a } without {");
    if (options.size() > kMostOptions) refuse(fmt::format("more than {} values", kMostOptions));
  }
  if (options.empty()) refuse("no values");
  TemplateNode node{.kind = TemplateNode::Kind::kChoice};
  node.children = std::move(options);
  node.weights.assign(node.children.size(), 1.0);
  count_choice(node);
  return wildcards_.nodes_.emplace_back(std::make_unique<TemplateNode>(std::move(node))).get();
}

// "2$$", "1-3$$", "-2$$", "1-$$", each perhaps followed by "separator$$".
void TemplateParser::read_amount(TemplateNode& node, int64_t& least, int64_t& most) {
  const std::string_view rest = text_.substr(at_);
  const size_t end = rest.find("$$");
  if (end == std::string_view::npos || end > 9) return;
  const std::string_view amount = rest.substr(0, end);
  const size_t dash = amount.find('-');
  const auto number = [](std::string_view digits, int64_t absent) -> int64_t {
    if (digits.empty()) return absent;
    int64_t value = -1;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return result.ptr == digits.data() + digits.size() && is_digit(digits[0]) ? value : -1;
  };
  const int64_t low = number(amount.substr(0, dash), 1);
  const int64_t high =
      dash == std::string_view::npos ? low : number(amount.substr(dash + 1), kMostCombinations);
  if (amount.empty() || low < 0 || high < low) return;
  least = low;
  most = high;
  at_ += end + 2;
  const std::string_view after = text_.substr(at_);
  const size_t again = after.find("$$");
  const size_t option = after.find_first_of("{}|");
  if (again != std::string_view::npos && again < option) {
    node.separator = after.substr(0, again);
    at_ += again + 2;
  }
}

double TemplateParser::read_weight() {
  const std::string_view rest = text_.substr(at_);
  const size_t end = rest.find("::");
  if (end == std::string_view::npos || end == 0 || end > 12) return 1.0;
  double weight = 0;
  const auto result = std::from_chars(rest.data(), rest.data() + end, weight);
  if (result.ec != std::errc() || result.ptr != rest.data() + end) return 1.0;
  if (!(weight >= 0 && weight <= 1e6)) refuse("a weight must be a number from 0 to 1000000");
  at_ += end + 2;
  return weight;
}

// After the opening brace.
const TemplateNode* TemplateParser::choice(int depth) {
  TemplateNode& node = make(TemplateNode::Kind::kChoice);
  int64_t least = 1, most = 1;
  read_amount(node, least, most);
  while (true) {
    node.weights.push_back(read_weight());
    node.children.push_back(sequence(depth, "|"));
    if (at_ == text_.size()) refuse("a { without } in the template; write \\{ for the sign itself");
    if (text_[at_++] == '}') break;
    if (node.children.size() > kMostOptions) refuse("a choice of too many options");
  }
  // {2$$__colour__} takes two values of the file.
  const TemplateNode& first = *node.children.front();
  if (node.children.size() == 1 && first.children.size() == 1 &&
      first.children[0]->kind == TemplateNode::Kind::kChoice && first.children[0]->most == 1) {
    const TemplateNode& inner = *first.children[0];
    node.weights = inner.weights;
    node.children = inner.children;
  }
  const auto options = static_cast<int64_t>(node.children.size());
  node.most = std::min(most, options);
  node.least = std::min(least, node.most);
  count_choice(node);
  return &node;
}

void TemplateParser::count_choice(TemplateNode& node) {
  std::vector<int64_t> counts;
  for (const TemplateNode* child : node.children) counts.push_back(child->combinations);
  double sum = 0;
  for (int64_t taken = node.least; taken <= node.most; ++taken) {
    sum += ordered_selections(counts, taken);
    if (sum > static_cast<double>(kMostCombinations)) break;
  }
  node.combinations = capped(sum);
  node.bytes = longest_choice(node);
}

// Of the options that may be taken together, the longest ones with what stands between them.
int64_t TemplateParser::longest_choice(const TemplateNode& node) {
  std::vector<int64_t> lengths;
  for (const TemplateNode* child : node.children) lengths.push_back(child->bytes);
  std::sort(lengths.rbegin(), lengths.rend());
  int64_t bytes = 0;
  for (int64_t i = 0; i < node.most && bytes <= kLongestTemplate; ++i) {
    bytes += lengths[i] + (i > 0 ? static_cast<int64_t>(node.separator.size()) : 0);
  }
  return capped_bytes(bytes);
}

}  // namespace bifrons
