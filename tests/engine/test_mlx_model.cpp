// A whole model in MLX's 4-bit layout: it draws what its dequantised weights draw, and every report
// names it.
#include <gtest/gtest.h>

#include <filesystem>

#include "src/engine/model_files.h"
#include "src/engine/quantise_model.h"
#include "tests/engine/damaged_model.h"

namespace bifrons::testing {
namespace {

class MlxModel : public DamagedModel {
 protected:
  void SetUp() override {
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy_file(packed_ + "/" + name, directory_ / name);
    }
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(golden::directory() + "toy-f32/" + name, directory_ / name);
    }
  }

  // Replaces the packed matrices by the golden ones of f16.
  void unpack() const {
    const std::string exact = slurp(golden_ + "dequantised.safetensors");
    const auto [exact_header, exact_begin] = header_of(exact);
    const std::string packed = directory_.read("model.safetensors");
    const auto [header, begin] = header_of(packed);
    nlohmann::ordered_json out;
    std::string data;
    const auto append = [&](const std::string& name, const nlohmann::ordered_json& entry,
                            const std::string& file, size_t data_begin) {
      const size_t from = entry.at("data_offsets").at(0), to = entry.at("data_offsets").at(1);
      out[name] = entry;
      out[name]["data_offsets"] = {data.size(), data.size() + to - from};
      data += file.substr(data_begin + from, to - from);
    };
    for (const auto& [name, entry] : header.items()) {
      if (name.ends_with(".scales") || name.ends_with(".biases")) continue;
      if (exact_header.contains(name)) {
        append(name, exact_header[name], exact, exact_begin);
      } else {
        append(name, entry, packed, begin);
      }
    }
    const std::string text = out.dump();
    uint64_t length = text.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    directory_.write("model.safetensors", bytes + text + data);
    edit_config([](nlohmann::ordered_json& config) {
      config.erase("quantization");
      config.erase("quantization_config");
    });
  }
  void edit_config(const std::function<void(nlohmann::ordered_json&)>& edit) const {
    auto config = nlohmann::ordered_json::parse(directory_.read("config.json"));
    edit(config);
    directory_.write("config.json", config.dump());
  }
  static std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::string golden_ = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/mlx/";
  const std::string packed_ = golden_ + "packed";
};

TEST_F(MlxModel, DrawsWhatItsDequantisedWeightsDraw) {
  const Drawing packed = drawn();
  EXPECT_EQ(Engine::open({.model = directory_.path(), .threads = 1}).model().weights_dtype,
            "MLX 4-bit");
  unpack();
  const Drawing exact = drawn();
  EXPECT_EQ(Engine::open({.model = directory_.path(), .threads = 1}).model().weights_dtype, "f16");
  EXPECT_EQ(packed.tokens, exact.tokens);
  EXPECT_EQ(packed.picture.rgb, exact.picture.rgb);
}

TEST_F(MlxModel, EveryReportNamesIt) {
  const std::string directory = directory_.path();
  EXPECT_NE(inspect(directory).find("packed     MLX 4-bit, read as f16"), std::string::npos);
  EXPECT_NE(inspect_json(directory).find("\"quantisation\": \"MLX 4-bit\""), std::string::npos);
  EXPECT_EQ(summarize_model(directory).weights_dtype, "MLX 4-bit");
  bool named = false;
  for (const ModelFile& file : list_model_files(directory)) {
    EXPECT_EQ(file.problem, "") << file.name;
    if (file.name == "config.json") named = file.what == "configuration, original form, MLX 4-bit";
  }
  EXPECT_TRUE(named);
  const Verification verification = verify_model(directory);
  EXPECT_TRUE(verification.problems.empty());
  EXPECT_EQ(verification.quantisation, "MLX 4-bit");
}

TEST_F(MlxModel, IsNotQuantisedAgain) {
  try {
    quantise_model(directory_.path(), directory_ / "out", LinearFormat::kInt8, {});
    ADD_FAILURE() << "it was";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("its weights are MLX 4-bit already"),
              std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(fs::exists(directory_ / "out"));
}

TEST_F(MlxModel, DamageIsNamed) {
  const std::string bits = directory_.read("config.json");
  edit_config([](auto& config) { config["quantization"]["bits"] = 6; });
  EXPECT_NE(fault().find("quantization has 6 bits, and 4 and 8 are read"), std::string::npos)
      << fault();
  edit_config([](auto& config) {
    config.erase("quantization");
    config.erase("quantization_config");
  });
  EXPECT_NE(fault().find("is U32 with scales beside it, as MLX packs weights"), std::string::npos)
      << fault();
  directory_.write("config.json", bits);
  EXPECT_EQ(fault(), "");

  std::string bytes = directory_.read("model.safetensors");
  const auto [header, begin] = header_of(bytes);
  const std::string scales = "language_model.model.layers.1.mlp.down_proj.scales";
  const size_t at = header.at(scales).at("data_offsets").at(0);
  bytes.replace(begin + at, 2, std::string("\0\x7e", 2));
  directory_.write("model.safetensors", bytes);
  ErrorKind kind{};
  EXPECT_NE(fault(&kind).find("down_proj.weight\": row 0 has a scale or a bias that is not finite"),
            std::string::npos)
      << fault();
  EXPECT_EQ(kind, ErrorKind::kData);
  const Verification verification = verify_model(directory_.path());
  ASSERT_EQ(verification.problems.size(), 1u);
  EXPECT_NE(verification.problems[0].find("not finite or too large"), std::string::npos);
}

}  // namespace
}  // namespace bifrons::testing
