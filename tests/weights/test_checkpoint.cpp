// Weights of a model directory: which files are chosen, and agreement of shards and index.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "src/weights/checkpoint.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"

namespace bifrons {
namespace {

using testing::expect_contains;
using testing::refusal_of;
using testing::safetensors_file;
using testing::small_safetensors_file;
using testing::small_torch_file;
using testing::TemporaryDirectory;

std::string refusal(const TemporaryDirectory& directory, ErrorKind kind = ErrorKind::kData) {
  return refusal_of([&] { Checkpoint::open(directory.path()); }, kind);
}

// A file with one tensor of this name, one byte long.
std::string shard(const std::string& name) {
  return safetensors_file(
      fmt::format(R"({{"{}":{{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}}})", name), "xy");
}

std::string index_of(const std::string& map) {
  return R"({"metadata":{},"weight_map":)" + map + "}";
}

constexpr const char* kIndex = "model.safetensors.index.json";

TEST(Checkpoint, OpensOneFile) {
  for (const char* name : {"model.safetensors", "weights.safetensors"}) {
    const TemporaryDirectory directory;
    directory.write(name, small_safetensors_file());
    const Checkpoint checkpoint = Checkpoint::open(directory.path());
    EXPECT_EQ(checkpoint.files(), std::vector<std::string>{name});
    ASSERT_EQ(checkpoint.tensors().size(), 2u);
    EXPECT_EQ(checkpoint.find("c"), nullptr);
    const StoredTensor* b = checkpoint.find("b");
    ASSERT_NE(b, nullptr);
    std::vector<std::byte> read(3);
    checkpoint.read(*b, 5, read);
    EXPECT_EQ(std::memcmp(read.data(), "bbb", 3), 0);
    EXPECT_THROW(checkpoint.read(*b, 6, read), ContractError);
    EXPECT_THROW(checkpoint.read(StoredTensor{}, 0, {}), ContractError);
    EXPECT_EQ(checkpoint.verify_checksums(), 0);
  }
}

TEST(Checkpoint, SafetensorsIsPreferredWithoutFallback) {
  const TemporaryDirectory directory;
  directory.write("pytorch_model.bin", small_torch_file());
  EXPECT_EQ(Checkpoint::open(directory.path()).files()[0], "pytorch_model.bin");
  directory.write("model.safetensors", "");
  expect_contains(refusal(directory), "/model.safetensors\": empty file (0 bytes)");
  directory.write("model.safetensors", "damaged, not empty");
  expect_contains(refusal(directory), "/model.safetensors\": ");
  directory.write("model.safetensors", small_safetensors_file());
  EXPECT_EQ(Checkpoint::open(directory.path()).files()[0], "model.safetensors");
}

TEST(Checkpoint, RefusesADirectoryWithoutWeights) {
  const TemporaryDirectory directory;
  expect_contains(refusal(directory, ErrorKind::kMissing), "is empty");
  directory.write("optimizer.bin", "x");
  expect_contains(refusal(directory, ErrorKind::kMissing), "holds neither model.safetensors nor");
  directory.write("pytorch_model (1).bin", "x");
  expect_contains(refusal(directory, ErrorKind::kMissing),
                  "holds \"pytorch_model (1).bin\"; call it pytorch_model.bin if");
  refusal_of([] { Checkpoint::open("/nonexistent/model"); }, ErrorKind::kMissing);
  directory.write("one.safetensors", shard("a"));
  directory.write("two.safetensors", shard("b"));
  expect_contains(refusal(directory), "holds 2 files like \"one.safetensors\" but no model");
}

TEST(Checkpoint, RefusesSpecialFiles) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "model.safetensors").c_str(), 0600), 0);
  expect_contains(refusal(directory), "is a pipe");
  ::unlink((directory / "model.safetensors").c_str());
  ASSERT_EQ(::mkdir((directory / "model.safetensors").c_str(), 0700), 0);
  expect_contains(refusal(directory), "is a directory");
  ::rmdir((directory / "model.safetensors").c_str());
  ASSERT_EQ(::symlink("/dev/zero", (directory / "model.safetensors").c_str()), 0);
  expect_contains(refusal(directory), "is a device");
}

