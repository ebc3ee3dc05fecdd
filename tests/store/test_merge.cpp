// `merge` and `merge --check` report incomplete data, and do not touch files of others.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "src/io/sha256.h"
#include "src/store/listing.h"
#include "src/store/merge.h"
#include "src/store/store.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

using Problems = std::vector<std::string>;

class MergeTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name = "out") const { return (scratch / name).string(); }
  StoreOptions part(int shard, int shards) const {
    return {.directory = path(), .shard = shard, .shards = shards};
  }
  // Draws the missing ones of that many pictures. finish = false: the run is killed before its end.
  void draw(int pictures, int shard = 0, int shards = 1, bool finish = true,
            Resume resume = Resume::kTrust) const {
    StoreOptions options = part(shard, shards);
    options.resume = resume;
    Store store(options);
    for (int i = shard; i < pictures; i += shards) {
      const std::string name = "p" + std::to_string(i) + ".png";
      const ManifestEntry entry{name, "model", 0, "", sha256(name)};
      if (store.state_of(entry) == PictureState::kDone) continue;
      const std::vector<uint8_t> bytes(name.begin(), name.end());
      store.add(entry, "\"text\":\"x\",\"index\":" + std::to_string(i), bytes);
    }
    if (finish) store.finish(0, "jobs of " + std::to_string(pictures));
  }
  std::string read(const std::string& name) const { return scratch.read("out/" + name); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(scratch / "out");
    scratch.write("out/" + name, text);
  }
  std::vector<std::string> lines(const std::string& name = "metadata.jsonl") const {
    std::vector<std::string> all;
    read_manifest(path() + "/" + name, [&](const ManifestRow& row) { all.emplace_back(row.text); });
    return all;
  }
  void write_lines(const std::vector<std::string>& all,
                   const std::string& name = "metadata.jsonl") const {
    std::string text;
    for (const std::string& line : all) text += line + "\n";
    write(name, text);
  }
  std::string at(const std::string& name, const std::string& rest) const {
    return "\"" + path() + "/" + name + "\"" + rest;
  }
  Problems check() const { return check_batches({path()}).problems; }
  const TemporaryDirectory scratch;
};

TEST_F(MergeTest, TheSameDirectoryTwiceIsOne) {
  draw(4);
  EXPECT_EQ(check_batches({path(), path() + "/."}).pictures, 4);
  const MergeReport report =
      merge_batches({path(), path() + "/.", path() + "/../out/"}, path("merged"));
  EXPECT_EQ(report.problems, Problems{});
  EXPECT_EQ(report.pictures, 4);
}

TEST_F(MergeTest, LinesThatAreGoneAreMissed) {
  draw(12);
  EXPECT_EQ(check(), Problems{});
  auto kept = lines();
  kept.erase(kept.begin() + 2, kept.begin() + 5);
  write_lines(kept);
  const Problems wanted{at("metadata.jsonl", " lists 9 pictures, but the run finished 12")};
  EXPECT_EQ(check(), wanted);
  EXPECT_EQ(merge_batches({path()}, path()).problems, wanted);
  EXPECT_FALSE(check().empty()) << "a merge makes nothing whole";
  draw(12);
  EXPECT_EQ(check(), Problems{});
}

TEST_F(MergeTest, DamagedAndTornLinesAreNamed) {
  draw(6);
  auto bad = lines();
  bad[1][20] ^= 1;
  bad[3] = "not JSON";
  write_lines(bad);
  const std::string text = read("metadata.jsonl");
  write("metadata.jsonl", text.substr(0, text.size() - 9));
  const Problems wanted{at("metadata.jsonl", ":2: the line is damaged"),
                        at("metadata.jsonl", ":4: the line is damaged"),
                        at("metadata.jsonl", ":6: the line is torn")};
  EXPECT_EQ(check(), wanted);
  const MergeReport elsewhere = merge_batches({path()}, path("other"));
  EXPECT_EQ(elsewhere.problems, wanted);
  EXPECT_FALSE(check_batches({path("other")}).problems.empty());
  const MergeReport in_place = merge_batches({path()}, path());
  EXPECT_EQ(in_place.problems, wanted);
  EXPECT_EQ(in_place.pictures, 3);
  EXPECT_FALSE(check().empty());
}

