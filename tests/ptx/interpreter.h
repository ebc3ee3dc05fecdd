// Runs kernels of PTX on the CPU, and checks every access of memory and every meeting of threads.
//
// Threads of a warp go together as long as they are at one place in the code. Warps, blocks, and
// the parts of a warp that went different ways run in a random order. Races are found by
// happens-before, whatever the order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/ptx/findings.h"
#include "tests/ptx/instruction.h"
#include "tests/ptx/memory.h"
#include "tests/ptx/order.h"

namespace ptx {

struct Size {
  int x = 1, y = 1, z = 1;
  int count() const { return x * y * z; }
};

// A kernel cannot go on: an access outside of all memory, threads that wait for each other.
class Stopped : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

struct LaunchShape {
  Size blocks, threads;
  int64_t dynamic_shared = 0;  // bytes
  int64_t asked_shared = 0;    // most dynamic bytes that the kernel's attribute allows; 0: not set
};

class Block;

class Interpreter {
 public:
  explicit Interpreter(uint64_t seed);
  ~Interpreter();

  GlobalMemory& memory() { return memory_; }
  Findings& findings() { return findings_; }
  int64_t instructions() const { return instructions_; }

  // Runs all blocks. `parameters` has the layout of the kernel's. `before`: the work that is done
  // when a thread waits for it (programmatic dependent launch); null: it has been done. Throws
  // Stopped.
  void run(const Kernel& kernel, const LaunchShape& shape, std::vector<std::byte> parameters,
           const std::function<void()>* before);

 private:
  friend class Block;

  Findings findings_;
  GlobalMemory memory_;
  Moments moments_;
  std::mt19937 random_;
  int64_t launches_ = 0, instructions_ = 0;
  std::vector<std::unique_ptr<Block>> levels_;  // launches that run inside of launches
  size_t level_ = 0;
};

}  // namespace ptx
