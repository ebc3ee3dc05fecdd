// A batch directory with pictures in it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "src/io/sha256.h"
#include "src/store/store.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {

namespace fs = std::filesystem;

inline std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

inline ManifestEntry wanted(const std::string& name, const std::string& setting = "") {
  return {name, "model", 0, "", sha256(name + setting)};
}

class StoreTest : public ::testing::Test {
 protected:
  StoreOptions options(Resume resume = Resume::kTrust) const {
    return {.directory = (scratch / "out").string(), .resume = resume};
  }
  std::string read(const std::string& name) const { return scratch.read("out/" + name); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(scratch / "out");
    scratch.write("out/" + name, text);
  }
  void fill(int count, int index_from = 0) const {
    Store store(options());
    for (int i = index_from; i < index_from + count; ++i) {
      const std::string name = "p" + std::to_string(i) + ".png";
      store.add(wanted(name), "\"text\":\"x\",\"index\":" + std::to_string(i),
                bytes_of("picture " + name));
    }
  }
  const TemporaryDirectory scratch;
};

}  // namespace bifrons::testing