TEST_F(MergeTest, AShardsManifestThatIsGoneIsMissed) {
  draw(6, 0, 2);
  draw(6, 1, 2);
  EXPECT_EQ(check(), Problems{});
  EXPECT_EQ(merge_batches({path()}, path("other")).problems, Problems{});
  EXPECT_EQ(check_batches({path("other")}).problems, Problems{});
  fs::remove(scratch / "out/metadata.00001-of-00002.jsonl");
  EXPECT_EQ(check(), Problems{at("metadata.00001-of-00002.jsonl",
                                 " lists 0 pictures, but the run finished 3")});
}

TEST_F(MergeTest, WhatWasMergedInPlaceIsWhole) {
  draw(6, 0, 2);
  draw(6, 1, 2);
  EXPECT_EQ(merge_batches({path()}, path()).problems, Problems{});
  EXPECT_EQ(check(), Problems{});
  EXPECT_EQ(lines().size(), 6u);
}

TEST_F(MergeTest, OnlyOurOwnManifestsGo) {
  draw(4, 0, 2);
  draw(4, 1, 2);
  const std::string theirs = "{\"file_name\":\"x.png\",\"text\":\"theirs\"}\n";
  const std::string ours = lines("metadata.00000-of-00002.jsonl")[0] + "\n";
  for (const char* name :
       {"metadata.train.jsonl", "metadata.backup.jsonl", "metadata.1-of-2.jsonl",
        "metadata.00001-of-00003.jsonl.jsonl", "metadata.00004-of-00004.jsonl"}) {
    write(name, ours);
  }
  EXPECT_EQ(merge_batches({path()}, path()).problems, Problems{});
  EXPECT_FALSE(fs::exists(scratch / "out/metadata.00000-of-00002.jsonl"));
  // A foreign file with the name of a shard's manifest is not ours. An empty one is.
  write("metadata.00000-of-00007.jsonl", theirs);
  write("metadata.00001-of-00007.jsonl", "");
  EXPECT_EQ(check(), Problems{at("metadata.00000-of-00007.jsonl", " is not of a batch")});
  EXPECT_EQ(merge_batches({path()}, path()).problems,
            Problems{at("metadata.00000-of-00007.jsonl", " is not of a batch")});
  EXPECT_FALSE(fs::exists(scratch / "out/metadata.00001-of-00007.jsonl"));
  draw(4, 0, 1, true, Resume::kFresh);
  for (const char* name :
       {"metadata.train.jsonl", "metadata.backup.jsonl", "metadata.1-of-2.jsonl",
        "metadata.00001-of-00003.jsonl.jsonl", "metadata.00004-of-00004.jsonl"}) {
    EXPECT_EQ(read(name), ours) << name;
  }
  EXPECT_EQ(read("metadata.00000-of-00007.jsonl"), theirs);
}

TEST_F(MergeTest, RunsOfOlderVersionsSayNoNumber) {
  draw(2);
  write(".bifrons/run.json", "{\"shard\":0,\"shards\":1,\"failed\":0}\n");
  EXPECT_EQ(check(), Problems{});
  write_lines({lines()[0]});
  EXPECT_EQ(check(), Problems{});
}

TEST_F(MergeTest, AnOlderSplitThatANewerOneCoversIsNotMissed) {
  draw(8, 0, 4);
  EXPECT_EQ(check().size(), 3u);
  draw(8, 0, 2);
  EXPECT_EQ(check(), Problems{"shard 1 of 2 has not finished"});
  draw(8, 1, 2);
  EXPECT_EQ(check(), Problems{});
  EXPECT_EQ(merge_batches({path()}, path()).problems, Problems{});
  EXPECT_EQ(check(), Problems{});
  EXPECT_EQ(lines().size(), 8u);
  draw(8, 2, 4);
  EXPECT_EQ(check().size(), 3u) << "a newer split that is not complete";
  draw(8);
  EXPECT_EQ(check(), Problems{});
}

TEST_F(MergeTest, ANewerRunThatWasKilledIsMissed) {
  draw(4, 0, 2);
  draw(4, 1, 2);
  draw(8, 0, 1, false);
  EXPECT_EQ(check(), Problems{"the run in \"" + path() + "\" has not finished"});
  draw(8);
  EXPECT_EQ(check(), Problems{});
}

