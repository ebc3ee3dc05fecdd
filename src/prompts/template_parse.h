// The parser that Template uses.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/prompts/template.h"

namespace bifrons {

// Number of ordered selections of `taken` options, where option i has counts[i] texts.
double ordered_selections(const std::vector<int64_t>& counts, int64_t taken);

// Computes combinations, bytes and asks_all of a node from its children.
void count_node(TemplateNode& node);

class TemplateParser {
 public:
  // `nodes` owns the nodes that parse() returns, except the values of wildcards.
  TemplateParser(std::string_view text, Wildcards& wildcards,
                 std::vector<std::unique_ptr<TemplateNode>>& nodes)
      : TemplateParser(text, wildcards, nodes, std::make_shared<Variables>()) {}

  const TemplateNode* parse();

 private:
  // The value of ${name}: a template that is filled in at each use, or the text of slot `slot`.
  struct Variable {
    std::string text;
    const TemplateNode* set = nullptr;
  };
  using Variables = std::map<std::string, Variable, std::less<>>;

  // The parts of ${name}, ${name:text}, ${name=text}, ${name=!text} or ${name?=text}.
  struct VariableText {
    std::string name;
    char sign = 0;  // one of these signs; 0: none
    bool keep = false, at_once = false;
    std::string_view text;
    size_t end = 0;  // after the closing brace
  };

  TemplateParser(std::string_view text, Wildcards& wildcards,
                 std::vector<std::unique_ptr<TemplateNode>>& nodes,
                 std::shared_ptr<const Variables> variables)
      : text_(text), wildcards_(wildcards), nodes_(nodes), variables_(std::move(variables)) {}

  TemplateNode& make(TemplateNode::Kind kind);
  // Parses the rest of the text. Variables are set first, wherever they stand in it.
  const TemplateNode* whole(int depth);
  const TemplateNode* sequence(int depth, bool inside);
  // Adds the piece at at_ to `node`. The text in `plain` is added before it.
  void piece(TemplateNode& node, std::string& plain, int depth, bool inside);
  bool escaped(std::string& plain, int depth);
  bool comment(const TemplateNode& node, std::string& plain);
  void add_text(TemplateNode& node, std::string& plain);

  // Defined in template_names.cpp.
  const TemplateNode* part(std::string_view text, int depth);
  std::vector<const TemplateNode*> set_variables(int depth);
  const TemplateNode* variable_at(int depth, bool inside);
  const TemplateNode* value_of(const std::string& name, std::optional<std::string_view> otherwise,
                               int depth);
  VariableText variable_text(size_t at) const;
  // The wildcard that begins here, with its underscores. Empty: the underscores are plain text.
  std::string_view wildcard_here() const;
  const TemplateNode* wildcard(std::string_view inner, int depth);
  const TemplateNode* values_of(const std::string& name, int depth);
  const TemplateNode* values_now(const std::string& name, int depth);
  const TemplateNode* sampled(char sign, const TemplateNode* all);

  bool is_sampler(size_t at) const;
  void read_amount(TemplateNode& node, int64_t& least, int64_t& most);
  double read_weight();
  const TemplateNode* choice(int depth);
  void spread_only_option(TemplateNode& node, bool several) const;

  std::string_view text_;
  size_t at_ = 0;
  Wildcards& wildcards_;
  std::vector<std::unique_ptr<TemplateNode>>& nodes_;
  std::shared_ptr<const Variables> variables_;
};

}  // namespace bifrons
