// Hashes of the hub, and numbers that are not finite.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "kernels/dtype.h"
#include "src/weights/finite.h"
#include "src/weights/published_hash.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights/memory_source.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

// `printf 'hello\n' | git hash-object --stdin`, and `sha256sum`.
TEST(PublishedHash, OfAFile) {
  const MemorySource file("hello\n");
  int64_t read = 0;
  const auto count = [&](int64_t bytes) { read += bytes; };
  EXPECT_EQ(hash_of(file, HashKind::kGitSha1, count), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(hash_of(file, HashKind::kSha256, count),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(read, 12);
}

TEST(PublishedHash, IsTheNameOfABlobOrInANote) {
  const TemporaryDirectory directory;
  const std::string path = directory.path().string(), sha256(64, 'a'), git(40, 'b');
  const auto link = [&](const char* name, const std::string& target) {
    fs::create_symlink(target, directory / name);
    return published_hash(path, name);
  };
  ASSERT_TRUE(link("large", "../../blobs/" + sha256));
  EXPECT_EQ(published_hash(path, "large")->kind, HashKind::kSha256);
  EXPECT_EQ(published_hash(path, "large")->hex, sha256);
  EXPECT_EQ(link("small", "../../blobs/" + git)->kind, HashKind::kGitSha1);
  EXPECT_FALSE(link("elsewhere", "../files/" + sha256));
  EXPECT_FALSE(link("short", "../../blobs/" + sha256.substr(1)));
  EXPECT_FALSE(link("capital", "../../blobs/" + std::string(64, 'A')));
  directory.write("file", "x");
  EXPECT_FALSE(published_hash(path, "file"));

  fs::create_directories(directory / ".cache/huggingface/download");
  const auto note = [&](const std::string& text) {
    directory.write(".cache/huggingface/download/file.metadata", text);
    return published_hash(path, "file");
  };
  EXPECT_EQ(note(git + "\n" + sha256 + "\n1.5\n")->hex, sha256);
  EXPECT_EQ(note(git + "\r\n" + git + "\r\n1.5\r\n")->hex, git);
  EXPECT_EQ(note(git + "\n" + git)->hex, git);
  EXPECT_FALSE(note(git));
  EXPECT_FALSE(note(git + "\n\n" + sha256));
  EXPECT_FALSE(note(std::string(5000, 'a')));
}

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

TEST(NotFinite, IsFoundInEveryType) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const size_t at : {size_t{0}, size_t{4095}, size_t{4096}, size_t{9999}}) {
    std::vector<float> values(10'000, std::numeric_limits<float>::max());
    values[3] = -std::numeric_limits<float>::denorm_min();
    EXPECT_EQ(first_not_finite(DType::kF32, bytes_of(values)), std::nullopt);
    for (const float odd : {infinity, -infinity, nan}) {
      values[at] = odd;
      EXPECT_EQ(first_not_finite(DType::kF32, bytes_of(values)), static_cast<int64_t>(at));
    }
    std::vector<uint16_t> halves(10'000, 0x7f7f);  // the largest bf16; as f16 it is no number
    EXPECT_EQ(first_not_finite(DType::kBf16, bytes_of(halves)), std::nullopt);
    EXPECT_EQ(first_not_finite(DType::kF16, bytes_of(halves)), 0);
    halves.assign(10'000, 0xfbff);  // the least f16
    EXPECT_EQ(first_not_finite(DType::kF16, bytes_of(halves)), std::nullopt);
    halves[at] = 0xfc00;
    EXPECT_EQ(first_not_finite(DType::kF16, bytes_of(halves)), static_cast<int64_t>(at));
    halves[at] = 0xff80;
    halves[at / 2] = at == 0 ? 0xff80 : 0x0000;
    EXPECT_EQ(first_not_finite(DType::kBf16, bytes_of(halves)), static_cast<int64_t>(at));
  }
  EXPECT_EQ(first_not_finite(DType::kF32, {}), std::nullopt);
}

}  // namespace
}  // namespace bifrons::testing
