// Quantised model directories: the same bits as --weights, and one sentence for each damage.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "src/bifrons.h"
#include "src/engine/model_files.h"
#include "src/engine/quantise_model.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;

const std::string kStorybook = std::string(BIFRONS_SOURCE_DIR) + "/samples/models/storybook";

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::vector<int32_t> codes_of(const std::string& model, WeightFormat weights,
                              const std::string& device = "cpu") {
  Engine engine = Engine::open({.model = model, .device = device, .weights = weights});
  const DrawRequest request{.prompt = "a red circle", .seed = 3};
  return engine.draw({&request, 1})[0].tokens;
}

// The header and the data of a safetensors file.
struct Safetensors {
  nlohmann::ordered_json header;
  std::string data;
};

class QuantisedModelFiles : public ::testing::TestWithParam<LinearFormat> {
 protected:
  static void SetUpTestSuite() {
    made_ = new TemporaryDirectory();
    for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
      quantise_model(kStorybook, whole(format), format);
    }
  }
  static void TearDownTestSuite() {
    delete made_;
    made_ = nullptr;
  }
  static std::string whole(LinearFormat format) { return *made_ / std::string(name_of(format)); }

  // A copy that the test may damage.
  void SetUp() override { fs::copy(whole(GetParam()), model()); }
  std::string model() const { return scratch_ / "model"; }

  void edit_config(const std::function<void(nlohmann::ordered_json&)>& edit) const {
    auto config = nlohmann::ordered_json::parse(scratch_.read("model/config.json"));
    edit(config);
    scratch_.write("model/config.json", config.dump());
  }
  void edit_weights(const std::function<void(Safetensors&)>& edit) const {
    const std::string bytes = scratch_.read("model/model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    Safetensors file{nlohmann::ordered_json::parse(bytes.substr(8, length)),
                     bytes.substr(8 + length)};
    edit(file);
    const std::string text = file.header.dump();
    length = text.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    scratch_.write("model/model.safetensors", out + text + file.data);
  }
  void expect_refused(const std::string& words) const {
    for (const auto& run : std::vector<std::function<void()>>{
             [&] { Engine::open({.model = model(), .device = "cpu"}); },
             [&] { summarize_model(model()); }, [&] { inspect(model()); }}) {
      EXPECT_NE(error_of(run).find(words), std::string::npos) << error_of(run);
    }
  }
  LinearFormat other() const {
    return GetParam() == LinearFormat::kInt4 ? LinearFormat::kInt8 : LinearFormat::kInt4;
  }
  WeightFormat weights() const {
    return GetParam() == LinearFormat::kInt4 ? WeightFormat::kInt4 : WeightFormat::kInt8;
  }

  TemporaryDirectory scratch_;
  static TemporaryDirectory* made_;
};

TemporaryDirectory* QuantisedModelFiles::made_ = nullptr;

constexpr const char* kDown = "language_model.model.layers.3.mlp.down_proj.weight";

TEST_P(QuantisedModelFiles, HaveTheBitsOfQuantisingWhileLoading) {
  const std::vector<int32_t> codes = codes_of(model(), WeightFormat::kStored);
  EXPECT_EQ(codes, codes_of(kStorybook, weights()));
  EXPECT_EQ(codes, codes_of(model(), weights()));
  if (GetParam() == LinearFormat::kInt8) return;  // so near to the full weights that codes agree
  EXPECT_NE(codes, codes_of(kStorybook, WeightFormat::kStored));
}

TEST_P(QuantisedModelFiles, AreModelsOfTheirOwn) {
  const auto hash = [](const std::string& at, WeightFormat format) {
    return Engine::open({.model = at, .device = "cpu", .weights = format}).model().weights_hash;
  };
  EXPECT_NE(hash(kStorybook, weights()), hash(kStorybook, WeightFormat::kStored));
  EXPECT_NE(hash(model(), WeightFormat::kStored), hash(kStorybook, WeightFormat::kStored));
  EXPECT_NE(hash(kStorybook, WeightFormat::kInt8), hash(kStorybook, WeightFormat::kInt4));
  const Engine engine = Engine::open({.model = model(), .device = "cpu"});
  EXPECT_EQ(engine.model().weights_dtype, name_of(GetParam()));
  EXPECT_EQ(summarize_model(model()).weights_dtype, name_of(GetParam()));
  EXPECT_TRUE(verify_model(model()).problems.empty());
  for (const char* name : {"tokenizer.json", "LICENSE", "tokenizer_config.json"}) {
    EXPECT_TRUE(fs::exists(fs::path(model()) / name)) << name;
  }
}

