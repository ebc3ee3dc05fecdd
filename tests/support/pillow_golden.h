// Goldens of tools/reference/make_resize_goldens.py: pictures computed by a formula, and Pillow's
// results for them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "vision/pictures/picture.h"

namespace bifrons::testing {

inline nlohmann::json pillow_golden(const std::string& name) {
  std::ifstream file(std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/" + name);
  return nlohmann::json::parse(file);
}

// The picture of the script: each byte is a function of its position.
inline Picture made_picture(int64_t width, int64_t height) {
  Picture picture{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const uint64_t mixed = x * 1103515245 + y * 12345 + c * 2654435761 + x * y * 69069;
        const auto noise = (mixed & 0xffffffffu) >> 24;
        const auto slope = (x * 255 / std::max<int64_t>(width - 1, 1) + y * 3 + c * 40) % 256;
        const auto edges = (x / 5 + y / 7 + c) % 2 * 255;
        const auto kind = (x * 3 / width + y * 2 / height) % 3;
        picture.rgb.push_back(static_cast<uint8_t>(kind == 0   ? noise
                                                   : kind == 1 ? static_cast<uint64_t>(slope)
                                                               : static_cast<uint64_t>(edges)));
      }
    }
  }
  return picture;
}

// FNV-1a.
inline std::string checksum(const std::vector<uint8_t>& data) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint8_t byte : data) hash = (hash ^ byte) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

// For each case of the file, prepare(picture, size) must be a square with Pillow's bytes. If the
// checksum differs, the few bytes stored in the file show roughly what is wrong.
template <typename Prepare>
void expect_pillows_bytes(const std::string& file, const Prepare& prepare) {
  const nlohmann::json all = pillow_golden(file);  // must outlive the loop
  for (const auto& c : all["cases"]) {
    const int64_t width = c["width"], height = c["height"], size = c["size"], step = c["step"];
    const std::string name = fmt::format("{}x{} to {}", width, height, size);
    const Picture square = prepare(made_picture(width, height), size);
    ASSERT_EQ(static_cast<int64_t>(square.rgb.size()), size * size * 3) << name;
    size_t at = 0;
    for (const auto& byte : c["bytes"]) {
      EXPECT_LE(std::abs(byte.get<int>() - int{square.rgb[at]}), 1) << name << " byte " << at;
      at += step;
    }
    EXPECT_EQ(checksum(square.rgb), c["checksum"].get<std::string>()) << name;
  }
}

}  // namespace bifrons::testing
