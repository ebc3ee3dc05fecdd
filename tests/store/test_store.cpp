// The directory of a batch: listed files exist, and files of others are kept.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "src/store/listing.h"
#include "src/store/merge.h"
#include "tests/store/store_fixture.h"

namespace bifrons::testing {
namespace {

TEST_F(StoreTest, KeepsAndKnowsWhatItWasGiven) {
  {
    Store store(options());
    EXPECT_EQ(store.state_of(wanted("a.png")), PictureState::kNew);
    store.add(wanted("a.png"), "\"text\":\"x\"", bytes_of("AAAA"));
    store.add(wanted("d/e/b.png"), "\"text\":\"y\"", bytes_of("BB"));
    EXPECT_EQ(store.state_of(wanted("a.png")), PictureState::kDone);
  }
  EXPECT_EQ(read("a.png"), "AAAA");
  EXPECT_EQ(read("d/e/b.png"), "BB");
  EXPECT_TRUE(fs::is_empty(scratch / "out/.bifrons/parts"));
  Store again(options());
  EXPECT_EQ(again.history().listed, 2);
  EXPECT_EQ(again.state_of(wanted("d/e/b.png")), PictureState::kDone);
  EXPECT_EQ(again.state_of(wanted("a.png", "other")), PictureState::kChanged);
  ManifestEntry other_model = wanted("a.png");
  other_model.model = "another";
  EXPECT_EQ(again.state_of(other_model), PictureState::kChanged);
}

TEST_F(StoreTest, ChangedPicturesReplaceAndTheirOldLineGoes) {
  fill(3);
  {
    Store store(options());
    store.add(wanted("p1.png", "new"), "\"text\":\"z\"", bytes_of("changed"));
    store.finish(0);
  }
  EXPECT_EQ(read("p1.png"), "changed");
  const auto listed = list_pictures((scratch / "out").string());
  ASSERT_EQ(listed.size(), 3u);
  const std::string manifest = read("metadata.jsonl");
  EXPECT_EQ(std::count(manifest.begin(), manifest.end(), '\n'), 3);
}

// Temporary files of killed writers are removed when the next writer starts.
TEST_F(StoreTest, LeftoversOfKilledWritersGo) {
  fill(1);
  const std::vector<std::string> leftovers = {".metadata.jsonl.part", ".index.html.part",
                                              ".bifrons/.run.json.part",
                                              ".bifrons/random.json.1a2b3c"};
  for (const std::string& name : leftovers) write(name, "half");
  write(".bifrons/random.json.mine", "mine");
  write(".mine.part", "mine");
  const Store store(options());
  for (const std::string& name : leftovers)
    EXPECT_FALSE(fs::exists(scratch / "out" / name)) << name;
  EXPECT_EQ(read(".bifrons/random.json.mine"), "mine");
  EXPECT_EQ(read(".mine.part"), "mine");
}

// A shard keeps new temporary files, because another shard may be writing them.
TEST_F(StoreTest, AShardSweepsWhatIsOld) {
  fill(1);
  write(".bifrons/random.json.1a", "half");
  write(".bifrons/random.json.2b", "half");
  fs::last_write_time(scratch / "out/.bifrons/random.json.1a",
                      fs::file_time_type::clock::now() - std::chrono::hours(2));
  StoreOptions shard = options();
  shard.shards = 2;
  const Store store(shard);
  EXPECT_FALSE(fs::exists(scratch / "out/.bifrons/random.json.1a"));
  EXPECT_TRUE(fs::exists(scratch / "out/.bifrons/random.json.2b"));
}

TEST_F(StoreTest, GoneAndTamperedFilesAreFound) {
  fill(3);
  fs::remove(scratch / "out/p0.png");
  write("p1.png", "picture p1.pnG");  // same size
  EXPECT_EQ(Store(options()).state_of(wanted("p0.png")), PictureState::kDamaged);
  EXPECT_EQ(Store(options()).state_of(wanted("p1.png")), PictureState::kDone);
  Store verifying(options(Resume::kVerify));
  EXPECT_EQ(verifying.state_of(wanted("p1.png")), PictureState::kDamaged);
  EXPECT_EQ(verifying.state_of(wanted("p2.png")), PictureState::kDone);
}

TEST_F(StoreTest, ForeignFilesStay) {
  write("a.png", "somebody's");
  {
    Store store(options());
    EXPECT_THROW(store.add(wanted("a.png"), "\"text\":\"x\"", bytes_of("mine")), NameTaken);
    EXPECT_EQ(read("a.png"), "somebody's");
    // The same picture, written before it was listed, has the same bytes. It is accepted.
    EXPECT_NO_THROW(store.add(wanted("a.png"), "\"text\":\"x\"", bytes_of("somebody's")));
  }
  write("b.png", "somebody's");
  StoreOptions over = options();
  over.overwrite = true;
  Store(over).add(wanted("b.png"), "\"text\":\"x\"", bytes_of("mine"));
  EXPECT_EQ(read("b.png"), "mine");
  EXPECT_TRUE(fs::is_empty(scratch / "out/.bifrons/parts"));
}

TEST_F(StoreTest, AForeignManifestStays) {
  write("metadata.jsonl", "{\"file_name\":\"x.png\",\"text\":\"theirs\"}\n");
  EXPECT_THROW(Store{options()}, Error);
  EXPECT_EQ(read("metadata.jsonl"), "{\"file_name\":\"x.png\",\"text\":\"theirs\"}\n");
}

TEST_F(StoreTest, AForeignManifestWithoutALineEndStays) {
  for (const std::string theirs : {R"({"file_name":"x.png","text":"theirs"})",
                                   R"({"file_name": "x.png", "text": "th)", R"([1,2])", "text"}) {
    write("metadata.jsonl", theirs);
    for (const Resume resume : {Resume::kTrust, Resume::kFresh}) {
      try {
        Store store(options(resume));
        FAIL() << theirs;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kCannotWrite);
        EXPECT_NE(std::string(error.what()).find("metadata.jsonl"), std::string::npos);
      }
      EXPECT_EQ(read("metadata.jsonl"), theirs);
      EXPECT_FALSE(fs::exists(scratch / "out/.bifrons")) << "nothing is touched";
    }
  }
}

TEST_F(StoreTest, AFirstLineThatWasTornIsOursAtEveryLength) {
  fill(1);
  const std::string line = read("metadata.jsonl");
  for (size_t length = 0; length < line.size(); ++length) {
    const bool zeros = length % 2 == 0;
    fs::remove_all(scratch / "out");
    write("metadata.jsonl", line.substr(0, length) + std::string(zeros ? 30 : 0, '\0'));
    const Store store(options());
    EXPECT_TRUE(store.history().torn_line);
    EXPECT_EQ(read("metadata.jsonl"), "");
  }
}

TEST_F(StoreTest, OneWriter) {
  const Store first(options());
  EXPECT_THROW(Store{options()}, Error);
  StoreOptions shard = options();
  shard.shards = 2;
  EXPECT_THROW(Store{shard}, Error);
}

TEST_F(StoreTest, ShardsShareADirectoryButNotAShard) {
  StoreOptions first = options(), second = options();
  first.shards = second.shards = 2;
  second.shard = 1;
  const Store a(first), b(second);
  EXPECT_THROW(Store{first}, Error);
  EXPECT_THROW(Store{options()}, Error);
}

// The manifest is cut or one bit is flipped, anywhere. Only the damaged lines are dropped.
TEST_F(StoreTest, DamagedManifestsAreRepaired) {
  fill(5);
  const std::string good = read("metadata.jsonl");
  std::mt19937 random(5);
  for (int round = 0; round < 150; ++round) {
    std::string bad = good;
    const size_t at = random() % good.size();
    if (round % 2 == 0) {
      bad.resize(at);
    } else {
      bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    }
    write("metadata.jsonl", bad);
    Store store(options());
    int done = 0;
    for (int i = 0; i < 5; ++i) {
      done += store.state_of(wanted("p" + std::to_string(i) + ".png")) == PictureState::kDone;
    }
    const auto lines_left = std::count(bad.begin(), bad.end(), '\n');
    EXPECT_GE(done, round % 2 == 0 ? lines_left : 3) << at;
    EXPECT_LE(done, 5);
    // New lines follow whole lines only.
    store.add(wanted("new.png"), "\"text\":\"n\"", bytes_of("n"));
    read_manifest(store.manifest_path(), [](const ManifestRow& row) {
      EXPECT_TRUE(!row.torn && read_manifest_line(row.text));
    });
    fs::remove(scratch / "out/new.png");
  }
}

// The files that a kill leaves after each step of adding a picture.
TEST_F(StoreTest, LeftoversOfAKilledWriter) {
  fill(2);
  const fs::path parts = scratch / "out/.bifrons/parts";
  std::ofstream(parts / "unfinished.png") << "half";
  std::ofstream(parts / "linked.png") << "whole";
  fs::create_hard_link(parts / "linked.png", scratch / "out/linked.png");
  fs::create_hard_link(scratch / "out/p0.png", parts / "p0.png");  // listed, the part still exists
  write("foreign.png", "theirs");
  std::ofstream(parts / "foreign.png") << "ours";
  const Store store(options());
  EXPECT_TRUE(fs::is_empty(parts));
  EXPECT_FALSE(fs::exists(scratch / "out/linked.png"));
  EXPECT_TRUE(fs::exists(scratch / "out/p0.png"));
  EXPECT_EQ(read("foreign.png"), "theirs");
  EXPECT_EQ(store.state_of(wanted("p0.png")), PictureState::kDone);
}

// A kill after replacing a picture and before listing it. The old line must not be accepted for the
// new file.
TEST_F(StoreTest, AReplacedFileWithoutItsLineIsDrawnAgain) {
  fill(1);
  const fs::path part = scratch / "out/.bifrons/parts/p0.png";
  std::ofstream(part) << "picture p0.pnG";  // same size as listed
  fs::create_hard_link(part, part.string() + "~");
  fs::rename(part.string() + "~", scratch / "out/p0.png");
  const Store store(options());
  EXPECT_NE(store.state_of(wanted("p0.png")), PictureState::kDone);
}

TEST_F(StoreTest, FreshRemovesWhatIsListedAndNothingElse) {
  fill(3);
  write("notes.txt", "mine");
  const Store store(options(Resume::kFresh));
  EXPECT_EQ(store.history().removed, 3);
  EXPECT_EQ(store.state_of(wanted("p0.png")), PictureState::kNew);
  EXPECT_FALSE(fs::exists(scratch / "out/p0.png"));
  EXPECT_EQ(read("notes.txt"), "mine");
}

TEST_F(StoreTest, ManyThreadsAddWholeLines) {
  {
    Store store(options());
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&store, t] {
        for (int i = 0; i < 25; ++i) {
          const std::string name = std::to_string(t) + "-" + std::to_string(i) + ".png";
          store.add(wanted(name), "\"text\":\"x\"", bytes_of(name));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(Store(options()).history().listed, 100);
  EXPECT_TRUE(check_batches({(scratch / "out").string()}).pictures == 100);
}

TEST_F(StoreTest, APlaceThatCannotBeWrittenIsSaidAtOnce) {
  write("file", "x");
  StoreOptions inside = options();
  inside.directory += "/file/out";
  try {
    Store{inside};
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCannotWrite);
  }
}

TEST_F(StoreTest, ShardsMergeInPlaceAndIntoAnotherDirectory) {
  for (int shard = 0; shard < 3; ++shard) {
    StoreOptions part = options();
    part.shards = 3;
    part.shard = shard;
    Store store(part);
    for (int i = shard; i < 7; i += 3) {
      const std::string name = "p" + std::to_string(i) + ".png";
      store.add(wanted(name), "\"text\":\"x\",\"index\":" + std::to_string(i), bytes_of(name));
    }
    if (shard != 1) store.finish(0);
  }
  const std::string out = (scratch / "out").string();
  EXPECT_EQ(check_batches({out}).problems,
            std::vector<std::string>{"shard 1 of 3 has not finished"});
  const std::string other = (scratch / "other").string();
  EXPECT_EQ(merge_batches({out}, other).pictures, 7);
  const MergeReport report = merge_batches({out}, out);
  EXPECT_EQ(report.pictures, 7);
  EXPECT_EQ(manifests_in(out), std::vector<std::string>{"metadata.jsonl"});
  const auto listed = list_pictures(out);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(listed[i].index, i);
  EXPECT_EQ(scratch.read("other/metadata.jsonl"), read("metadata.jsonl"));
  EXPECT_EQ(scratch.read("other/p6.png"), "p6.png");
}

TEST_F(StoreTest, MergeCheckFindsEveryKindOfDamage) {
  fill(4);
  const std::string out = (scratch / "out").string();
  Store(options()).finish(0);
  EXPECT_TRUE(check_batches({out}).problems.empty());
  fs::remove(scratch / "out/p0.png");
  write("p1.png", "short");
  write("p2.png", "picture p2.pnG");
  EXPECT_EQ(check_batches({out}).problems.size(), 3u);
  EXPECT_EQ(merge_batches({out}, (scratch / "other").string()).pictures, 1);
}

// A blocked name fails only its own picture, and the batch continues.
TEST_F(StoreTest, ABlockedNameIsAMatterOfItsPictureAlone) {
  write("sub", "somebody's");
  fs::create_directories(scratch / "out/dir.png");
  for (const bool overwrite : {false, true}) {
    StoreOptions asked = options();
    asked.overwrite = overwrite;
    Store store(asked);
    EXPECT_THROW(store.add(wanted("sub/x.png"), "", bytes_of("A")), NameTaken);
    EXPECT_THROW(store.add(wanted("dir.png"), "", bytes_of("A")), NameTaken);
    store.add(wanted("free" + std::to_string(overwrite) + ".png"), "", bytes_of("A"));
  }
  EXPECT_EQ(read("sub"), "somebody's");
}

TEST_F(StoreTest, AListedPictureThatBecameADirectoryIsTaken) {
  fill(1);
  fs::remove(scratch / "out/p0.png");
  fs::create_directories(scratch / "out/p0.png");
  Store store(options());
  EXPECT_EQ(store.state_of(wanted("p0.png")), PictureState::kDamaged);
  EXPECT_THROW(store.add(wanted("p0.png"), "", bytes_of("A")), NameTaken);
}

}  // namespace
}  // namespace bifrons::testing
