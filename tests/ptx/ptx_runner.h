// Runs the kernels of the host's CUDA backend by interpreting the PTX that nvcc made of them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/cuda_on_cpu/kernel_runner.h"
#include "tests/ptx/interpreter.h"
#include "tests/ptx/parser.h"

namespace ptx {

// Texts of PTX files by file name without directory.
using Modules = std::map<std::string, std::string>;

// Reads the files listed in a file, one path per line. Throws ParseError.
Modules read_modules(const std::string& list);

class PtxRunner final : public cuda_on_cpu::KernelRunner {
 public:
  // `architecture`: 80 or 90. Throws ParseError.
  PtxRunner(int architecture, const Modules& modules, uint64_t seed);

  void run(const cuda_on_cpu::KernelCall& call, const std::function<void()>* before) override;
  void allocated(const void* data, size_t bytes) override {
    interpreter_.memory().add(data, bytes);
  }
  void freed(const void* data) override { interpreter_.memory().remove(data); }
  int code() const override { return architecture_; }
  size_t static_shared(const void* kernel) const override;

  Interpreter& interpreter() { return interpreter_; }
  const Kernels& kernels() const { return kernels_; }
  // Number of runs of each kernel.
  const std::map<std::string, int64_t>& runs() const { return runs_; }

 private:
  // The PTX kernel of a host function, by its mangled name; null if there is none.
  const Kernel* find(const void* function) const;

  int architecture_;
  Kernels kernels_;
  Interpreter interpreter_;
  std::map<std::string, int64_t> runs_;
  mutable std::map<const void*, const Kernel*> found_;
};

}  // namespace ptx
