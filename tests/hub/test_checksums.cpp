// SHA-256 and SHA-1: the vectors of FIPS 180-4, the instructions of the processor against plain
// C++, and the checksums of files that arrive in pieces.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "src/hub/stream_checksum.h"
#include "src/io/sha1.h"
#include "src/io/sha256.h"
#include "src/io/sha256_blocks.h"

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

std::string streamed(hub::DigestKind kind, std::span<const uint8_t> bytes, size_t piece) {
  hub::StreamChecksum sum(kind, static_cast<int64_t>(bytes.size()));
  for (size_t at = 0; at < bytes.size(); at += piece) {
    hub::Block block = sum.block();
    const std::span part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    block.assign(part.begin(), part.end());
    sum.add(std::move(block));
  }
  return sum.finish();
}

TEST(Checksums, StreamsAreHashedInOrder) {
  const std::vector<uint8_t> bytes = random_bytes(300'000);
  EXPECT_EQ(streamed(hub::DigestKind::kSha256, bytes, 1000), sha256(bytes));
  EXPECT_EQ(streamed(hub::DigestKind::kSha256, {}, 1000), sha256(""));
}

TEST(Checksums, GitBlobsHaveTheNamesThatGitGivesThem) {
  const std::string hello = "hello\n";
  const std::span bytes(reinterpret_cast<const uint8_t*>(hello.data()), hello.size());
  EXPECT_EQ(streamed(hub::DigestKind::kGitBlob, bytes, 4),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(streamed(hub::DigestKind::kGitBlob, {}, 4), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

TEST(Checksums, AStreamMayBeLeftInTheMiddle) {
  hub::StreamChecksum sum(hub::DigestKind::kSha256, 1 << 20);
  for (int i = 0; i < 20; ++i) {
    hub::Block block = sum.block();
    block.resize(50'000);
    sum.add(std::move(block));
  }
  hub::Block kept = sum.block();  // not given back
}

}  // namespace
}  // namespace bifrons::testing
