// Mistakes that the interpreter found in the kernels.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tests/ptx/instruction.h"

namespace ptx {

class Findings {
 public:
  void add(const Kernel& kernel, const Instruction& instruction, const std::string& what) {
    add(kernel.file + ":" + std::to_string(instruction.line) + " " + instruction.text + ": " +
        what + " (" + kernel.name + ")");
  }
  void add(const std::string& what) { ++counts_[what]; }

  // Returns all findings since the last call with their counts, and clears them.
  std::map<std::string, int64_t> take() { return std::exchange(counts_, {}); }

 private:
  std::map<std::string, int64_t> counts_;
};

}  // namespace ptx
