// Reads expected values with a small safetensors reader that shares no code with src/weights.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bifrons::golden {

inline std::string directory() { return std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/models/"; }

class Tensors {
 public:
  explicit Tensors(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("no goldens at " + path);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), 8);
    header_ = nlohmann::json::parse(bytes_.substr(8, length));
    begin_ = 8 + length;
  }

  bool has(const std::string& name) const { return header_.contains(name); }
  std::vector<int64_t> shape(const std::string& name) const {
    return header_.at(name).at("shape").get<std::vector<int64_t>>();
  }

  // Values of a tensor with element type T: float for F32, int32_t for I32, uint8_t for U8.
  template <typename T>
  std::vector<T> values(const std::string& name) const {
    const nlohmann::json& entry = header_.at(name);
    const std::string dtype = entry.at("dtype");
    const std::string expected = std::is_same_v<T, float>     ? "F32"
                                 : std::is_same_v<T, int32_t> ? "I32"
                                                              : "U8";
    if (dtype != expected) throw std::runtime_error(name + " is " + dtype);
    const uint64_t from = entry.at("data_offsets").at(0), to = entry.at("data_offsets").at(1);
    std::vector<T> out((to - from) / sizeof(T));
    std::memcpy(out.data(), bytes_.data() + begin_ + from, to - from);
    return out;
  }

 private:
  std::string bytes_;
  nlohmann::json header_;
  uint64_t begin_ = 0;
};

inline constexpr const char* kToys[] = {"toy-f32", "toy-hf", "grouped-query", "wide-head",
                                        "toy-sees"};

// The toys whose expected/FILE has this tensor. Which toys have it depends on the dtype of their
// weights.
inline std::vector<const char*> toys_with(const std::string& file, const std::string& tensor) {
  std::vector<const char*> found;
  for (const char* toy : kToys) {
    if (Tensors(directory() + toy + "/expected/" + file).has(tensor)) found.push_back(toy);
  }
  return found;
}

// Name of a toy as part of a test name.
inline std::string test_name(const ::testing::TestParamInfo<const char*>& toy) {
  std::string name = toy.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

}  // namespace bifrons::golden
