// Resolves the names in a template: variables and wildcards.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/refuse.h"
#include "src/prompts/template_parse.h"

namespace bifrons {
namespace {

constexpr size_t kMostValues = 10'000;
constexpr size_t kMostVariables = 1'000;

std::string_view stripped(std::string_view text) { return trimmed(text, " \t\n"); }

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && !is_ascii_digit(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_ascii_letter(c) || is_ascii_digit(c) || c == '_' || c == '-';
         });
}

// Position of the brace that closes the one at `at`; npos if there is none.
size_t closing_brace(std::string_view text, size_t at) {
  int open = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '{') {
      ++open;
    } else if (text[at] == '}' && --open == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

// Removes a name from a set in its destructor.
class Entered {
 public:
  Entered(std::set<std::string>& names, const std::string& name, const std::string& sentence)
      : names_(names), name_(name) {
    if (!names_.insert(name_).second) refuse_as_data(sentence);
  }
  ~Entered() { names_.erase(name_); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  std::set<std::string>& names_;
  std::string name_;
};

}  // namespace

// Parses a separate text, such as the value of a variable.
const TemplateNode* TemplateParser::part(std::string_view text, int depth) {
  TemplateParser parser(text, wildcards_, nodes_, variables_);
  const TemplateNode* node = parser.sequence(depth, true);
  if (parser.at_ != text.size()) {
    refuse_as_data(
        "the text of a variable stands in braces when it has a choice, as in ${name={a|b}}");
  }
  return node;
}

TemplateParser::VariableText TemplateParser::variable_text(size_t at) const {
  const size_t close = closing_brace(text_, at + 1);
  if (close == std::string_view::npos) {
    refuse_as_data("a ${ without } in the template; write \\${ for the signs themselves");
  }
  const std::string_view inner = text_.substr(at + 2, close - at - 2);
  const size_t sign = inner.find_first_of(":=?");
  VariableText out{.name = std::string(stripped(inner.substr(0, sign))), .end = close + 1};
  bool good = is_variable_name(out.name);
  if (good && sign != std::string_view::npos) {
    std::string_view rest = inner.substr(sign);
    out.keep = rest.starts_with("?=");
    if (out.keep) rest.remove_prefix(1);
    out.sign = rest[0];
    rest.remove_prefix(1);
    out.at_once = out.sign == '=' && rest.starts_with('!');
    if (out.at_once) rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
    out.text = rest;
    good = out.sign != '?';
  }
  if (!good) {
    refuse_as_data("variables are ${name}, ${name:text}, ${name=text} and ${name=!text}, not " +
                   quote(text_.substr(at, close + 1 - at), 60) +
                   "; write \\$ for the sign before a choice");
  }
  return out;
}

// Sets all variables of this text, wherever they stand in it. Returns the nodes that must be filled
// in before the rest.
std::vector<const TemplateNode*> TemplateParser::set_variables(int depth) {
  std::vector<const TemplateNode*> sets;
  if (text_.find("${") == std::string_view::npos) return sets;
  const auto outer = variables_;
  std::set<std::string> here;
  std::vector<std::string> later;
  for (size_t at = 0; at < text_.size(); ++at) {
    if (text_[at] == '\\') {
      ++at;
    } else if (text_[at] == '#' && (at == 0 || is_ascii_space(text_[at - 1]))) {
      at = std::min(text_.find('\n', at), text_.size());  // a comment
    } else if (text_.substr(at, 2) == "${") {
      const VariableText found = variable_text(at);
      at = found.end - 1;
      if (found.sign != '=' || (found.keep && outer->contains(found.name))) continue;
      if (!here.insert(found.name).second) {
        refuse_as_data("the variable " + found.name + " is set twice in one text");
      }
      if (here.size() > kMostVariables) refuse_as_data("too many variables");
      Variable value{.text = std::string(found.text)};
      if (found.at_once) {
        TemplateNode& set = make(TemplateNode::Kind::kSet);
        set.slot = wildcards_.slots_++;
        set.children = {part(found.text, depth + 1)};
        count_node(set);
        value.set = &set;
        sets.push_back(&set);
      } else {
        later.push_back(found.name);
      }
      auto more = std::make_shared<Variables>(*variables_);
      (*more)[found.name] = std::move(value);
      variables_ = std::move(more);
    } else if (text_[at] == '{') {
      at = std::min(closing_brace(text_, at), text_.size());
    }
  }
  // Values of unused variables are parsed too, so that their errors are found.
  for (const std::string& name : later) value_of(name, std::nullopt, depth + 1);
  return sets;
}

// Parses ${...} at at_. Returns null if it sets a variable: set_variables() has already done that.
const TemplateNode* TemplateParser::variable_at(int depth, bool inside) {
  const VariableText found = variable_text(at_);
  if (found.sign == '=' && inside) {
    refuse_as_data(
        "a variable is set outside of braces, not inside of a choice or of another variable");
  }
  at_ = found.end;
  if (found.sign == '=') return nullptr;
  return value_of(found.name, found.sign == ':' ? std::optional(found.text) : std::nullopt, depth);
}

const TemplateNode* TemplateParser::value_of(const std::string& name,
                                             std::optional<std::string_view> otherwise, int depth) {
  const auto known = variables_->find(name);
  if (known == variables_->end()) {
    ++wildcards_.missed_;
    if (otherwise) return part(*otherwise, depth);
    refuse_as_data("the variable " + name + " is not set; ${" + name + "=text} sets it, ${" + name +
                   ":text} says what stands there otherwise");
  }
  if (known->second.set != nullptr) {
    TemplateNode& node = make(TemplateNode::Kind::kGet);
    node.slot = known->second.set->slot;
    node.children = known->second.set->children;
    count_node(node);
    node.asks_all = false;
    return &node;
  }
  const Entered entered(wildcards_.being_set_, name,
                        "the variable " + name + " leads back to itself");
  const std::string text = known->second.text;
  return part(text, depth);
}

std::string_view TemplateParser::wildcard_here() const {
  const std::string_view rest = text_.substr(at_);
  if (!rest.starts_with("__") || rest.size() < 3) return {};
  const size_t end = rest.find("__", 2);
  const std::string_view inner =
      end == std::string_view::npos ? rest.substr(2) : rest.substr(2, end - 2);
  const auto plain = [](char c) {
    return is_ascii_digit(c) || is_ascii_letter(c) || c == '_' || c == '-' || c == '/';
  };
  const bool closed = end != std::string_view::npos;
  if (closed && !inner.empty() && std::all_of(inner.begin(), inner.end(), plain)) {
    return rest.substr(0, end + 2);
  }
  // A line of underscores as a blank to fill in, or "__" alone, is plain text.
  if (inner.empty() || is_ascii_space(inner[0]) || inner[0] == '_') return {};
  const size_t odd = inner.find_first_of("|{}$#\n");
  if (closed && odd == std::string_view::npos) return rest.substr(0, end + 2);
  const char before = at_ > 0 ? text_[at_ - 1] : ' ';
  if (!closed && (is_ascii_letter(before) || is_ascii_digit(before))) return {};  // inside_a__word
  if (closed && (inner[odd] == '{' || inner[odd] == '$')) {
    refuse_as_data(
        "the name of a wildcard stands there as it is: one made of a choice or a variable is not "
        "understood");
  }
  refuse_as_data("a wildcard without __ at its end: " + quote(rest.substr(0, 40), 60) +
                 "; write \\__ for the signs themselves");
}

// `inner` holds an optional sampler sign, the name, and optional variables in parentheses.
const TemplateNode* TemplateParser::wildcard(std::string_view inner, int depth) {
  char sampler = 0;
  if (inner[0] == '@' || inner[0] == '~' || inner[0] == '!') {
    sampler = inner[0];
    inner.remove_prefix(1);
  }
  const auto before = variables_;
  if (const size_t open = inner.find('('); open != std::string_view::npos) {
    inner = stripped(inner);
    if (inner.back() != ')') refuse_as_data("a wildcard's variables stand in ( ) at its end");
    auto more = std::make_shared<Variables>(*variables_);
    std::string_view rest = inner.substr(open + 1, inner.size() - open - 2);
    while (true) {
      const std::string_view pair = rest.substr(0, rest.find(','));
      const size_t equals = pair.find('=');
      const std::string name(stripped(pair.substr(0, equals)));
      if (equals == std::string_view::npos || !is_variable_name(name)) {
        refuse_as_data("a wildcard's variables are written __name(variable=text)__, not " +
                       quote(pair, 60));
      }
      (*more)[name] = {.text = std::string(stripped(pair.substr(equals + 1)))};
      if (pair.size() == rest.size()) break;
      rest.remove_prefix(pair.size() + 1);
    }
    variables_ = std::move(more);
    inner = inner.substr(0, open);
  }
  const std::string name(stripped(inner));
  if (name.empty()) refuse_as_data("a wildcard without a name");
  const TemplateNode* values = values_of(name, depth);
  variables_ = before;
  return sampled(sampler, values);
}

// Uses the values that were read before, unless the files use variables of the text around them.
const TemplateNode* TemplateParser::values_of(const std::string& name, int depth) {
  if (const auto found = wildcards_.known_.find(name); found != wildcards_.known_.end()) {
    return found->second;
  }
  if (wildcards_.open_.contains(name)) return values_now(name, depth);
  const int64_t missed = wildcards_.missed_;
  wildcards_.missed_ = 0;
  const TemplateNode* values = nullptr;
  try {
    TemplateParser alone("", wildcards_, wildcards_.nodes_);
    values = alone.values_now(name, depth);
  } catch (const Error&) {
    if (wildcards_.missed_ == 0) throw;
  }
  const bool closed = wildcards_.missed_ == 0;
  wildcards_.missed_ = missed;
  if (closed) return wildcards_.known_[name] = values;
  wildcards_.open_.insert(name);
  return values_now(name, depth);
}

// Makes a choice of one line among the lines of all files with that name.
const TemplateNode* TemplateParser::values_now(const std::string& name, int depth) {
  TemplateNode& node = make(TemplateNode::Kind::kChoice);
  std::set<std::string> seen;
  const std::vector<std::string> files = wildcards_.files_.matching(name);
  for (const std::string& file : files) {
    const Entered entered(wildcards_.being_read_, file,
                          "the wildcard __" + file + "__ leads back to itself");
    const auto fault = [&](const std::string& why) {
      const std::string_view start = "the wildcard ";  // already named by an inner wildcard
      refuse_as_data(why.starts_with(start) ? why
                                            : fmt::format("{}file {}.txt: {}", start, file, why));
    };
    const std::vector<std::string> lines = wildcards_.files_.lines_of(file);
    if (lines.empty()) fault("it has no values; write one a line");
    for (const std::string& line : lines) {
      if (files.size() > 1 && !seen.insert(line).second) continue;
      try {
        TemplateParser parser(line, wildcards_, nodes_, variables_);
        node.weights.push_back(parser.read_weight());
        node.children.push_back(parser.whole(depth + 1));
      } catch (const Error& error) {
        fault(error.what());
      }
      if (node.children.size() > kMostValues)
        fault(fmt::format("more than {} values", kMostValues));
    }
  }
  count_node(node);
  return &node;
}

}  // namespace bifrons
