// Runs the tests of tests/cuda_on_cpu on PTX. Environment variables:
//   BIFRONS_PTX=LIST          file with the paths of the PTX files of one architecture
//   BIFRONS_PTX_CODE=N        that architecture: 80 or 90
//   BIFRONS_PTX_SEED=N        seed for the order of warps and blocks
//   BIFRONS_PTX_REPORT=FILE   file to which the names of the executed kernels are appended
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/ptx/ptx_runner.h"

namespace {

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

// Fails a test in which the interpreter found a mistake.
class FindingsFail : public ::testing::EmptyTestEventListener {
 public:
  explicit FindingsFail(ptx::PtxRunner& runner) : runner_(runner) {}

  void OnTestEnd(const ::testing::TestInfo&) override {
    for (const auto& [what, count] : runner_.interpreter().findings().take()) {
      ADD_FAILURE() << what << ", " << count << " times";
    }
  }

 private:
  ptx::PtxRunner& runner_;
};

void report(const ptx::PtxRunner& runner, const std::string& path) {
  std::ofstream out(path, std::ios::app);
  for (const auto& [name, count] : runner.runs()) out << name << " " << count << "\n";
}

}  // namespace

int main(int count, char** words) {
  ::testing::InitGoogleTest(&count, words);
  const std::string list = setting("BIFRONS_PTX", "");
  if (list.empty()) {
    std::cerr << "test_ptx: BIFRONS_PTX names no list of PTX files\n";
    return 2;
  }
  ptx::PtxRunner runner(std::stoi(setting("BIFRONS_PTX_CODE", "90")), ptx::read_modules(list),
                        std::stoull(setting("BIFRONS_PTX_SEED", "1")));
  cuda_on_cpu::kernel_runner() = &runner;
  ::testing::UnitTest::GetInstance()->listeners().Append(new FindingsFail(runner));
  const int result = RUN_ALL_TESTS();
  if (::testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::cerr << "test_ptx: the filter matches no test\n";
    return 2;
  }
  std::cerr << "test_ptx: " << runner.runs().size() << " kernels, "
            << runner.interpreter().instructions() << " instructions\n";
  if (const std::string path = setting("BIFRONS_PTX_REPORT", ""); !path.empty()) {
    report(runner, path);
  }
  cuda_on_cpu::kernel_runner() = nullptr;
  return result;
}
