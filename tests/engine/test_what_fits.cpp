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
int64_t needed(const Config& config, int64_t pictures) {
  const auto plan =
      memory_plan(config, DType::kBf16, pictures, kPlannedPromptTokens, MemorySpace::kDevice);
  int64_t decoder = 0;
  for (const MemoryItem& item : plan) {
    if (item.name == "visual tokenizer, decoder") decoder = item.bytes;
  }
  EXPECT_GT(decoder, 0);
  return total_bytes(plan) + (cuda_library().empty() ? decoder : 0);
}

// Half a GiB of each card is left to the driver, CUDA and its libraries.
std::string pictures_on(const Config& config, int64_t gib) {
  const int64_t room = (gib << 30) - (int64_t{1} << 29);
  int64_t fit = 0;
  while (fit < kMostPictures && needed(config, fit + 1) <= room) ++fit;
  if (fit == 0) return "-";
  return fit == kMostPictures ? fmt::format("{} or more", fit) : fmt::format("{}", fit);
}

TEST(WhatFits, TheTableOfTheManualIsThatOfThePlan) {
  const Config small = shape_named("janus-pro-1b"), large = shape_named("janus-pro-7b");
  std::string table = fmt::format(
      "| memory of the card | Janus-Pro-1B, Janus-1.3B | Janus-Pro-7B |\n|---|---|---|\n"
      "| for one picture | {:.1f} GB | {:.1f} GB |\n",
      static_cast<double>(needed(small, 1)) / 1e9, static_cast<double>(needed(large, 1)) / 1e9);
  for (const int64_t gib : kCards) {
    table +=
        fmt::format("| {} GB | {} | {} |\n", gib, pictures_on(small, gib), pictures_on(large, gib));
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
