// The tables of docs/gpus.md that say what fits the memory of a GPU, compared with the memory plan;
// and the architectures that the page names, compared with the build.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

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

struct Column {
  std::string name;
  std::string model;
  LinearFormat weights = LinearFormat::kStored;
  KvFormat kv = KvFormat::kStored;
};

// The table of docs/gpus.md with these columns.
std::string table_of(const std::vector<Column>& columns) {
  std::string head = "| memory of the card |", line = "|---|", one = "| for one picture |";
  std::vector<std::string> rows;
  for (const int64_t gib : kCards) rows.push_back(fmt::format("| {} GB |", gib));
  for (const Column& column : columns) {
    Config config = shape_named(column.model);
    config.loaded = column.weights;
    head += " " + column.name + " |";
    line += "---|";
    one += fmt::format(" {:.1f} GB |", static_cast<double>(needed(config, 1, column.kv)) / 1e9);
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i] += fmt::format(" {} |", pictures_on(config, kCards[i], column.kv));
    }
  }
  std::string table = head + "\n" + line + "\n" + one + "\n";
  for (const std::string& row : rows) table += row + "\n";
  return table;
}

void expect_in_manual(const std::string& table) {
  EXPECT_NE(contents("docs/gpus.md").find(table), std::string::npos)
      << "docs/gpus.md should have this table:\n"
      << table;
}

TEST(WhatFits, TheTablesOfTheManualAreThoseOfThePlan) {
  const std::string small = "janus-pro-1b", large = "janus-pro-7b";
  expect_in_manual(
      table_of({{"Janus-Pro-1B, Janus-1.3B", small},
                {"Janus-Pro-7B", large},
                {"1B with `--kv int8`", small, LinearFormat::kStored, KvFormat::kInt8},
                {"7B with `--kv int8`", large, LinearFormat::kStored, KvFormat::kInt8}}));
  expect_in_manual(
      table_of({{"1B with `--weights int8`", small, LinearFormat::kInt8},
                {"1B, `int4`", small, LinearFormat::kInt4},
                {"7B, `int8`", large, LinearFormat::kInt8},
                {"7B, `int4`", large, LinearFormat::kInt4},
                {"7B, `int4` and `--kv int8`", large, LinearFormat::kInt4, KvFormat::kInt8}}));
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