TEST(Checkpoint, OpensShards) {
  const TemporaryDirectory directory;
  directory.write("s-1.safetensors", shard("b"));
  directory.write("s-2.safetensors", shard("a"));
  directory.write(kIndex, index_of(R"({"b":"s-1.safetensors","a":"s-2.safetensors"})"));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  ASSERT_EQ(checkpoint.tensors().size(), 2u);
  EXPECT_EQ(checkpoint.tensors()[0].name, "a");
  EXPECT_EQ(checkpoint.files().size(), 2u);
}

TEST(Checkpoint, IndexAndShardsMustAgree) {
  const TemporaryDirectory directory;
  directory.write("s-1.safetensors", shard("b"));
  directory.write("s-2.safetensors", shard("a"));
  const auto with = [&](const char* map) {
    directory.write(kIndex, index_of(map));
    return refusal(directory);
  };
  expect_contains(with(R"({"a":"s-1.safetensors","b":"s-2.safetensors"})"), "\"a\" is not in s-1");
  expect_contains(with(R"({"b":"s-1.safetensors","c":"s-2.safetensors"})"),
                  "does not name tensor \"a\"");
  expect_contains(with(R"({"b":"s-1.safetensors","a":"s-2.safetensors","0":"s-1.safetensors"})"),
                  "\"0\" is in none");
  expect_contains(with(R"({"b":"s-1.safetensors","a":"s-2.safetensors","z":"s-1.safetensors"})"),
                  "\"z\" is in none");
  expect_contains(with(R"({"b":"s-1.safetensors","b":"s-2.safetensors"})"), "\"b\" stands twice");
  expect_contains(with("{}"), "weight_map is empty");
  expect_contains(with("[]"), "is an array, not an object");
  expect_contains(with(R"({"b":1})"), "is a number, not a string");
  directory.write(kIndex, "{}");
  expect_contains(refusal(directory), "has no weight_map");
  directory.write("s-2.safetensors", shard("b"));
  expect_contains(with(R"({"b":"s-1.safetensors","a":"s-2.safetensors"})"), "also in another file");
  directory.write(kIndex, index_of(R"({"b":"s-1.safetensors","a":"s-3.safetensors"})"));
  expect_contains(refusal(directory, ErrorKind::kMissing), "s-3.safetensors\": no such file");
}

TEST(Checkpoint, ShardNamesRevealMissingShards) {
  const TemporaryDirectory directory;
  directory.write("model-00002-of-00002.safetensors", shard("b"));
  expect_contains(refusal(directory, ErrorKind::kMissing),
                  "/model-00001-of-00002.safetensors\": part 1 of 2 is missing; download it");
  directory.write("model-00001-of-00002.safetensors", shard("a"));
  EXPECT_EQ(Checkpoint::open(directory.path()).tensors().size(), 2u);  // the set is complete
  directory.write("other-00001-of-00002.safetensors", shard("c"));
  expect_contains(refusal(directory), "that says what belongs together");

  const TemporaryDirectory torch;
  torch.write("pytorch_model-00002-of-00003.bin", small_torch_file());
  expect_contains(refusal(torch, ErrorKind::kMissing),
                  "/pytorch_model-00001-of-00003.bin\": part 1 of 3 is missing; download it");
}

