// Builds one kernel from the statements of its body: registers, constants, operands and labels.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/ptx/instruction.h"

namespace ptx {

// A shared variable of a module. `bytes` 0: the dynamic shared memory.
struct SharedVariable {
  int64_t bytes = 0, alignment = 1;
};
using SharedVariables = std::map<std::string, SharedVariable, std::less<>>;

// "  a, b " -> "a, b"
std::string_view trimmed(std::string_view text);
// Splits at commas outside of braces and brackets.
std::vector<std::string_view> parts_of(std::string_view text);
// Reads ".shared .align 4 .b8 name[16]". Returns the variable's name.
std::string read_variable(std::string_view declaration, SharedVariable& variable);

// Throws std::runtime_error with a short reason for unknown input.
class KernelBuilder {
 public:
  // `of_module`: variables outside of kernels. Those that the kernel uses get memory.
  KernelBuilder(Kernel& kernel, const SharedVariables& of_module);

  void add_parameter(const std::string& name, size_t bytes, size_t alignment);
  void add_shared(std::string_view declaration);
  // Reads ".reg .b32 %r<9>" or ".reg .pred %p1". The latter belongs to the current scope.
  void add_registers(std::string_view declaration);
  void open_scope() { scopes_.emplace_back(); }
  void close_scope() { scopes_.pop_back(); }
  void add_label(std::string_view name);
  void add_instruction(std::string_view statement, int line);
  // Fills in branch targets and the offset of dynamic shared memory.
  void finish();

 private:
  struct Place {
    bool is_dynamic;
    int64_t value;
  };

  Slot new_register(Type type);
  Slot register_named(std::string_view name);
  Slot special_register(std::string_view name);
  Slot constant(uint64_t value, Type type);
  Slot operand(std::string_view text, Type type);
  // Reads the registers of "{%r1, %r2}", or one operand.
  int operands(std::string_view text, Type type, Instruction& i, int first_slot);
  Address address(std::string_view text, int which);
  bool symbol(std::string_view name, Place& place);
  int64_t place_shared(const std::string& name, const SharedVariable& variable);

  void read_guard(std::string_view& statement, Instruction& i);
  void read_operands(const std::vector<std::string_view>& parts, Instruction& i);
  void read_arithmetic(const std::vector<std::string_view>& parts, Instruction& i);
  void read_move(const std::vector<std::string_view>& parts, Instruction& i);
  void read_memory(const std::vector<std::string_view>& parts, Instruction& i);
  void read_copy(const std::vector<std::string_view>& parts, Instruction& i);
  void read_warp(const std::vector<std::string_view>& parts, Instruction& i);
  void note_granule(const Instruction& i);

  Kernel& kernel_;
  const SharedVariables& of_module_;
  SharedVariables own_;
  std::map<std::string, int64_t, std::less<>> shared_places_, parameters_;
  std::map<std::string, Type, std::less<>> families_;  // by prefix, such as "%rd"
  std::vector<std::map<std::string, Slot, std::less<>>> scopes_{1};
  std::map<std::string, int, std::less<>> labels_;
  std::vector<std::pair<size_t, std::string>> branches_;
  std::map<std::pair<uint64_t, bool>, Slot> constants_;
  std::vector<std::pair<Slot, int64_t>> dynamic_constants_;
  std::vector<std::tuple<size_t, int>> dynamic_addresses_;  // instruction; 0: address, 1: source
};

}  // namespace ptx
