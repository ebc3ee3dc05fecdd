// torch.save archives: pickle and storages must agree.
#include <gtest/gtest.h>

#include "src/weights/torch_file.h"
#include "tests/weights/cpu_time.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"
#include "tests/weights/memory_source.h"

namespace bifrons {
namespace {

using testing::accepts;
using testing::expect_contains;
using testing::MemorySource;
using testing::refusal_of;
using testing::torch_parts;
using testing::zip_file;
using testing::ZipPart;
using namespace testing::pickle;

Container read_torch(const std::string& file) { return read_torch_file(MemorySource(file)); }

std::string torch_refusal(const std::vector<ZipPart>& parts) {
  return refusal_of([&] { read_torch(zip_file(parts)); });
}

// An archive with one tensor "a" in a storage of 24 floats.
std::vector<ZipPart> one(int64_t offset, const std::vector<int64_t>& shape,
                         const std::vector<int64_t>& strides, int64_t elements = 24,
                         size_t bytes = 96) {
  return torch_parts(
      dict({{"a", tensor(storage("FloatStorage", "0", elements), offset, shape, strides)}}),
      {std::string(bytes, 'x')});
}

std::vector<ZipPart> good() { return one(0, {24}, {1}); }

TEST(TorchFile, ReadsTensors) {
  const std::string file = testing::small_torch_file();
  const Container container = read_torch(file);
  ASSERT_EQ(container.tensors.size(), 2u);
  const TensorEntry& b = container.tensors[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.dtype, DType::kBf16);
  EXPECT_EQ(b.bytes, 8);
  EXPECT_EQ(file.substr(static_cast<size_t>(b.offset), 12), std::string(12, 'b'));
  EXPECT_EQ(container.checksums.size(), 4u);
}

TEST(TorchFile, KnowsStorageTypes) {
  const auto type_of = [](const char* type, size_t bytes) {
    return read_torch(
               zip_file(torch_parts(dict({{"a", tensor(storage(type, "0", 3), 0, {3}, {1})}}),
                                    {std::string(3 * bytes, 'x')})))
        .tensors[0]
        .dtype;
  };
  EXPECT_EQ(type_of("FloatStorage", 4), DType::kF32);
  EXPECT_EQ(type_of("HalfStorage", 2), DType::kF16);
  EXPECT_EQ(type_of("BFloat16Storage", 2), DType::kBf16);
  for (const char* type : {"DoubleStorage", "LongStorage"})
    EXPECT_EQ(type_of(type, 8), std::nullopt);
  EXPECT_EQ(type_of("IntStorage", 4), std::nullopt);
  EXPECT_EQ(type_of("ShortStorage", 2), std::nullopt);
  for (const char* type : {"CharStorage", "ByteStorage", "BoolStorage"}) {
    EXPECT_EQ(type_of(type, 1), std::nullopt);
  }
}

TEST(TorchFile, AcceptsPermutationsOfContiguous) {
  const auto strides_of = [](const std::vector<int64_t>& shape,
                             const std::vector<int64_t>& strides) {
    return read_torch(zip_file(one(0, shape, strides))).tensors[0].strides;
  };
  EXPECT_TRUE(strides_of({2, 3, 4}, {12, 4, 1}).empty());
  EXPECT_TRUE(strides_of({1, 24, 1}, {7, 1, 99}).empty());  // strides of size 1 are ignored
  EXPECT_TRUE(strides_of({0, 5}, {9, 9}).empty());
  EXPECT_TRUE(strides_of({}, {}).empty());
  EXPECT_EQ(strides_of({2, 3, 2, 2}, {12, 1, 6, 3}), (std::vector<int64_t>{12, 1, 6, 3}));
  EXPECT_EQ(strides_of({4, 6}, {1, 4}), (std::vector<int64_t>{1, 4}));
}

TEST(TorchFile, RefusesOtherStrides) {
  for (const auto& strides : std::vector<std::vector<int64_t>>{
           {0, 1}, {1, 1}, {3, 1}, {5, 1}, {1, 0}, {0, 0}, {8, 2}, {1, 3}, {1, 5}, {2, 1}}) {
    expect_contains(torch_refusal(one(0, {4, 4}, strides)), "neither contiguous nor a permutation");
  }
}

TEST(TorchFile, RefusesViewsOutsideOfTheStorage) {
  EXPECT_TRUE(accepts([] { read_torch(zip_file(one(20, {4}, {1}))); }));
  for (const auto& [offset, count] : std::vector<std::pair<int64_t, int64_t>>{
           {21, 4}, {0, 25}, {25, 0}, {(int64_t{1} << 48) - 1, 4}, {0, (int64_t{1} << 48) - 1}}) {
    expect_contains(torch_refusal(one(offset, {count}, {1})),
                    "does not lie within the 24 elements");
  }
  const int64_t big = int64_t{1} << 32;
  expect_contains(torch_refusal(one(0, {big, big}, {big, 1})), "does not lie within");
  expect_contains(torch_refusal(one(0, {big, big, 0}, {1, 1, 1})), "does not lie within");
}

TEST(TorchFile, RefusesStoragesOfWrongSize) {
  expect_contains(torch_refusal(one(0, {4}, {1}, 23)), "storage 0 has 96 bytes");
  expect_contains(torch_refusal(one(0, {4}, {1}, 25)), "storage 0 has 96 bytes");
  expect_contains(torch_refusal(one(0, {4}, {1}, 24, 95)), "storage 0 has 95 bytes");
  expect_contains(torch_refusal(one(0, {4}, {1}, (int64_t{1} << 48) - 1)),
                  "storage 0 has 96 bytes");
  expect_contains(torch_refusal(torch_parts(
                      dict({{"a", tensor(storage("FloatStorage", "1", 24), 0, {1}, {1})}}),
                      {std::string(96, 'x')})),
                  "storage 1 is missing");
}

TEST(TorchFile, RefusesArchives) {
  std::vector<ZipPart> parts = good();
  parts[0].name = "archive/other.pkl";
  expect_contains(torch_refusal(parts), "has no data.pkl");
  parts = good();
  parts[1].name = "elsewhere/data/0";
  expect_contains(torch_refusal(parts), "more than one folder");
  parts = good();
  parts[1].name = "data";
  expect_contains(torch_refusal(parts), "outside of its folder");
  for (const char* program : {"archive/constants.pkl", "archive/code/__torch__.py"}) {
    parts = good();
    parts.push_back({});
    parts.back().name = program;
    expect_contains(torch_refusal(parts), "TorchScript");
  }
  parts = good();
  parts.pop_back();
  expect_contains(torch_refusal(parts), "its version is \"\"");
  for (const char* version : {"0", "11", "-3", "3x", "99999999999999", "\n"}) {
    parts = good();
    parts.back().data = version;
    expect_contains(torch_refusal(parts), "version");
  }
  parts = good();
  parts.push_back({});
  parts.back().name = "archive/byteorder";
  parts.back().data = "big";
  expect_contains(torch_refusal(parts), "its byte order is \"big\"");
}

TEST(TorchFile, NamesOtherFormats) {
  using namespace std::string_literals;
  const auto whole = [](const std::string& file) { return refusal_of([&] { read_torch(file); }); };
  expect_contains(whole("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19....."s),
                  "before 1.6");
  expect_contains(whole(std::string(257, '\0') + "ustar" + std::string(300, '\0')), "tar file");
  expect_contains(whole("version https://git-lfs.github.com/spec/v1\n"), "pointer");
  expect_contains(whole("P"), "does not begin like");
}

TEST(TorchFile, ManyViewsOfOneStorageTakeLittleTime) {
  std::vector<std::pair<std::string, std::string>> items;
  const std::string view = tensor(storage("FloatStorage", "0", 24), 0, {24}, {1});
  for (int i = 0; i < 5000; ++i) items.emplace_back(std::to_string(i), view);
  const std::string file = zip_file(torch_parts(dict(items), {std::string(96, 'x')}));
  EXPECT_LT(testing::cpu_seconds_of([&] { EXPECT_EQ(read_torch(file).tensors.size(), 5000u); }), 2);
}

}  // namespace
}  // namespace bifrons
