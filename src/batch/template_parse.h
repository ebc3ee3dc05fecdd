// The parser behind Template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/batch/template.h"

namespace bifrons {

// Ways to take `taken` of the options in an order, when option i itself comes in counts[i] ways.
double ordered_selections(const std::vector<int64_t>& counts, int64_t taken);

class TemplateParser {
 public:
  // `nodes` owns what parse() gives, apart from the values of wildcards.
  TemplateParser(std::string_view text, Wildcards& wildcards,
                 std::vector<std::unique_ptr<TemplateNode>>& nodes)
      : text_(text), wildcards_(wildcards), nodes_(nodes) {}

  const TemplateNode* parse();

 private:
  TemplateNode& make(TemplateNode::Kind kind);
  const TemplateNode* sequence(int depth, std::string_view ends);
  static std::string_view wildcard_name(std::string_view text);
  const TemplateNode* wildcard(const std::string& name, int depth);
  const TemplateNode* values(std::string_view content, int depth);
  void read_amount(TemplateNode& node, int64_t& least, int64_t& most);
  double read_weight();
  const TemplateNode* choice(int depth);
  static void count_choice(TemplateNode& node);
  static int64_t longest_choice(const TemplateNode& node);

  std::string_view text_;
  size_t at_ = 0;
  Wildcards& wildcards_;
  std::vector<std::unique_ptr<TemplateNode>>& nodes_;
};

}  // namespace bifrons