TEST_F(MergeTest, ShardsOfDifferentPromptFilesAreNoBatch) {
  draw(4, 0, 2);
  draw(8, 1, 2);
  EXPECT_EQ(check(), Problems{"the 2 shards did not all draw the same prompts with the same "
                              "settings; run them again"});
  draw(8, 0, 2);
  EXPECT_EQ(check(), Problems{});
}

TEST_F(MergeTest, APartThatComesAfterAMergeMakesItWhole) {
  draw(6, 0, 2);
  draw(6, 1, 2, false);
  const Problems wanted{"shard 1 of 2 has not finished"};
  EXPECT_EQ(merge_batches({path()}, path("other")).problems, wanted);
  EXPECT_FALSE(check_batches({path("other")}).problems.empty());
  EXPECT_EQ(merge_batches({path()}, path()).problems, wanted);
  EXPECT_EQ(check(), wanted);
  draw(6, 1, 2);
  EXPECT_EQ(check(), Problems{});
  for (const std::string& output : {path("other"), path()}) {
    EXPECT_EQ(merge_batches({path()}, output).problems, Problems{});
    EXPECT_EQ(check_batches({output}).problems, Problems{});
  }
}

TEST_F(MergeTest, PartsInSeveralDirectoriesAreOneBatch) {
  const auto draw_in = [&](const std::string& directory, int shard) {
    draw(6, shard, 2);
    fs::rename(path(), path(directory));
  };
  draw_in("a", 0);
  draw_in("b", 1);
  EXPECT_EQ(check_batches({path("a")}).problems, Problems{"shard 1 of 2 has not finished"});
  EXPECT_EQ(check_batches({path("a"), path("b")}).problems, Problems{});
  EXPECT_EQ(merge_batches({path("a"), path("b")}, path("all")).problems, Problems{});
  EXPECT_EQ(check_batches({path("all")}).problems, Problems{});
  EXPECT_EQ(merge_batches({path("a"), path("b")}, path("a")).problems, Problems{});
  EXPECT_EQ(check_batches({path("a")}).problems, Problems{});
}

TEST_F(MergeTest, FreshForgetsWhatShardsSaid) {
  draw(4, 0, 2);
  draw(4, 1, 2);
  draw(4, 0, 1, true, Resume::kFresh);
  EXPECT_EQ(check(), Problems{});
}

// A manifest from an untrusted source, with correct checksums.
class HostileManifest : public MergeTest {
 protected:
  std::string line_of(const std::string& file_name, const std::string& content) const {
    std::string line = manifest_line(
        {file_name, "model", static_cast<int64_t>(content.size()), sha256(content), "key"},
        "\"text\":\"x\",\"index\":0");
    line.pop_back();
    return line;
  }
};

TEST_F(HostileManifest, NamesThatLeadOutsideAreDamage) {
  draw(2);
  scratch.write("victim.png", "precious");
  fs::create_directories(scratch / "elsewhere");
  scratch.write("elsewhere/victim.png", "precious");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / "out/sub");
  fs::create_directories(scratch / "out/.hidden");
  write(".hidden/victim.png", "precious");
  write("notes.txt", "precious");
  auto all = lines();
  for (const std::string& name :
       {std::string("../victim.png"), path("victim.png"), std::string("sub/victim.png"),
        std::string("sub/../../victim.png"), std::string(".hidden/victim.png"),
        std::string("notes.txt"), std::string("./p0.png"), std::string("a//b.png"),
        std::string("a/b/c/d/e.png"), std::string("")}) {
    all.push_back(line_of(name, "precious"));
  }
  write_lines(all);
  const Problems problems = check();
  ASSERT_EQ(problems.size(), 10u) << ::testing::PrintToString(problems);
  EXPECT_EQ(problems[0], at("metadata.jsonl", ":3: the line is damaged"));

  EXPECT_EQ(merge_batches({path()}, path("deep/out")).pictures, 2);
  EXPECT_FALSE(fs::exists(scratch / "deep/victim.png"));
  EXPECT_FALSE(fs::exists(scratch / "deep/out/sub"));
  {
    StoreOptions fresh = part(0, 1);
    fresh.resume = Resume::kFresh;
    EXPECT_EQ(Store(fresh).history().removed, 2);
  }
  for (const char* name :
       {"victim.png", "elsewhere/victim.png", "out/.hidden/victim.png", "out/notes.txt"}) {
    EXPECT_EQ(scratch.read(name), "precious") << name;
  }
}

