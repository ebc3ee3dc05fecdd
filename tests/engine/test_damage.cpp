// Damaged model directories: each fault is one sentence that names it.
#include <gtest/gtest.h>

#include "tests/engine/damaged_model.h"

namespace bifrons::testing {
namespace {

class Damage : public DamagedModel {};

TEST_F(Damage, NoneWorks) { EXPECT_EQ(fault(), ""); }

TEST_F(Damage, AllMissingAndMisshapenTensorsAreListed) {
  edit_header([](nlohmann::ordered_json& header) {
    header["renamed"] = header["gen_embed.weight"];
    header.erase("gen_embed.weight");
    auto& shape = header["language_model.model.layers.1.mlp.down_proj.weight"]["shape"];
    std::swap(shape[0], shape[1]);
  });
  ErrorKind kind{};
  const std::string sentence = fault(&kind);
  EXPECT_EQ(kind, ErrorKind::kData);
  EXPECT_NE(sentence.find("gen_embed.weight is missing"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("layers.1.mlp.down_proj.weight is [56, 24] where config.json asks for "
                          "[24, 56]"),
            std::string::npos)
      << sentence;
  EXPECT_EQ(sentence.find('\n'), std::string::npos);
}

TEST_F(Damage, ATokenizerLargerThanTheVocabularyIsRefused) {
  std::string config = directory_.read("config.json");
  const size_t at = config.find("307");
  ASSERT_NE(at, std::string::npos);
  config.replace(at, 3, "299");
  directory_.write("config.json", config);
  EXPECT_NE(fault().find("vocab_size"), std::string::npos) << fault();
}

TEST_F(Damage, EveryFileMayBeMissing) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const std::string bytes = directory_.read(name);
    fs::remove(directory_ / name);
    ErrorKind kind{};
    EXPECT_NE(fault(&kind), "") << name;
    EXPECT_EQ(kind, ErrorKind::kMissing) << name;
    directory_.write(name, bytes);
  }
}

TEST_F(Damage, EveryTruncationIsOneMessage) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const std::string bytes = directory_.read(name);
    for (size_t part = 0; part < 16; ++part) {
      directory_.write(name, bytes.substr(0, bytes.size() * part / 16));
      const std::string sentence = fault();
      EXPECT_NE(sentence, "") << name << " cut to " << part << "/16";
      EXPECT_EQ(sentence.find('\n'), std::string::npos);
    }
    directory_.write(name, bytes);
  }
}

// torch writes checksums but does not verify them. A single flipped bit of a weight would only
// change the pictures.
TEST_F(Damage, AFlippedBitInATorchFileIsFound) {
  for (const char* name : {"model.safetensors", "config.json"}) fs::remove(directory_ / name);
  for (const char* name : {"config.json", "pytorch_model.bin", "tokenizer.json"}) {
    fs::copy_file(golden::directory() + "wide-head/" + name, directory_ / name,
                  fs::copy_options::overwrite_existing);
  }
  ASSERT_EQ(fault(), "");
  const std::string good = directory_.read("pytorch_model.bin");
  for (const double where : {0.3, 0.5, 0.7}) {
    std::string bad = good;
    char& byte = bad[static_cast<size_t>(where * static_cast<double>(bad.size()))];
    byte = static_cast<char>(byte ^ 1);
    directory_.write("pytorch_model.bin", bad);
    ErrorKind kind{};
    const std::string sentence = fault(&kind);
    EXPECT_NE(sentence.find("checksum"), std::string::npos) << where << ": " << sentence;
    EXPECT_EQ(kind, ErrorKind::kData);
  }
}

// Checksums take as long as the files are, also where those are the holes of a sparse file.
TEST_F(Damage, NamesAndShapesComeBeforeChecksums) {
  for (const char* name : {"model.safetensors", "config.json"}) fs::remove(directory_ / name);
  for (const char* name : {"config.json", "pytorch_model.bin", "tokenizer.json"}) {
    fs::copy_file(golden::directory() + "wide-head/" + name, directory_ / name,
                  fs::copy_options::overwrite_existing);
  }
  std::string bytes = directory_.read("pytorch_model.bin");
  char& middle = bytes[bytes.size() / 2];
  middle = static_cast<char>(middle ^ 1);
  directory_.write("pytorch_model.bin", bytes);
  ASSERT_NE(fault().find("checksum"), std::string::npos) << fault();
  auto config = nlohmann::json::parse(directory_.read("config.json"));
  auto& layers = config["language_config"]["num_hidden_layers"];
  layers = layers.get<int>() + 1;
  directory_.write("config.json", config.dump());
  EXPECT_EQ(fault().find("checksum"), std::string::npos) << fault();
  EXPECT_NE(fault().find("is missing"), std::string::npos) << fault();
}

}  // namespace
}  // namespace bifrons::testing
