// PTX with one mistake each. A check of the interpreter or a wrong result must reveal it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/kernels/op_case.h"
#include "tests/ptx/ptx_runner.h"

namespace bifrons {

std::unique_ptr<Backend> make_cuda_on_cpu_backend(int device, bool low_priority,
                                                  std::optional<bool> pdl);

namespace testing {
namespace {

constexpr int kCode = BIFRONS_PTX_CODE;
constexpr const char* kColumns = "linear_bf16_by_bf16_bias_9x64x129";  // streams the weights
constexpr const char* kTiles = "linear_bf16_by_bf16_bias_17x97x256";
constexpr const char* kAttention = "attention_bf16_5_from_127_of_257_heads_3_over_1_size_34";
constexpr const char* kNorm = "rms_norm_bf16_3x2048_gap8";
constexpr const char* kSample = "sample_coarse_2049";

struct Damage {
  const char* name;
  const char* file;
  const char* in;    // text in the lines to change
  const char* from;  // regular expression to replace
  const char* to;
  const char* op;
  const char* found;  // expected finding; "result": the op's result is wrong
};

// Wrong results alone do not reveal missing fences, nor most missing barriers.
const Damage kDamages[] = {
    {"WaitsForTooFewCopies", "linear.ptx", "cp.async.wait_group", "3;", "7;", kColumns,
     "cp.async is still copying"},
    {"WaitsForNoCopy", "linear.ptx", "cp.async.wait_group", ".*", "", kTiles,
     "cp.async is still copying"},
    {"NoBarrierInTiles", "linear.ptx", "bar.sync", ".*", "", kTiles, "another thread"},
    {"NoBarrierInAttention", "attention.ptx", "bar.sync", ".*", "", kAttention, "another thread"},
    {"NoBarrierInSampling", "sample.ptx", "bar.sync", ".*", "", kSample, "another thread"},
    {"NoBarrierInANorm", "rows.ptx", "bar.sync", ".*", "", kNorm, "another thread"},
    {"NoBarrierOfAWarp", "attention.ptx", "bar.warp.sync", ".*", "", kAttention, "another thread"},
    {"NoFence", "attention.ptx", "membar", ".*", "", kAttention, "without a fence"},
    {"CopySourceOffBy8", "linear.ptx", "cp.async.cg", "(%rd[0-9]+)\\]", "$1+8]", kColumns,
     "not a multiple of its size"},
    {"CopySourceOffBy16", "linear.ptx", "cp.async.cg", "(%rd[0-9]+)\\]", "$1+16]", kColumns,
     "outside of all memory"},
    {"CopyTargetOffBy8", "linear.ptx", "cp.async.cg", "global \\[(%r[0-9]+)\\]", "global [$1+8]",
     kTiles, "not a multiple of its size"},
    {"SharedStoreOffBy8", "attention.ptx", "st.shared.f32", "(%r[0-9]+)(\\+[0-9]+)?\\]", "$1+8]",
     kAttention, "never written"},
    {"GlobalLoadOffBy8", "rows.ptx", "ld.global.v4.u32", "(%rd[0-9]+)\\]", "$1+8]", kNorm,
     "not a multiple of its size"},
    {"HalvesOfBSwapped", "linear.ptx", "mma.sync", "\\}, \\{(%r[0-9]+), (%r[0-9]+)\\}, \\{",
     "}, {$2, $1}, {", kColumns, "result"},
    {"RowsOfASwapped", "linear.ptx", "mma.sync", "\\{(%r[0-9]+), (%r[0-9]+), (%r[0-9]+), ",
     "{$2, $1, $3, ", kTiles, "result"},
    {"PairOfBf16Swapped", "rows.ptx", "cvt.rn.bf16x2", "(%r[0-9]+, )(%f[0-9]+), (%f[0-9]+)",
     "$1$3, $2", kNorm, "result"},
    {"MaskOfHalfAWarp", "rows.ptx", "shfl.sync.bfly", ", [^,]*;", ", 65535;", kNorm,
     "mask leaves out lanes"},
    {"AnotherLane", "rows.ptx", "shfl.sync.bfly", "(\\|%p[0-9]+, %r[0-9]+, )[^,]*,", "$010,", kNorm,
     "result"},
    {"CounterCountsWrong", "attention.ptx", "atom.global.add", ", 1;", ", 2;", kAttention,
     "result"},
};

// Shows the name of the damage in messages of failing tests.
void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

// Findings when `op` runs on these modules.
std::string found_with(const ptx::Modules& modules, const std::string& op, bool pdl) {
  const std::vector<OpCase> all = op_cases();
  const auto named = [&](const OpCase& each) { return each.name == op; };
  const auto which = std::find_if(all.begin(), all.end(), named);
  if (which == all.end()) return "there is no case " + op;
  ptx::PtxRunner runner(kCode, modules, 1);
  cuda_on_cpu::kernel_runner() = &runner;
  std::string found;
  try {
    const auto backend = make_cuda_on_cpu_backend(0, false, pdl);
    if (const std::string wrong = check_case(*which, *backend); !wrong.empty()) {
      found = "result: " + wrong + "\n";
    }
  } catch (const std::exception& e) {
    found = std::string(e.what()) + "\n";
  }
  cuda_on_cpu::kernel_runner() = nullptr;
  for (const auto& [what, count] : runner.interpreter().findings().take()) found += what + "\n";
  return found;
}

// The module, and the one that lays out weights.
ptx::Modules modules_with(const std::string& file) {
  static const ptx::Modules all = ptx::read_modules(BIFRONS_PTX_LIST);
  return {{file, all.at(file)}, {"weight_order.ptx", all.at("weight_order.ptx")}};
}

std::string damaged(const std::string& text, const Damage& damage) {
  const std::regex from(damage.from);
  std::stringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const bool here = line.find(damage.in) != line.npos;
    result += (here ? std::regex_replace(line, from, damage.to) : line) + "\n";
  }
  return result;
}

class PtxDamage : public ::testing::TestWithParam<Damage> {};

TEST_P(PtxDamage, IsFound) {
  const Damage& damage = GetParam();
  ptx::Modules modules = modules_with(damage.file);
  std::string& text = modules.at(damage.file);
  const std::string before = text;
  text = damaged(text, damage);
  ASSERT_TRUE(text != before) << "nothing was damaged";
  const std::string found = found_with(modules, damage.op, false);
  EXPECT_NE(found.find(damage.found), found.npos) << found.substr(0, 2000);
}

INSTANTIATE_TEST_SUITE_P(All, PtxDamage, ::testing::ValuesIn(kDamages),
                         [](const auto& instance) { return std::string(instance.param.name); });

// The same cases have no findings without damage.
TEST(PtxDamageControl, NothingIsFoundInWhatNvccMade) {
  std::map<std::string, std::string> files;  // file by case
  for (const Damage& damage : kDamages) files[damage.op] = damage.file;
  for (const auto& [op, file] : files) {
    EXPECT_EQ(found_with(modules_with(file), op, false), "") << op;
  }
}

TEST(PtxDamageControl, TheWaitForEarlierKernelsIsMissed) {
  if (kCode < 90) GTEST_SKIP() << "this architecture has no griddepcontrol";
  const Damage no_wait{"", "linear.ptx", "griddepcontrol.wait", ".*", "", kColumns, ""};
  ptx::Modules modules = modules_with(no_wait.file);
  EXPECT_EQ(found_with(modules, kColumns, true), "");
  std::string& text = modules.at(no_wait.file);
  text = damaged(text, no_wait);
  EXPECT_NE(found_with(modules, kColumns, true).find("ends without griddepcontrol.wait"),
            std::string::npos);
}

}  // namespace
}  // namespace testing
}  // namespace bifrons