TEST_F(HostileManifest, NothingIsWrittenThroughALink) {
  fs::create_directories(scratch / "out");
  fs::create_directories(scratch / "elsewhere");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / "out/sub");
  Store store(part(0, 1));
  const std::vector<uint8_t> bytes{1, 2, 3};
  EXPECT_THROW(store.add({"sub/a.png", "model", 0, "", "key"}, "\"text\":\"x\"", bytes), NameTaken);
  EXPECT_NO_THROW(store.add({"b/c/a.png", "model", 0, "", "key"}, "\"text\":\"x\"", bytes));
  fs::create_directories(scratch / "target");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / "target/b");
  store.finish(0);
  fs::create_directories(scratch / "from");
  fs::copy(scratch / "out/b", scratch / "from/b", fs::copy_options::recursive);
  scratch.write("from/metadata.jsonl", read("metadata.jsonl"));
  const MergeReport report = merge_batches({path("from")}, path("target"));
  EXPECT_EQ(report.pictures, 0);
  EXPECT_FALSE(report.problems.empty());
  EXPECT_TRUE(fs::is_empty(scratch / "elsewhere"));
}

TEST_F(HostileManifest, LeftOverPartsAreSweptHereOnly) {
  fs::create_directories(scratch / "elsewhere/parts");
  scratch.write("elsewhere/parts/precious.png", "x");
  fs::create_directories(scratch / "out/.bifrons");
  fs::create_directory_symlink(scratch / "elsewhere/parts", scratch / "out/.bifrons/parts");
  EXPECT_THROW(Store{part(0, 1)}, Error);
  fs::remove_all(scratch / "out/.bifrons");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / "out/.bifrons");
  EXPECT_THROW(Store{part(0, 1)}, Error);
  EXPECT_EQ(scratch.read("elsewhere/parts/precious.png"), "x");
  EXPECT_FALSE(fs::exists(scratch / "elsewhere/lock"));
  fs::remove(scratch / "out/.bifrons");

  fs::create_directories(scratch / "out/.bifrons/parts");
  fs::create_hard_link(scratch / "elsewhere/parts/precious.png",
                       scratch / "out/.bifrons/parts/..!elsewhere!parts!precious.png");
  const Store store(part(0, 1));
  EXPECT_EQ(scratch.read("elsewhere/parts/precious.png"), "x");
  EXPECT_TRUE(fs::is_empty(scratch / "out/.bifrons/parts"));
}

// Numbers that no run writes must not be used in calculations.
TEST_F(MergeTest, ARecordOfImpossibleNumbersIsDamaged) {
  draw(2);
  for (const std::string numbers :
       {R"("shard":0,"shards":1,"failed":0,"generation":9223372036854775807)",
        R"("shard":0,"shards":0,"failed":0)", R"("shard":1,"shards":1,"failed":0)",
        R"("shard":0,"shards":1,"failed":9223372036854775807)",
        R"("shard":0,"shards":1,"failed":0,"listed":9223372036854775807)"}) {
    write(".bifrons/run.json", "{" + numbers + "}\n");
    const Problems problems = check_batches({path()}).problems;
    ASSERT_FALSE(problems.empty()) << numbers;
    EXPECT_EQ(problems[0], at(".bifrons/run.json", " is damaged")) << numbers;
  }
  draw(2);  // a run over the damaged record
  EXPECT_EQ(check_batches({path()}).problems, Problems{});
}

TEST_F(MergeTest, AStopAtAnyFileLosesNothing) {
  draw(6, 0, 2);
  draw(6, 1, 2);
  for (int files = 0; files < 6; ++files) {
    for (const bool merging : {false, true}) {
      int left = files;
      const auto stop = [&left] { return left-- == 0; };
      try {
        merging ? merge_batches({path()}, path(), stop) : check_batches({path()}, stop);
        ADD_FAILURE() << files;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kInterrupted);
      }
      EXPECT_EQ(lines("metadata.00000-of-00002.jsonl").size(), 3u);
      EXPECT_EQ(lines().size(), 0u);
    }
  }
  EXPECT_EQ(merge_batches({path()}, path()).problems, Problems{});
  EXPECT_EQ(lines().size(), 6u);
}

}  // namespace
}  // namespace bifrons::testing
