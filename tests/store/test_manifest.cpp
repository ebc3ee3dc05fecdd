// A manifest line is read back unchanged, or rejected.
#include <gtest/gtest.h>

#include "src/io/json.h"
#include "src/io/sha256.h"
#include "src/store/manifest.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

ManifestEntry entry_of(const std::string& name) {
  return {name, "0123456789abcdef", 1234, sha256(name), sha256(name + " key")};
}

TEST(Sha256, TheStandardsExamples) {
  EXPECT_EQ(sha256(std::string_view("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(std::string_view("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string_view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // Pieces of every length below and above the block size.
  const std::string text(300, 'x');
  for (size_t piece = 1; piece < 130; ++piece) {
    Sha256 sum;
    for (size_t at = 0; at < text.size(); at += piece) {
      sum.add(std::string_view(text).substr(at, piece));
    }
    EXPECT_EQ(sum.finish(), sha256(text)) << piece;
  }
}

TEST(Manifest, LinesAreJsonAndComeBack) {
  const ManifestEntry entry = entry_of("d/a-fox-0001.png");
  // Text that looks like our members must not be read as our members.
  const std::string members =
      R"("text":"x\",\"key\":\"no\",\"crc32\":\"0\"}","note":{"key":"inner","bytes":7})";
  const std::string line = manifest_line(entry, members);
  ASSERT_TRUE(line.ends_with("\n"));
  const std::string text = line.substr(0, line.size() - 1);
  const Json json = Json::parse(text, "line");
  EXPECT_EQ(json.find("file_name")->text(""), entry.file_name);
  EXPECT_EQ(json.find("bytes")->unsigned_integer(""), 1234);
  const auto back = read_manifest_line(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->file_name, entry.file_name);
  EXPECT_EQ(back->model, entry.model);
  EXPECT_EQ(back->bytes, entry.bytes);
  EXPECT_EQ(back->sha256, entry.sha256);
  EXPECT_EQ(back->key, entry.key);
}

TEST(Manifest, NoDamagedLineIsTrusted) {
  const std::string text = manifest_line(entry_of("a.png"), R"("text":"a fox","seed":7)");
  const std::string line = text.substr(0, text.size() - 1);
  for (size_t i = 0; i < line.size(); ++i) {
    EXPECT_FALSE(read_manifest_line(line.substr(0, i))) << "cut at " << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = line;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(read_manifest_line(damaged)) << "byte " << i << " bit " << bit;
    }
  }
  EXPECT_FALSE(read_manifest_line(line + "x"));
  EXPECT_FALSE(read_manifest_line(line + line));
  EXPECT_FALSE(read_manifest_line(R"({"file_name":"a.png","text":"from elsewhere"})"));
}

TEST(Manifest, RowsHaveOffsetsAndTheLastMayBeTorn) {
  const TemporaryDirectory directory;
  std::string text = std::string(3'000'000, 'x') + "\n\nsecond\ntorn";
  directory.write("m", text);
  std::vector<std::pair<int64_t, bool>> rows;
  read_manifest((directory / "m").string(), [&](const ManifestRow& row) {
    rows.emplace_back(row.offset, row.torn);
    EXPECT_EQ(row.text, text.substr(row.offset, row.text.size()));
  });
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[2], std::make_pair(int64_t{3'000'002}, false));
  EXPECT_TRUE(rows[3].second);
  read_manifest("/nowhere/at/all", [](const ManifestRow&) { FAIL(); });
}

TEST(Manifest, FindsItsShards) {
  const TemporaryDirectory directory;
  for (const char* name :
       {"metadata.jsonl", "metadata.00001-of-00004.jsonl", "metadata.csv", "other.jsonl"}) {
    directory.write(name, "");
  }
  EXPECT_EQ(manifests_in(directory.path().string()),
            (std::vector<std::string>{"metadata.00001-of-00004.jsonl", "metadata.jsonl"}));
}

// Memory for a line is limited to the longest valid line.
TEST(Manifest, LinesWithoutAnEndAreDamagedNotKept) {
  const testing::TemporaryDirectory scratch;
  const std::string good = manifest_line({"a.png", "model", 1, "sum", "key"}, "\"text\":\"x\"");
  const std::string endless(kLongestManifestLine + 1, 'x');
  for (const std::string& end : {std::string("\n"), std::string(), "\n" + good}) {
    scratch.write("m.jsonl", good + endless + end);
    std::vector<ManifestRow> rows;
    read_manifest((scratch / "m.jsonl").string(), [&](const ManifestRow& row) {
      rows.push_back({row.offset, "", row.torn, row.number});
      EXPECT_LE(row.text.size(), kLongestManifestLine);
      EXPECT_EQ(read_manifest_line(row.text).has_value(), row.number != 2);
    });
    ASSERT_EQ(rows.size(), end.size() > 1 ? 3u : 2u);
    EXPECT_FALSE(rows[1].torn) << "what is torn off would be cut away";
    if (rows.size() == 3) {
      EXPECT_EQ(rows[2].offset, static_cast<int64_t>(good.size() + endless.size() + 1));
    }
  }
  scratch.write("m.jsonl", endless);
  EXPECT_FALSE(is_of_batch((scratch / "m.jsonl").string()));
}

}  // namespace
}  // namespace bifrons::testing
