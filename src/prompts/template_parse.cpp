// Parses a text into a tree of choices. Depth, number of files and size are bounded.
#include "src/prompts/template_parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/refuse.h"

namespace bifrons {
namespace {

constexpr int kDeepest = 16;
constexpr size_t kMostOptions = 10'000;
constexpr int64_t kMostNodes = 1'000'000;

bool is_space_only(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_ascii_space);
}

}  // namespace

bool looks_like_template(std::string_view prompt) {
  const size_t brace = prompt.find('{');
  if (brace != std::string_view::npos) {
    const size_t close = prompt.find('}', brace), bar = prompt.find('|', brace);
    if (close != prompt.npos && (bar < close || (brace > 0 && prompt[brace - 1] == '$')))
      return true;
  }
  const size_t begin = prompt.find("__");
  if (begin == std::string_view::npos || begin + 2 == prompt.size()) return false;
  const size_t end = prompt.find("__", begin + 3);
  return end != std::string_view::npos && prompt[begin + 2] != '_' &&
         prompt.substr(begin + 2, end - begin - 2).find(' ') == std::string_view::npos;
}

const TemplateNode* TemplateParser::parse() {
  const TemplateNode* all = whole(0);
  if (all->bytes > kLongestTemplate) {
    refuse_as_data(
        fmt::format("the template can give a prompt longer than {} bytes", kLongestTemplate));
  }
  return all;
}

TemplateNode& TemplateParser::make(TemplateNode::Kind kind) {
  // Each variable that uses another one twice doubles the number of nodes, so it is limited.
  if (++wildcards_.made_ > kMostNodes)
    refuse_as_data("the template is too large when it is spelled out");
  return *nodes_.emplace_back(std::make_unique<TemplateNode>(TemplateNode{.kind = kind}));
}

const TemplateNode* TemplateParser::whole(int depth) {
  const std::vector<const TemplateNode*> sets = set_variables(depth);
  const TemplateNode* text = sequence(depth, false);
  if (at_ != text_.size())
    refuse_as_data("a } without { in the template; write \\} for the sign itself");
  if (sets.empty()) return text;
  TemplateNode& node = make(TemplateNode::Kind::kSequence);
  node.children = sets;
  node.children.push_back(text);
  count_node(node);
  return &node;
}

void TemplateParser::add_text(TemplateNode& node, std::string& plain) {
  if (plain.empty()) return;
  TemplateNode& text = make(TemplateNode::Kind::kText);
  text.text = std::move(plain);
  plain.clear();
  count_node(text);
  node.children.push_back(&text);
}

// Parses pieces up to the end of the text. Inside braces it stops at | or }.
const TemplateNode* TemplateParser::sequence(int depth, bool inside) {
  if (depth > kDeepest)
    refuse_as_data(fmt::format("a template nested deeper than {} levels", kDeepest));
  TemplateNode& node = make(TemplateNode::Kind::kSequence);
  std::string plain;
  while (at_ < text_.size() && text_[at_] != '}' && !(inside && text_[at_] == '|')) {
    piece(node, plain, depth, inside);
  }
  add_text(node, plain);
  count_node(node);
  return &node;
}

void TemplateParser::piece(TemplateNode& node, std::string& plain, int depth, bool inside) {
  const std::string_view rest = text_.substr(at_);
  if (escaped(plain, depth) || comment(node, plain)) return;
  if (rest.starts_with("${")) {
    const TemplateNode* value = variable_at(depth + 1, inside);
    if (value == nullptr) {  // it set a variable: it has no text, and the blank after it is dropped
      while ((plain.empty() ? node.children.empty() : is_ascii_space(plain.back())) &&
             at_ < text_.size() && is_ascii_space(text_[at_])) {
        ++at_;
      }
      return;
    }
    add_text(node, plain);
    node.children.push_back(value);
  } else if (rest.starts_with("%{")) {
    refuse_as_data(
        "%{...$$...}, which wraps one prompt in another, is not understood; write \\% for the sign "
        "before a choice");
  } else if (rest[0] == '{') {
    add_text(node, plain);
    ++at_;
    node.children.push_back(choice(depth + 1));
  } else if (const std::string_view name = wildcard_here(); !name.empty()) {
    add_text(node, plain);
    at_ += name.size();
    node.children.push_back(wildcard(name.substr(2, name.size() - 4), depth + 1));
  } else if (inside && rest.starts_with("$$")) {
    refuse_as_data(
        "the $$ of a choice stands behind how many are taken, as in {2$$a|b} or {1-2$$ and $$a|b}; "
        "write \\$$ for the signs themselves");
  } else {
    plain += rest[0];
    ++at_;
  }
}