TEST(Checkpoint, RefusesAnIndexWithoutItsFiles) {
  const TemporaryDirectory directory;
  directory.write(kIndex, index_of(R"({"b":"s-1.safetensors","a":"s-2.safetensors"})"));
  expect_contains(refusal(directory, ErrorKind::kMissing),
                  "none of the 2 files that it names, such as \"s-1.safetensors\"; download them");
  directory.write("s-1.safetensors", shard("b"));
  expect_contains(refusal(directory, ErrorKind::kMissing),
                  "/s-2.safetensors\": no such file, though the index names it (1 of 2");
  directory.write("s-2.safetensors.incomplete", "x");
  expect_contains(refusal(directory, ErrorKind::kMissing), "its download is not finished");
  directory.write("s-2.safetensors", shard("a"));
  EXPECT_EQ(Checkpoint::open(directory.path()).tensors().size(), 2u);
  directory.write("s-2.safetensors.aria2", "x");
  expect_contains(refusal(directory), "/s-2.safetensors\": its download is not finished");
}

TEST(Checkpoint, NamesOtherKindsOfDirectories) {
  const auto holds = [](const char* file, std::string_view sentence) {
    const TemporaryDirectory directory;
    directory.write("config.json", "{}");
    directory.write(file, "x");
    expect_contains(refusal(directory, ErrorKind::kMissing), sentence);
  };
  holds("model-q4.gguf", "\"model-q4.gguf\" is a GGUF file, which is not read; take the model's");
  holds("decoder.onnx", "is an ONNX graph, which is not read");
  holds("adapter_config.json", "holds a LoRA adapter, not a model; merge it into its base model");
  holds("adapter_model.safetensors", "holds a LoRA adapter");
  holds("model_index.json", "holds a diffusers pipeline");
  holds("Modelfile", "holds a model of Ollama");
  holds("model.safetensors.incomplete", "holds an unfinished download");
  holds("pytorch_model.bin.part", "holds an unfinished download");
  holds("Unconfirmed 12.crdownload", "holds an unfinished download");
  holds("Janus-Pro-1B.zip", "holds \"Janus-Pro-1B.zip\"; unpack it");
  holds("Janus-Pro-1B.tar.gz", "holds \"Janus-Pro-1B.tar.gz\"; unpack it");
  holds("tf_model.h5", "is an HDF5 file");
  holds("consolidated.00.pth", "call it pytorch_model.bin");
}

TEST(Checkpoint, NamesOtherKindsOfFiles) {
  const std::string lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    const TemporaryDirectory directory;
    const auto is = [&](const std::string& bytes, std::string_view sentence) {
      directory.write(name, bytes);
      expect_contains(refusal(directory), sentence);
    };
    is(lfs, "is a git-lfs pointer, not the file itself; fetch the real file (git lfs pull)");
    is("<!DOCTYPE html><title>Sign in</title>", "is a web page, not weights");
    is("Repository not found", "is a server's error message, not weights");
    is("GGUF\3" + std::string(20, '\0'), "is a GGUF file");
    is("\x1f\x8b" + std::string(20, 'x'), "is a gzip archive, not weights; unpack it");
    is(std::string(4096, '\0'), "begins with zeros");
    is("", "empty file (0 bytes); download it again");
  }
  const TemporaryDirectory directory;
  directory.write("model.safetensors", small_torch_file());
  expect_contains(refusal(directory), "call it pytorch_model.bin");
  ::unlink((directory / "model.safetensors").c_str());
  directory.write("pytorch_model.bin", small_safetensors_file());
  expect_contains(refusal(directory), "call it model.safetensors");
}

TEST(Checkpoint, ReportsTheSizeOfATruncatedFile) {
  const TemporaryDirectory directory;
  const std::string whole = small_safetensors_file();
  directory.write("model.safetensors", whole.substr(0, whole.size() - 3));
  expect_contains(refusal(directory),
                  fmt::format("cut off: {} of {} bytes are there; download it again",
                              whole.size() - 3, whole.size()));
  ::unlink((directory / "model.safetensors").c_str());
  const std::string torch = small_torch_file();
  directory.write("pytorch_model.bin", torch.substr(0, torch.size() / 2));
  expect_contains(refusal(directory),
                  fmt::format("{} bytes are there; download it again", torch.size() / 2));
}