TEST_P(QuantisedModelFiles, AreSmallAsTheirFormatSays) {
  const auto size = [](const std::string& at) {
    return static_cast<double>(fs::file_size(fs::path(at) / "model.safetensors"));
  };
  EXPECT_LT(size(model()), (GetParam() == LinearFormat::kInt4 ? 0.73 : 0.82) * size(kStorybook));
}

TEST_P(QuantisedModelFiles, AreNotQuantisedAgain) {
  const std::string to = scratch_ / "again";
  EXPECT_NE(error_of([&] {
              quantise_model(model(), to, other());
            }).find("its weights are " + std::string(name_of(GetParam())) + " already"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(to));
  const WeightFormat format =
      other() == LinearFormat::kInt4 ? WeightFormat::kInt4 : WeightFormat::kInt8;
  EXPECT_NE(error_of([&] {
              Engine::open({.model = model(), .device = "cpu", .weights = format});
            }).find("already"),
            std::string::npos);
}

TEST_P(QuantisedModelFiles, RecordsOfUnknownFormatsAreRefused) {
  const auto expect = [&](const char* key, const nlohmann::json& value, const std::string& words) {
    const std::string before = scratch_.read("model/config.json");
    edit_config([&](auto& config) { config["quantization_config"][key] = value; });
    expect_refused(words);
    scratch_.write("model/config.json", before);
  };
  expect("weights", "int3", "quantization_config.weights is \"int3\"; int8 and int4 are supported");
  expect("weights", 4, "weights is a number");
  expect("int8_group_size", 48, "int8_group_size is 48, but the size that is supported is 128");
  expect("int4_group_size", 0, "int4_group_size is 0, but the size that is supported is 32");
  expect("version", 2, "version is 2");
  expect("quant_method", "gptq", "quantised");
}

TEST_P(QuantisedModelFiles, RecordsThatDisagreeWithTensorsAreRefused) {
  edit_config([&](auto& config) {
    config["quantization_config"]["weights"] = std::string(name_of(other()));
  });
  expect_refused("where config.json asks for " + std::string(name_of(other())));
  edit_config([](auto& config) { config.erase("quantization_config"); });
  expect_refused("quantised");
}

TEST_P(QuantisedModelFiles, FullWeightsUnderARecordAreRefused) {
  fs::copy_file(fs::path(kStorybook) / "model.safetensors", fs::path(model()) / "model.safetensors",
                fs::copy_options::overwrite_existing);
  expect_refused("is bf16, but config.json says that it is " + std::string(name_of(GetParam())));
}

TEST_P(QuantisedModelFiles, TensorsOfAnotherShapeAreRefused) {
  edit_weights([](Safetensors& file) {
    auto& shape = file.header[kDown]["shape"];
    shape = {shape[1], shape[0]};
  });
  expect_refused(std::string(kDown) + " is ");
}

TEST_P(QuantisedModelFiles, MissingScalesAreNamed) {
  edit_weights([](Safetensors& file) {
    const std::string name = std::string(kDown) + "_scale";
    file.header["elsewhere"] = file.header[name];
    file.header.erase(name);
  });
  expect_refused(std::string(kDown) + "_scale is missing");
}

TEST_P(QuantisedModelFiles, ScalesThatAreNotFiniteAreRefused) {
  edit_weights([](Safetensors& file) {
    const int64_t at = file.header[std::string(kDown) + "_scale"]["data_offsets"][0];
    file.data[at + 6] = static_cast<char>(0x80);
    file.data[at + 7] = static_cast<char>(0x7f);
  });
  EXPECT_NE(error_of([&] {
              Engine::open({.model = model(), .device = "cpu"});
            }).find("down_proj.weight_scale\": holds numbers that are not finite"),
            std::string::npos)
      << error_of([&] { Engine::open({.model = model(), .device = "cpu"}); });
  EXPECT_FALSE(verify_model(model()).problems.empty());
}

TEST_P(QuantisedModelFiles, FullWeightsThatAreNotFiniteAreRefused) {
  const std::string full = scratch_ / "full";
  fs::copy(kStorybook, full);
  std::string bytes = scratch_.read("full/model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  const int64_t at =
      8 + static_cast<int64_t>(length) + header[kDown]["data_offsets"][0].get<int64_t>();
  bytes[at] = static_cast<char>(0x80);
  bytes[at + 1] = static_cast<char>(0x7f);
  scratch_.write("full/model.safetensors", bytes);
  const std::string words = "down_proj.weight\": holds numbers that are not finite";
  EXPECT_NE(error_of([&] { quantise_model(full, scratch_ / "out", GetParam()); }).find(words),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              Engine::open({.model = full, .device = "cpu", .weights = weights()});
            }).find(words),
            std::string::npos);
  EXPECT_EQ(scratch_.names(), (std::set<std::string>{"full", "model"}));
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantisedModelFiles,
                         ::testing::Values(LinearFormat::kInt8, LinearFormat::kInt4),
                         [](const auto& format) { return std::string(name_of(format.param)); });