// A backslash escapes a character that has a meaning there.
bool TemplateParser::escaped(std::string& plain, int depth) {
  const std::string_view rest = text_.substr(at_);
  if (rest.size() < 2 || rest[0] != '\\') return false;
  const char sign = rest[1], next = rest.size() > 2 ? rest[2] : '\0';
  const bool always = sign == '{' || sign == '}' || sign == '|' || sign == '#';
  const bool before = (sign == '$' && (next == '{' || next == '$')) ||
                      (sign == '%' && next == '{') || (sign == '_' && next == '_');
  const bool first = depth > 0 && plain.empty() && (sign == '@' || sign == '~' || sign == '!');
  if (!always && !before && !first) return false;
  plain += sign;
  at_ += 2;
  if (sign == '_') {
    plain += '_';
    ++at_;
  }
  if (sign == '$' && next == '$') {
    plain += '$';
    ++at_;
  }
  return true;
}

// Comments: # at the beginning or after a blank, up to the end of the line; // and /* */ at the
// beginning.
bool TemplateParser::comment(const TemplateNode& node, std::string& plain) {
  const std::string_view rest = text_.substr(at_);
  const bool slashes = rest.starts_with("//") || rest.starts_with("/*");
  if (rest[0] != '#' && !slashes) return false;
  if (rest[0] == '#' && at_ > 0 && !is_ascii_space(text_[at_ - 1])) {
    refuse_as_data(
        "a # inside a word would begin a comment in sd-dynamic-prompts; write \\# for the sign "
        "itself, or a blank before a comment");
  }
  if (slashes && !is_space_only(plain)) return false;
  if (slashes && !node.children.empty()) {
    refuse_as_data("a comment in the middle of a line begins with #; write the text without " +
                   std::string(rest.substr(0, 2)) + " there");
  }
  if (rest.starts_with("/*")) {
    const size_t end = rest.find("*/", 2);
    if (end == std::string_view::npos) refuse_as_data("a /* without */ in the template");
    at_ += end + 2;
    return true;
  }
  plain.erase(plain.find_last_not_of(" \t") + 1);
  at_ += std::min(rest.find('\n'), rest.size());
  return true;
}

bool TemplateParser::is_sampler(size_t at) const {
  return at < text_.size() && (text_[at] == '@' || text_[at] == '~' || text_[at] == '!');
}

// "2$$", "1-3$$", "-2$$", "1-$$", each with an optional "separator$$" after it.
void TemplateParser::read_amount(TemplateNode& node, int64_t& least, int64_t& most) {
  std::string_view rest = text_.substr(at_);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
  const size_t end = rest.find("$$");
  if (end == std::string_view::npos || end > rest.find_first_of("{}|\\")) return;
  const std::string_view amount = rest.substr(0, end);
  const size_t dash = amount.find('-');
  const auto number = [](std::string_view digits, int64_t absent) -> int64_t {
    if (digits.empty()) return absent;
    int64_t value = -1;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool good = result.ec == std::errc() && is_ascii_digit(digits[0]) &&
                      result.ptr == digits.data() + digits.size();
    return good ? std::min(value, kMostCombinations) : -1;
  };
  const int64_t low = number(amount.substr(0, dash), 1);
  const int64_t high =
      dash == std::string_view::npos ? low : number(amount.substr(dash + 1), kMostCombinations);
  if (amount.empty() || low < 0 || high < 0) {
    refuse_as_data(
        "how many of a choice are taken is a number or two, as in {2$$a|b} or {1-2$$a|b}, not " +
        quote(amount, 40));
  }
  least = std::min(low, high);
  most = std::max(low, high);
  rest.remove_prefix(end + 2);
  const size_t again = rest.find("$$");
  if (again != std::string_view::npos && again < rest.find_first_of("{}")) {
    node.separator = rest.substr(0, again);
    rest.remove_prefix(again + 2);
  }
  at_ = text_.size() - rest.size();
}

