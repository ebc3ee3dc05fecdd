// Parser for PTX in the form that nvcc writes.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/ptx/instruction.h"

namespace ptx {

// An instruction or directive that the interpreter does not support, with file and line.
class ParseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Kernels = std::map<std::string, Kernel, std::less<>>;

// Adds the kernels of a PTX module to `kernels`. `file` is the name in messages. Throws ParseError.
void parse_module(std::string_view text, const std::string& file, Kernels& kernels);

}  // namespace ptx
