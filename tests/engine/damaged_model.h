// A copy of a small model that a test may damage.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "src/bifrons.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {

namespace fs = std::filesystem;

// Fixture: a copy of toy-f32 in a temporary directory that the test may damage.
class DamagedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(golden::directory() + "toy-f32/" + name, directory_ / name);
    }
  }

  // Changes the header of model.safetensors; its data keep their offsets.
  void edit_header(const std::function<void(nlohmann::ordered_json&)>& edit) const {
    std::string bytes = directory_.read("model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    auto header = nlohmann::ordered_json::parse(bytes.substr(8, length));
    edit(header);
    const std::string data = bytes.substr(8 + length), text = header.dump();
    length = text.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    directory_.write("model.safetensors", out + text + data);
  }
  // The header, and the file offset of the data.
  std::pair<nlohmann::ordered_json, size_t> header_of(const std::string& bytes) const {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    return {nlohmann::ordered_json::parse(bytes.substr(8, length)), 8 + length};
  }
  // Replaces toy-f32 by another toy.
  void use(const std::string& toy) const {
    for (const std::string& name : directory_.names()) fs::remove(directory_ / name);
    for (const auto& entry : fs::directory_iterator(golden::directory() + toy)) {
      if (!entry.is_regular_file()) continue;
      fs::copy_file(entry.path(), directory_ / entry.path().filename().string());
    }
  }
  // The tensors of the model: name -> file.
  std::map<std::string, std::string> tensors() const {
    std::map<std::string, std::string> found;
    for (const std::string& file : directory_.names()) {
      if (!file.ends_with(".safetensors")) continue;
      const auto [header, begin] = header_of(directory_.read(file));
      for (const auto& [name, entry] : header.items()) {
        if (name != "__metadata__") found.emplace(name, file);
      }
    }
    return found;
  }
  // Sets the first number of a tensor to these f32 bits (for bf16, the upper half of them). Returns
  // the old contents of the file.
  std::string put(const std::string& tensor, uint32_t bits) const {
    const std::string file = tensors().at(tensor);
    const std::string good = directory_.read(file);
    const auto [header, begin] = header_of(good);
    const size_t at = header.at(tensor).at("data_offsets").at(0);
    const bool half = header.at(tensor).at("dtype") == "BF16";
    std::string bytes = good;
    std::memcpy(bytes.data() + begin + at, reinterpret_cast<const char*>(&bits) + (half ? 2 : 0),
                half ? 2 : 4);
    directory_.write(file, bytes);
    return good;
  }
  // Adds a tensor with the shape and the elements of tensor `like`.
  void add(const std::string& like, const std::string& name) const {
    std::string bytes = directory_.read("model.safetensors");
    const auto [header, begin] = header_of(bytes);
    const size_t from = header.at(like).at("data_offsets").at(0);
    const size_t to = header.at(like).at("data_offsets").at(1);
    const size_t end = bytes.size() - begin;
    directory_.write("model.safetensors", bytes + bytes.substr(begin + from, to - from));
    edit_header([&](nlohmann::ordered_json& now) {
      nlohmann::ordered_json entry = now[like];
      entry["data_offsets"] = {end, end + to - from};
      now[name] = entry;
    });
  }
  void rename(const std::function<std::string(const std::string&)>& renamed) const {
    edit_header([&](nlohmann::ordered_json& header) {
      nlohmann::ordered_json now;
      for (const auto& [name, entry] : header.items()) {
        now[name == "__metadata__" ? name : renamed(name)] = entry;
      }
      header = now;
    });
  }
  Drawing drawn() const {
    Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
    const DrawRequest request{.prompt = "a cat", .seed = 1};
    return std::move(engine.draw({&request, 1}).front());
  }
  // The error message of opening (and drawing); empty if both work.
  std::string fault(ErrorKind* kind = nullptr) const {
    try {
      Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
      const DrawRequest request{.prompt = "a cat", .seed = 1};
      engine.draw({&request, 1});
      return "";
    } catch (const Error& e) {
      if (kind) *kind = e.kind();
      return e.what();
    }
  }
  testing::TemporaryDirectory directory_;
};

}  // namespace bifrons::testing
