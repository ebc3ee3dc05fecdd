// Splits a PTX module into kernels and statements.
#include "tests/ptx/parser.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "tests/ptx/kernel_builder.h"
#include "tests/ptx/opcodes.h"

namespace ptx {
namespace {

bool is_label(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '$';
  });
}

class Module {
 public:
  Module(std::string_view text, const std::string& file, Kernels& kernels)
      : text_(text), file_(file), kernels_(kernels) {}

  void parse() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '/' && at_ < text_.size() && text_[at_] == '/') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == '{' && trimmed(statement_).empty() && builder_) {
        builder_->open_scope();
        ++depth_;
      } else if (c == '{' && statement_.find(".entry") != statement_.npos) {
        begin_kernel();
      } else if (c == '}' && trimmed(statement_).empty()) {
        close();
      } else if (c == ':' && builder_ && is_label(trimmed(statement_))) {
        builder_->add_label(trimmed(statement_));
        statement_.clear();
      } else if (c == ';') {
        end_statement();
      } else {
        if (c == '\n') ++line_;
        statement_ += c;
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw ParseError(file_ + ":" + std::to_string(line_) + ": " + why + " " +
                     std::string(trimmed(statement_)));
  }

  void begin_kernel() {
    const std::string head = statement_;
    const size_t name_at = head.find(".entry") + 6, open = head.find('('), end = head.rfind(')');
    const std::string name(trimmed(std::string_view(head).substr(name_at, open - name_at)));
    Kernel& kernel = kernels_[name];
    kernel = {};
    kernel.name = name;
    kernel.file = file_;
    builder_.emplace(kernel, shared_);
    kernel_ = &kernel;
    try {
      for (std::string_view one : parts_of(std::string_view(head).substr(open + 1, end - open - 1)))
        add_parameter(one);
      if (const size_t most = head.find(".maxntid"); most != head.npos) {
        const std::string_view rest = std::string_view(head).substr(most + 8);
        kernel.most_threads = 1;
        for (const std::string_view each : parts_of(rest.substr(0, rest.find("\n")))) {
          kernel.most_threads *= std::stoi(std::string(each));
        }
      }
    } catch (const std::exception& e) {
      fail(e.what());
    }
    statement_.clear();
    depth_ = 1;
  }

  // Reads ".param .u64 name" or ".param .align 8 .b8 name[88]".
  void add_parameter(std::string_view declaration) {
    SharedVariable variable;
    const std::string name = read_variable(declaration, variable);
    const bool array = declaration.find('[') != declaration.npos;
    builder_->add_parameter(name, variable.bytes, array ? variable.alignment : variable.bytes);
  }

  void close() {
    if (!builder_ || depth_ < 1) fail("a brace too many in");
    if (--depth_ > 0) {
      builder_->close_scope();
      return;
    }
    try {
      builder_->finish();
    } catch (const std::exception& e) {
      fail(e.what());
    }
    builder_.reset();
  }

  void end_statement() {
    const std::string_view statement = trimmed(statement_);
    try {
      if (!builder_) {
        module_statement(statement);
      } else if (statement.starts_with(".reg")) {
        builder_->add_registers(statement);
      } else if (statement.starts_with(".shared")) {
        builder_->add_shared(statement);
      } else if (!statement.starts_with(".pragma") && !statement.empty()) {
        builder_->add_instruction(statement, line_);
      }
    } catch (const std::exception& e) {
      fail(e.what());
    }
    statement_.clear();
  }

  void module_statement(std::string_view statement) {
    const size_t at = statement.find(".shared");
    if (at == statement.npos) return;
    SharedVariable variable;
    const std::string name = read_variable(statement.substr(at), variable);
    shared_[name] = variable;
  }

  std::string_view text_;
  std::string file_;
  Kernels& kernels_;
  SharedVariables shared_;
  std::optional<KernelBuilder> builder_;
  Kernel* kernel_ = nullptr;
  std::string statement_;
  size_t at_ = 0;
  int depth_ = 0, line_ = 1;
};

}  // namespace

void parse_module(std::string_view text, const std::string& file, Kernels& kernels) {
  Module(text, file, kernels).parse();
}

}  // namespace ptx