double TemplateParser::read_weight() {
  std::string_view rest = text_.substr(at_);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
  const size_t end = rest.find("::");
  if (end == std::string_view::npos || end == 0 || end > 20) return 1.0;
  std::string_view number = rest.substr(0, end);
  if (number.find_first_not_of("0123456789.,+-eE \t") != std::string_view::npos) return 1.0;
  while (number.ends_with(' ') || number.ends_with('\t')) number.remove_suffix(1);
  double weight = -1;
  const auto result = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (result.ec != std::errc() || result.ptr != number.data() + number.size() ||
      !(weight >= 0 && weight <= 1e6)) {
    refuse_as_data("a weight before :: is a number from 0 to 1000000 such as 0.5, not " +
                   quote(number, 40));
  }
  at_ = text_.size() - rest.size() + end + 2;
  return weight;
}

// {2$$__colour__} takes two values of the file. The blanks of {2$$ __colour__ } are not values.
void TemplateParser::spread_only_option(TemplateNode& node, bool several) const {
  if (node.children.size() != 1) return;
  std::vector<const TemplateNode*> pieces = node.children[0]->children;
  if (several) {
    std::erase_if(pieces, [](const TemplateNode* piece) {
      return piece->kind == TemplateNode::Kind::kText && is_space_only(piece->text);
    });
  }
  if (pieces.size() != 1 || pieces[0]->kind != TemplateNode::Kind::kChoice ||
      pieces[0]->most != 1) {
    return;
  }
  node.weights = pieces[0]->weights;
  node.children = pieces[0]->children;
}

// Starts after the opening brace.
const TemplateNode* TemplateParser::choice(int depth) {
  TemplateNode& node = make(TemplateNode::Kind::kChoice);
  const size_t first = std::min(text_.find_first_not_of(" \t\n", at_), text_.size());
  char sampler = 0;
  if (is_sampler(first)) {
    sampler = text_[first];
    at_ = first + 1;
  }
  int64_t least = 1, most = 1;
  const size_t before = at_;
  read_amount(node, least, most);
  const bool several = at_ != before;
  while (true) {
    node.weights.push_back(read_weight());
    node.children.push_back(sequence(depth, true));
    if (at_ == text_.size())
      refuse_as_data("a { without } in the template; write \\{ for the sign itself");
    if (text_[at_++] == '}') break;
    if (node.children.size() > kMostOptions) refuse_as_data("a choice of too many options");
  }
  spread_only_option(node, several);
  const auto options = static_cast<int64_t>(node.children.size());
  node.most = std::min(most, options);
  node.least = std::min(least, node.most);
  count_node(node);
  return sampled(sampler, &node);
}

// The sampler signs {@...}, {~...} and {!...}. Wildcards use the same signs.
const TemplateNode* TemplateParser::sampled(char sign, const TemplateNode* all) {
  if (sign == 0) return all;
  if (sign == '!') {
    TemplateNode& node = make(TemplateNode::Kind::kSequence);
    node.children = {all};
    node.asks_all = true;
    count_node(node);
    return &node;
  }
  if (sign == '@' && all->combinations > kMostCombinations) {
    refuse_as_data(
        fmt::format("a choice with @ has more than {} values to go through", kMostCombinations));
  }
  TemplateNode& node =
      make(sign == '@' ? TemplateNode::Kind::kInTurn : TemplateNode::Kind::kByChance);
  node.children = {all};
  count_node(node);
  return &node;
}

}  // namespace bifrons
