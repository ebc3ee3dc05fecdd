// Runs a few lines of PTX with one area of memory.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/ptx/interpreter.h"
#include "tests/ptx/parser.h"

namespace ptx {

// The kernel's parameter is the address of the area. %rd0 holds that address, %r0 the thread and
// %r1 the block. The test reads and writes the area as `data`.
class SmallKernel {
 public:
  explicit SmallKernel(size_t words = 64, uint64_t seed = 1) : interpreter(seed), data(words) {
    interpreter.memory().add(data.data(), data.size() * sizeof(uint64_t));
  }
  ~SmallKernel() { interpreter.memory().remove(data.data()); }

  // Runs the body and returns the findings, one per line.
  std::string run(const std::string& body, const LaunchShape& shape,
                  const std::function<void()>* before = nullptr) {
    std::string all;
    try {
      start(body, shape, before);
    } catch (const Stopped& e) {
      all = std::string("stopped: ") + e.what() + "\n";
    }
    for (const auto& [what, count] : interpreter.findings().take()) all += what + "\n";
    return all;
  }

  // Runs the body and leaves the findings in the interpreter.
  void start(const std::string& body, const LaunchShape& shape,
             const std::function<void()>* before = nullptr) {
    Kernels kernels;
    parse_module(module_of(body), "small", kernels);
    std::vector<std::byte> parameters(sizeof(uint64_t));
    const auto address = reinterpret_cast<uint64_t>(data.data());
    std::memcpy(parameters.data(), &address, sizeof address);
    interpreter.run(kernels.at("small"), shape, parameters, before);
  }

  static std::string module_of(const std::string& body) {
    return ".version 9.0\n.target sm_90a\n.address_size 64\n"
           ".extern .shared .align 16 .b8 dynamic[];\n"
           ".visible .entry small(.param .u64 small_param_0)\n{\n"
           ".reg .pred %p<20>;\n.reg .b16 %rs<20>;\n.reg .b32 %r<60>;\n.reg .f32 %f<40>;\n"
           ".reg .b64 %rd<20>;\n.reg .f64 %fd<20>;\n"
           "ld.param.u64 %rd0, [small_param_0];\nmov.u32 %r0, %tid.x;\nmov.u32 %r1, %ctaid.x;\n" +
           body + "\nret;\n}\n";
  }

  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data.data());
  }

  Interpreter interpreter;
  std::vector<uint64_t> data;
};

// Shape of a launch with one block of this many threads.
inline LaunchShape threads(int count, int64_t dynamic_shared = 0) {
  return {.blocks = {}, .threads = {count, 1, 1}, .dynamic_shared = dynamic_shared};
}

inline ::testing::AssertionResult finds(const std::string& all, const std::string& what) {
  if (all.find(what) != all.npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << what << "\" is not among: " << all;
}

}  // namespace ptx