TEST(QuantiseModel, ColumnsThatDoNotDivideAreNamed) {
  const TemporaryDirectory scratch;
  const std::string toy = golden::directory() + "toy-f32", to = scratch / "out";
  const std::string words = "which do not divide into groups of 32: it cannot be int4";
  EXPECT_NE(error_of([&] { quantise_model(toy, to, LinearFormat::kInt4); }).find(words),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              Engine::open({.model = toy, .device = "cpu", .weights = WeightFormat::kInt4});
            }).find(words),
            std::string::npos);
  EXPECT_TRUE(scratch.names().empty());
}

TEST(QuantiseModel, OnlyAnEmptyDirectoryIsFilled) {
  const TemporaryDirectory scratch;
  fs::create_directory(scratch / "full");
  scratch.write("full/mine.txt", "mine");
  scratch.write("file", "mine");
  for (const char* name : {"full", "file"}) {
    EXPECT_NE(error_of([&] {
                quantise_model(kStorybook, scratch / name, LinearFormat::kInt8);
              }).find("name a new directory"),
              std::string::npos);
  }
  EXPECT_EQ(scratch.read("full/mine.txt"), "mine");
  fs::create_directory(scratch / "empty");
  quantise_model(kStorybook, scratch / "empty", LinearFormat::kInt8);
  EXPECT_EQ(scratch.names(), (std::set<std::string>{"empty", "file", "full"}));
  EXPECT_TRUE(fs::exists(scratch / "empty/model.safetensors"));
}

TEST(QuantiseModel, NothingStaysOfWhatWasStopped) {
  const TemporaryDirectory scratch;
  int calls = 0;
  EXPECT_EQ(error_of([&] {
              quantise_model(kStorybook, scratch / "out", LinearFormat::kInt8,
                             [&](int64_t done, int64_t total) {
                               EXPECT_LE(done, total);
                               return ++calls < 5;
                             });
            }),
            "stopped");
  EXPECT_EQ(calls, 5);
  EXPECT_TRUE(scratch.names().empty());
}

// A limit of the size of files fails like a full disk: in the middle of a write.
TEST(QuantiseModel, NothingStaysOfWhatDoesNotFitTheDisk) {
  const TemporaryDirectory scratch;
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 3 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string error =
      error_of([&] { quantise_model(kStorybook, scratch / "out", LinearFormat::kInt8); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(error.find("cannot write"), std::string::npos) << error;
  EXPECT_TRUE(scratch.names().empty());
}

}  // namespace
}  // namespace bifrons
