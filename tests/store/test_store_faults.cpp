// Obstacles for a store: bad names, special files, and files that are removed during a run.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>

#include "src/store/listing.h"
#include "src/store/merge.h"
#include "tests/store/store_fixture.h"
#include "tests/support/failing_readdir.h"

namespace bifrons::testing {
namespace {

class StoreFaults : public StoreTest {};

TEST_F(StoreFaults, APlaceThatCannotBeWrittenIsKnownBefore) {
  Store::check_place({.directory = (scratch / "out/new/er").string()});
  EXPECT_FALSE(fs::exists(scratch / "out")) << "looking makes nothing";
  scratch.write("file", "x");
  EXPECT_THROW(Store::check_place({.directory = (scratch / "file").string()}), Error);
  EXPECT_THROW(Store::check_place({.directory = (scratch / "file/below").string()}), Error);
  const Store store(options());
  EXPECT_THROW(Store::check_place({.directory = (scratch / "out").string()}), Error);
}

// If a manifest were missed, its pictures would be drawn again or be taken for foreign files.
TEST_F(StoreFaults, AListingThatBreaksOffIsAnError) {
  fill(2);
  const std::string out = (scratch / "out").string();
  for (const int entries : {0, 1, 3}) {
    const FailingReaddir broken(entries);
    EXPECT_THROW(manifests_in(out), Error) << entries;
  }
  {
    const FailingReaddir broken(1);
    EXPECT_THROW({ const Store store(options()); }, Error);
  }
  EXPECT_TRUE(manifests_in(out + "/none").empty());
  EXPECT_TRUE(manifests_in(out + "/p0.png").empty());
  EXPECT_EQ(manifests_in(out).size(), 1u);
}

// Changes that others make to the directory during a batch are reported before the batch ends.
TEST_F(StoreFaults, WhatIsTakenAwayUnderARunningBatchIsNoticed) {
  const std::map<std::string, std::function<void()>> deeds = {
      {"the manifest is removed", [&] { fs::remove(scratch / "out/metadata.jsonl"); }},
      {"the manifest is emptied", [&] { fs::resize_file(scratch / "out/metadata.jsonl", 0); }},
      {"the manifest is cut",
       [&] { fs::resize_file(scratch / "out/metadata.jsonl", read("metadata.jsonl").size() - 9); }},
      {"the manifest grows", [&] { write("metadata.jsonl", read("metadata.jsonl") + "{}\n"); }},
      {"the manifest is replaced",
       [&] {
         write("copy", read("metadata.jsonl"));
         fs::rename(scratch / "out/copy", scratch / "out/metadata.jsonl");
       }},
      {"the lock is removed", [&] { fs::remove(scratch / "out/.bifrons/lock"); }},
      {"the hidden directory is removed", [&] { fs::remove_all(scratch / "out/.bifrons"); }},
      {"the directory is moved", [&] { fs::rename(scratch / "out", scratch / "other"); }},
      {"the directory is replaced",
       [&] {
         fs::rename(scratch / "out", scratch / "other");
         fs::create_directory(scratch / "out");
       }},
  };
  for (const auto& [name, deed] : deeds) {
    for (const bool at_the_end : {false, true}) {
      fs::remove_all(scratch / "out");
      fs::remove_all(scratch / "other");
      Store store(options());
      store.add(wanted("a.png"), "\"text\":\"x\"", bytes_of("AAAA"));
      deed();
      try {
        at_the_end ? store.finish(0) : store.add(wanted("b.png"), "", bytes_of("BB"));
        ADD_FAILURE() << name;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kCannotWrite) << name;
      }
    }
    fs::remove_all(scratch / "out");
    fill(2);
    EXPECT_NO_THROW(Store(options()).finish(0)) << name;
  }
}

TEST_F(StoreFaults, WhatIsNoRegularFileIsRefusedUnread) {
  const auto put = [&](const std::string& name, int kind) {
    const fs::path path = scratch / "out" / name;
    fs::remove_all(path);
    if (kind == 0) {
      EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    }
    if (kind == 1) fs::create_symlink("/dev/zero", path);
    if (kind == 2) fs::create_directory(path);
    if (kind == 3) fs::create_symlink(path.filename(), path);
  };
  for (const std::string name : {"metadata.jsonl", "metadata.00000-of-00002.jsonl", ".bifrons/lock",
                                 ".bifrons/errors.jsonl", ".bifrons"}) {
    for (int kind = 0; kind < 4; ++kind) {
      if (name == ".bifrons" && kind == 2) continue;
      fs::remove_all(scratch / "out");
      fill(1);
      put(name, kind);
      try {
        Store::check_place({.directory = (scratch / "out").string()});
        Store store(options());
        ADD_FAILURE() << name << " " << kind;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kCannotWrite) << name << " " << kind;
      }
    }
  }
  // Damaged pictures and records are drawn again, or reported as damaged.
  for (const std::string name : {"p0.png", ".bifrons/run.json", ".bifrons/parts/p9.png"}) {
    for (const int kind : {0, 1, 3}) {
      fs::remove_all(scratch / "out");
      fill(1);
      put(name, kind);
      if (name == ".bifrons/run.json" && kind != 3) {  // a run does not overwrite it
        EXPECT_THROW(Store::check_place(options()), Error);
        EXPECT_THROW(Store{options()}, Error);
        continue;
      }
      Store store(options(Resume::kVerify));
      EXPECT_EQ(store.state_of(wanted("p0.png")),
                name == "p0.png" ? PictureState::kDamaged : PictureState::kDone);
      EXPECT_NO_THROW(store.add(wanted("p0.png"), "", bytes_of("picture p0.png")));
      EXPECT_EQ(read("p0.png"), "picture p0.png");
      store.finish(0);
    }
  }
}

TEST_F(StoreFaults, NamesAsLongAsTheFileSystemTakes) {
  Store store(options());
  const std::string longest = std::string(251, 'n') + ".png";
  const std::string deep = std::string(200, 'd') + "/" + std::string(200, 'e') + "/" + longest;
  for (const std::string& name : {longest, deep, longest, deep}) {
    EXPECT_NO_THROW(store.add(wanted(name), "", bytes_of("AAAA"))) << name;
    EXPECT_EQ(read(name), "AAAA");
  }
  EXPECT_THROW(store.add(wanted("n" + longest), "", bytes_of("AAAA")), NameTaken);
  EXPECT_TRUE(fs::is_empty(scratch / "out/.bifrons/parts"));
}

}  // namespace
}  // namespace bifrons::testing
