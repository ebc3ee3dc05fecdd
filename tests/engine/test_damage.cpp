// Model directories with something wrong inside: each fault is one sentence that names it.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "src/bifrons.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

// A copy of toy-f32 in a temporary directory that a test may damage.
class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(golden::directory() + "toy-f32/" + name, directory_ / name);
    }
  }

  // Changes the header of model.safetensors and leaves its data where they are.
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
  // The sentence opening (and drawing) fails with; empty when it works.
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

TEST_F(Damage, NoneWorks) { EXPECT_EQ(fault(), ""); }

TEST_F(Damage, AllMissingAndMisshapenTensorsAreNamedTogether) {
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

TEST_F(Damage, NotANumberInTheWeightsIsReportedNotDrawn) {
  std::string bytes = directory_.read("model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  const size_t at = header.at("language_model.model.norm.weight").at("data_offsets").at(0);
  const uint32_t nan = 0x7fc00000u;
  std::memcpy(bytes.data() + 8 + length + at, &nan, 4);
  directory_.write("model.safetensors", bytes);
  ErrorKind kind{};
  const std::string sentence = fault(&kind);
  EXPECT_EQ(kind, ErrorKind::kData);
  EXPECT_NE(sentence.find("finite"), std::string::npos) << sentence;
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

TEST_F(Damage, TruncatedAnywhereIsOneSentence) {
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

// torch writes checksums and does not look at them; one bit of a weight would only draw other
// pictures.
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

}  // namespace
}  // namespace bifrons