TEST(Checkpoint, IndexCannotLeaveTheDirectory) {
  const TemporaryDirectory directory;
  for (const char* file :
       {"../s.safetensors", "/etc/passwd", "/etc/x.safetensors", "a/s.safetensors", ".safetensors",
        "..", "s.bin", "", "s.safetensors\\u0000", "\\\\s.safetensors", "a b.safetensors",
        "-.safetensors", "http://x/s.safetensors", "s.safetensors/", "\\ud83d\\ude00.safetensors",
        "safetensors"}) {
    directory.write(kIndex, index_of(fmt::format(R"({{"a":"{}"}})", file)));
    expect_contains(refusal(directory), "is not the plain name of a .safetensors file");
  }
  directory.write(kIndex, index_of(R"({"a":")" + std::string(300, 'a') + R"(.safetensors"})"));
  expect_contains(refusal(directory), "plain name");
  std::string many = "{";
  for (int i = 0; i <= 1000; ++i) many += fmt::format(R"("{0}":"{0}.safetensors",)", i);
  many.back() = '}';
  directory.write(kIndex, index_of(many));
  expect_contains(refusal(directory), "more than 1000 files");
}

TEST(Checkpoint, RefusesPermutedViewsThatWouldFillTheMemory) {
  using namespace testing::pickle;
  const TemporaryDirectory directory;
  std::vector<std::pair<std::string, std::string>> items;
  const std::string view = tensor(storage("FloatStorage", "0", 4096), 0, {64, 64}, {1, 64});
  for (int i = 0; i < 200; ++i) items.emplace_back(std::to_string(i), view);
  directory.write("pytorch_model.bin", testing::zip_file(testing::torch_parts(
                                           dict(items), {std::string(4096 * 4, 'x')})));
  expect_contains(refusal(directory), "permuted tensors share their storage");
}

TEST(Checkpoint, FindsEveryFlippedBitOfStorages) {
  const TemporaryDirectory directory;
  const std::string good = small_torch_file();
  directory.write("pytorch_model.bin", good);
  const size_t begin = good.find(std::string(24, 'a'));
  EXPECT_EQ(Checkpoint::open(directory.path()).verify_checksums(), 4);
  for (size_t bit = 0; bit < 24 * 8; ++bit) {
    std::string bad = good;
    bad[begin + bit / 8] = static_cast<char>(bad[begin + bit / 8] ^ (1 << (bit % 8)));
    directory.write("pytorch_model.bin", bad);
    const Checkpoint checkpoint = Checkpoint::open(directory.path());
    expect_contains(refusal_of([&] { checkpoint.verify_checksums(); }),
                    "checksum of \"archive/data/0\"");
  }
}

TEST(Checkpoint, TruncationIsAnErrorNotASignal) {
  const TemporaryDirectory directory;
  const size_t count = 1 << 20;
  directory.write(
      "model.safetensors",
      safetensors_file(R"({"a":{"dtype":"F16","shape":[1048576],"data_offsets":[0,2097152]}})",
                       std::string(2 * count, 'x')));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  checkpoint.verify_unchanged();
  ASSERT_EQ(::truncate((directory / "model.safetensors").c_str(), 4096), 0);
  refusal_of([&] { checkpoint.verify_unchanged(); });
  std::vector<std::byte> all(2 * count);
  expect_contains(refusal_of([&] { checkpoint.read(checkpoint.tensors()[0], 0, all); }),
                  "ends early");
}

TEST(Checkpoint, SkipsUnusedDtypes) {
  const TemporaryDirectory directory;
  directory.write("model.safetensors",
                  safetensors_file(R"({"used":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})",
                                   std::string(16, 'x')));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_TRUE(checkpoint.tensors().empty());
  ASSERT_EQ(checkpoint.skipped().size(), 1u);
  EXPECT_EQ(checkpoint.skipped()[0].stored_type, "I64");
}

}  // namespace
}  // namespace bifrons
