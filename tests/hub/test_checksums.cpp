// SHA-256 and SHA-1: the vectors of FIPS 180-4, the instructions of the processor against plain
// C++, and the checksums of files that arrive in pieces.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string>
#include <vector>

#include "src/hub/block_writer.h"
#include "src/io/descriptor.h"
#include "src/io/sha1.h"
#include "src/io/sha256.h"
#include "src/io/sha256_blocks.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

const std::string kTwoBlocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

std::vector<uint8_t> random_bytes(size_t count) {
  std::mt19937 random(7);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

std::string sha1(std::string_view text) {
  Sha1 sum;
  sum.add(text);
  return sum.finish();
}

TEST(Checksums, Sha256IsThatOfTheStandard) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(kTwoBlocks), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Checksums, Sha1IsThatOfTheStandard) {
  EXPECT_EQ(sha1(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha1(kTwoBlocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(sha1(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  const std::string text(300, 'x');
  for (size_t piece = 1; piece < 130; ++piece) {
    Sha1 sum;
    for (size_t at = 0; at < text.size(); at += piece) {
      sum.add(std::string_view(text).substr(at, piece));
    }
    EXPECT_EQ(sum.finish(), sha1(text)) << piece;
  }
}

TEST(Checksums, TheInstructionsOfTheProcessorGiveTheSameState) {
  const Sha256Blocks instructions = sha256_instructions();
  if (instructions == nullptr) GTEST_SKIP() << "this processor has none for SHA-256";
  const std::vector<uint8_t> bytes = random_bytes(37 * kSha256Block);
  for (const size_t blocks : {0, 1, 2, 3, 37}) {
    Sha256State plain{1, 2, 3, 4, 0xffffffff, 6, 7, 8}, special = plain;
    const std::span part = std::span(bytes).first(blocks * kSha256Block);
    sha256_blocks(plain, part);
    instructions(special, part);
    EXPECT_EQ(plain, special) << blocks;
  }
}

TEST(Checksums, PiecesOfAnySizeAreOneText) {
  const std::vector<uint8_t> bytes = random_bytes(1000);
  const std::string whole = sha256(bytes);
  for (const size_t piece : {1, 3, 63, 64, 65, 127, 128, 200}) {
    Sha256 sum;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      sum.add(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    EXPECT_EQ(sum.finish(), whole) << piece;
  }
}

// The digest of bytes that are written in pieces, of which some are in the file already.
std::string written(hub::DigestKind kind, std::span<const uint8_t> bytes, size_t piece,
                    size_t before = 0) {
  const TemporaryDirectory here;
  const UniqueFd file(open((here / "x").c_str(), O_RDWR | O_CREAT | O_APPEND, 0600));
  EXPECT_EQ(write(file.get(), bytes.data(), before), static_cast<ssize_t>(before));
  hub::ContentDigest digest(kind, static_cast<int64_t>(bytes.size()));
  EXPECT_TRUE(hub::add_file(digest, file.get(), static_cast<int64_t>(before), {}));
  hub::BlockWriter writer(file.get(), digest);
  for (size_t at = before; at < bytes.size(); at += piece) {
    EXPECT_EQ(writer.take(bytes.subspan(at, std::min(piece, bytes.size() - at))), 0);
    if (at / piece % 7 == 6) {
      EXPECT_EQ(writer.flush(), 0);
    }
  }
  EXPECT_EQ(writer.flush(), 0);
  EXPECT_EQ(writer.written(), static_cast<int64_t>(bytes.size() - before));
  const std::string found = here.read("x");
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), found.begin(), found.end(),
                         [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); }));
  return writer.finish();
}

TEST(Checksums, BlocksAreWrittenAndHashedInOrder) {
  const std::vector<uint8_t> bytes = random_bytes(5'000'000);
  for (const size_t piece : {30'000, 131'072, 200'000, 5'000'000}) {
    EXPECT_EQ(written(hub::DigestKind::kSha256, bytes, piece), sha256(bytes)) << piece;
  }
  EXPECT_EQ(written(hub::DigestKind::kSha256, bytes, 16'000, 3'456'789), sha256(bytes));
  EXPECT_EQ(written(hub::DigestKind::kSha256, {}, 1000), sha256(""));
}

TEST(Checksums, GitBlobsHaveTheNamesThatGitGivesThem) {
  const std::string hello = "hello\n";
  const std::span bytes(reinterpret_cast<const uint8_t*>(hello.data()), hello.size());
  EXPECT_EQ(written(hub::DigestKind::kGitBlob, bytes, 4),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(written(hub::DigestKind::kGitBlob, {}, 4), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

TEST(Checksums, AFailedWriteIsToldAndEndsTheFile) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_APPEND));
  hub::BlockWriter writer(full.get(), hub::ContentDigest(hub::DigestKind::kSha256, 1 << 24));
  const std::vector<uint8_t> bytes = random_bytes(1 << 24);
  EXPECT_EQ(writer.take(bytes), ENOSPC);
  EXPECT_EQ(writer.flush(), ENOSPC);
  EXPECT_EQ(writer.written(), 0);
}

TEST(Checksums, AWriterMayBeLeftInTheMiddle) {
  const TemporaryDirectory here;
  const UniqueFd file(open((here / "x").c_str(), O_RDWR | O_CREAT | O_APPEND, 0600));
  hub::BlockWriter writer(file.get(), hub::ContentDigest(hub::DigestKind::kSha256, 1 << 24));
  EXPECT_EQ(writer.take(random_bytes(5'000'001)), 0);
}

TEST(Checksums, FilesThatAreShorterThanSaidCannotBeRead) {
  const TemporaryDirectory here;
  here.write("x", std::string(2'000'000, 'a'));
  const UniqueFd file(open((here / "x").c_str(), O_RDONLY));
  hub::ContentDigest digest(hub::DigestKind::kSha256, 3'000'000);
  EXPECT_FALSE(hub::add_file(digest, file.get(), 3'000'000, {}));
}

}  // namespace
}  // namespace bifrons::testing
