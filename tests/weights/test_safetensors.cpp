// safetensors headers, valid and hostile.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "src/weights/safetensors.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"
#include "tests/weights/memory_source.h"

namespace bifrons {
namespace {

using testing::accepts;
using testing::expect_contains;
using testing::little_endian;
using testing::MemorySource;
using testing::refusal_of;
using testing::safetensors_file;

Container read_container(const std::string& file) { return read_safetensors(MemorySource(file)); }

std::string header_refusal(const std::string& header, size_t data_bytes) {
  return refusal_of(
      [&] { read_container(safetensors_file(header, std::string(data_bytes, 'x'))); });
}

TEST(Safetensors, ReadsTensors) {
  const Container container = read_container(testing::small_safetensors_file());
  ASSERT_EQ(container.tensors.size(), 2u);
  const TensorEntry& b = container.tensors[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.dtype, DType::kBf16);
  EXPECT_EQ(b.shape, std::vector<int64_t>{4});
  EXPECT_EQ(b.bytes, 8);
  EXPECT_EQ(b.offset, static_cast<int64_t>(testing::small_safetensors_file().size()) - 8);
}

TEST(Safetensors, ReadsWhatTheFormatAllows) {
  // Metadata, padding, any order, a scalar, an empty tensor, an unused dtype.
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"z":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},)"
      R"("s":{"data_offsets":[12,16],"shape":[],"dtype":"F32"},)"
      R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[16,16]},)"
      R"("i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}     )";
  const Container container = read_container(safetensors_file(header, std::string(16, 'x')));
  ASSERT_EQ(container.tensors.size(), 4u);
  EXPECT_EQ(container.tensors[3].dtype, std::nullopt);
  EXPECT_EQ(container.tensors[3].stored_type, "I64");
  EXPECT_EQ(read_container(safetensors_file("{}", "")).tensors.size(), 0u);
}

TEST(Safetensors, RefusesHeaders) {
  const auto whole = [](const std::string& file) {
    return refusal_of([&] { read_container(file); });
  };
  expect_contains(whole("short"), "too few");
  expect_contains(whole(little_endian(100, 8) + "{}"),
                  "cut off: 10 bytes are there, but its header alone has 100");
  expect_contains(whole(little_endian(0, 8) + "{}"), "does not begin with {");
  expect_contains(header_refusal(" {}", 0), "does not begin with {");
  expect_contains(header_refusal("[]", 0), "does not begin with {");
  expect_contains(header_refusal("{,}", 0), "not JSON");
  for (const uint64_t length : {uint64_t{8} << 20, uint64_t{1} << 31, (uint64_t{1} << 31) + 1,
                                (uint64_t{1} << 32) - 1, uint64_t{1} << 48, uint64_t{1} << 62,
                                (uint64_t{1} << 63) - 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    expect_contains(whole(little_endian(length, 8) + "{}"), "header");
  }
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"a":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape,
                     offsets);
}

TEST(Safetensors, RefusesFields) {
  EXPECT_TRUE(accepts(
      [] { read_container(safetensors_file(one("\"F32\"", "[2]", "[0,8]"), "12345678")); }));
  for (const char* dtype : {"\"f32\"", "\"F4\"", "\"\"", "1", "null", "[]", "\"F32\\u0000\""}) {
    header_refusal(one(dtype, "[2]", "[0,8]"), 8);
  }
  for (const char* shape : {"[3]", "[1]", "[2,0]", "[-2]", "[2.0]", "[\"2\"]", "2", "{}", "null",
                            "[2e0]", "[[2]]", "[true]", "[1,1,1,1,1,1,1,1,2]"}) {
    header_refusal(one("\"F32\"", shape, "[0,8]"), 8);
  }
  for (const char* offsets :
       {"[0,7]", "[0,9]", "[1,9]", "[8,0]", "[0]", "[0,8,8]", "[-8,0]", "8", "[0,8.0]",
        "[0,18446744073709551615]", "[18446744073709551608,8]", "[0,\"8\"]"}) {
    header_refusal(one("\"F32\"", "[2]", offsets), 8);
  }
  header_refusal(R"({"a":{"dtype":"F32","shape":[2]}})", 8);
  header_refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8);
  header_refusal(R"({"a":[1,2,3]})", 8);
  header_refusal(R"({"__metadata__":{"a":1}})", 0);
  header_refusal(R"({"__metadata__":[]})", 0);
}

// All boundary numbers, for every number in a header.
TEST(Safetensors, BoundaryNumbersNeverWrap) {
  for (const char* n :
       {"1", "2147483647", "2147483648", "2147483649", "4294967295", "4294967296", "4294967297",
        "281474976710655", "281474976710656", "281474976710657", "4611686018427387904",
        "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "18446744073709551616", "99999999999999999999999999"}) {
    header_refusal(one("\"F32\"", fmt::format("[{}]", n), "[0,8]"), 8);
    header_refusal(one("\"F32\"", fmt::format("[{0},{0}]", n), "[0,8]"), 8);
    header_refusal(one("\"F32\"", fmt::format("[0,{}]", n), "[0,8]"), 8);
    header_refusal(one("\"F32\"", fmt::format("[{},2]", n), fmt::format("[{},8]", n)), 8);
    header_refusal(one("\"F32\"", "[2]", fmt::format("[0,{}]", n)), 8);
    header_refusal(one("\"F32\"", "[2]", fmt::format("[{0},{0}]", n)), 8);
  }
  // Products that would wrap to zero.
  header_refusal(one("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0);
  header_refusal(one("\"F32\"", "[4611686018427387904]", "[0,0]"), 0);
}

TEST(Safetensors, RefusesGapsOverlapsAndDuplicates) {
  const auto two = [](const char* first, const char* second, size_t bytes) {
    return header_refusal(fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},)"
                                      R"("b":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
                                      first, second),
                          bytes);
  };
  expect_contains(two("[0,4]", "[5,9]", 9), "\"b\": its data leave a hole");
  expect_contains(two("[1,5]", "[5,9]", 9), "\"a\": its data leave a hole");
  expect_contains(two("[0,4]", "[3,7]", 7), "\"b\": its data overlap");
  expect_contains(two("[0,4]", "[0,4]", 4), "overlap");
  expect_contains(two("[0,4]", "[4,8]", 9), "1 bytes follow the last tensor");
  expect_contains(two("[0,4]", "[4,8]", 7), "cut off: 120 of 121 bytes are there");
  expect_contains(header_refusal(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                                 R"("\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                                 0),
                  "\"a\" stands twice");
}

TEST(Safetensors, RefusesDepthAndNumbersOfTensors) {
  for (const size_t levels : {10u, 1000u, 1'000'000u}) {
    expect_contains(
        header_refusal("{\"a\":" + std::string(levels, '[') + std::string(levels, ']') + "}", 0),
        "nested deeper");
  }
  std::string many = "{";
  for (int i = 0; i <= kMaxTensors; ++i) {
    many += fmt::format(R"("{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
  }
  many.back() = '}';
  expect_contains(header_refusal(many, 0), "more than 20000 tensors");
}

}  // namespace
}  // namespace bifrons
