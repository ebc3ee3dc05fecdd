// Files written by the real torch.save (tools/reference/make_torch_files.py).
#include <gtest/gtest.h>

#include <cstring>

#include "src/io/directory.h"
#include "src/io/json.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

const std::string kGolden = std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/torch/";

float element(const StoredTensor& tensor, const std::byte* at) {
  if (tensor.dtype == DType::kF32) {
    float value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return tensor.dtype == DType::kBf16 ? to_float(Bf16{bits}) : to_float(F16{bits});
}

// Every tensor has the same ramp of values, in the order of its shape.
void expect_ramp(const Checkpoint& checkpoint, const StoredTensor& tensor) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.bytes));
  checkpoint.read(tensor, 0, bytes);
  for (int64_t i = 0; i < tensor.bytes / size_of(tensor.dtype); ++i) {
    ASSERT_EQ(element(tensor, bytes.data() + i * size_of(tensor.dtype)),
              static_cast<float>(i % 200 - 100) * 0.25f)
        << tensor.name << " element " << i;
  }
}

TEST(TorchGolden, OneFileOfEverything) {
  const Checkpoint checkpoint = Checkpoint::open(kGolden + "single");
  const Json expected = Json::parse(
      Directory::open(kGolden + "single").read_file("expected.json", 1 << 20), "expected");
  const auto members = expected.members("expected");
  EXPECT_EQ(checkpoint.tensors().size() + checkpoint.skipped().size(), members.size());
  int weights = 0;
  for (const auto& [name, row] : members) {
    const std::string& type = row.items("row")[0].text("dtype");
    if (type == "int64" || type == "bool") continue;
    ++weights;
    const StoredTensor* tensor = checkpoint.find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(name_of(tensor->dtype), type == "bfloat16"  ? "bf16"
                                      : type == "float16" ? "f16"
                                                          : "f32");
    std::vector<int64_t> shape;
    for (const Json& n : row.items("row")[1].items("shape"))
      shape.push_back(n.unsigned_integer("n"));
    EXPECT_EQ(tensor->shape, shape) << name;
    expect_ramp(checkpoint, *tensor);
  }
  EXPECT_EQ(weights, 13);
  ASSERT_EQ(checkpoint.skipped().size(), 2u);
  EXPECT_EQ(checkpoint.skipped()[1].name, "statistic.i64");
  EXPECT_EQ(checkpoint.skipped()[1].stored_type, "LongStorage");
  EXPECT_NE(checkpoint.find("tied.a"), checkpoint.find("tied.b"));  // two tensors with one storage
  EXPECT_GT(checkpoint.verify_checksums(), 10);
}

TEST(TorchGolden, Shards) {
  const Checkpoint checkpoint = Checkpoint::open(kGolden + "sharded");
  EXPECT_EQ(checkpoint.files().size(), 2u);
  EXPECT_EQ(checkpoint.tensors().size(), 101u);
  for (const StoredTensor& tensor : checkpoint.tensors()) expect_ramp(checkpoint, tensor);
  checkpoint.verify_checksums();
  checkpoint.verify_unchanged();
}

}  // namespace
}  // namespace bifrons
