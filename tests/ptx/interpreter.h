// Interprets PTX kernels on the CPU. Every memory access and every synchronisation of threads is
// checked.
//
// Threads of a warp run together while they are at the same instruction. Warps, blocks and the
// diverged parts of a warp run in random order. Races are detected by happens-before, so they are
// found in every order.
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

// A kernel cannot continue: an access outside of all memory, or a deadlock.
class Stopped : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

struct LaunchShape {
  Size blocks, threads;
  int64_t dynamic_shared = 0;  // bytes
  int64_t asked_shared = 0;    // opt-in limit of dynamic shared memory, bytes; 0: not set
};

class Block;

class Interpreter {
 public:
  explicit Interpreter(uint64_t seed);
  ~Interpreter();

  GlobalMemory& memory() { return memory_; }
  Findings& findings() { return findings_; }
  int64_t instructions() const { return instructions_; }

  // Runs all blocks. `parameters` has the layout of the kernel's parameters. `before` is the
  // previous kernel with programmatic dependent launch (PDL): it runs when a thread waits for it.
  // Null: it has already run. Throws Stopped.
  void run(const Kernel& kernel, const LaunchShape& shape, std::vector<std::byte> parameters,
           const std::function<void()>* before);

 private:
  friend class Block;

  Findings findings_;
  GlobalMemory memory_;
  Moments moments_;
  std::mt19937 random_;
  int64_t launches_ = 0, instructions_ = 0;
  std::vector<std::unique_ptr<Block>> levels_;  // nested launches
  size_t level_ = 0;
};

}  // namespace ptx
