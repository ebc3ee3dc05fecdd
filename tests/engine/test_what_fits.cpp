// The table of docs/gpus.md that says what fits the memory of a GPU, compared with the memory plan;
// and the architectures that the page names, compared with the build.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "kernels/devices.h"
#include "src/engine/memory_plan.h"
#include "src/model/model.h"

namespace bifrons {
namespace {

constexpr int64_t kCards[] = {6, 8, 12, 16, 24, 48, 80};  // GiB
constexpr int64_t kMostPictures = 256;

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(std::string(BIFRONS_SOURCE_DIR) + "/" + path).rdbuf();
  return text.str();
}

// Bytes for drawing, with cuDNN also in a build without it.
int64_t needed(const Config& config, int64_t pictures, KvFormat kv) {
  const auto plan =
      memory_plan(config, {DType::kBf16, kv}, pictures, kPlannedPromptTokens, MemorySpace::kDevice);
  int64_t decoder = 0;
  for (const MemoryItem& item : plan) {
    if (item.name == "visual tokenizer, decoder") decoder = item.bytes;
  }
  EXPECT_GT(decoder, 0);
  return total_bytes(plan) + (cuda_library().empty() ? decoder : 0);
}

// Half a GiB of each card is left to the driver, CUDA and its libraries.
std::string pictures_on(const Config& config, int64_t gib, KvFormat kv) {
  const int64_t room = (gib << 30) - (int64_t{1} << 29);
  int64_t fit = 0;
  while (fit < kMostPictures && needed(config, fit + 1, kv) <= room) ++fit;
  if (fit == 0) return "-";
  return fit == kMostPictures ? fmt::format("{} or more", fit) : fmt::format("{}", fit);
}

TEST(WhatFits, TheTableOfTheManualIsThatOfThePlan) {
  const std::pair<Config, KvFormat> columns[] = {{shape_named("janus-pro-1b"), KvFormat::kStored},
                                                 {shape_named("janus-pro-7b"), KvFormat::kStored},
                                                 {shape_named("janus-pro-1b"), KvFormat::kInt8},
                                                 {shape_named("janus-pro-7b"), KvFormat::kInt8}};
  std::string table =
      "| memory of the card | Janus-Pro-1B, Janus-1.3B | Janus-Pro-7B | 1B with `--kv int8` | 7B "
      "with `--kv int8` |\n|---|---|---|---|---|\n| for one picture |";
  for (const auto& [config, kv] : columns) {
    table += fmt::format(" {:.1f} GB |", static_cast<double>(needed(config, 1, kv)) / 1e9);
  }
  table += "\n";
  for (const int64_t gib : kCards) {
    table += fmt::format("| {} GB |", gib);
    for (const auto& [config, kv] : columns) {
      table += fmt::format(" {} |", pictures_on(config, gib, kv));
    }
    table += "\n";
  }
  EXPECT_NE(contents("docs/gpus.md").find(table), std::string::npos)
      << "docs/gpus.md should have this table:\n"
      << table;
}

TEST(WhatFits, TheManualNamesTheArchitecturesOfTheBuild) {
  const std::string build = contents("CMakeLists.txt"), set = "set(CMAKE_CUDA_ARCHITECTURES \"";
  const size_t begin = build.find(set) + set.size();
  ASSERT_GT(begin, set.size());
  const std::string architectures = build.substr(begin, build.find('"', begin) - begin);
  EXPECT_NE(contents("docs/gpus.md").find("`" + architectures + "`"), std::string::npos)
      << "docs/gpus.md does not name the default architectures, " << architectures;
}

}  // namespace
}  // namespace bifrons
