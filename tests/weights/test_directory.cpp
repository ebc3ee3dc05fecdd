// Files of a directory: only regular, non-empty files are opened, and opening never waits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "src/io/directory.h"
#include "tests/support/failing_readdir.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights/expect_error.h"

namespace bifrons {
namespace {

using testing::expect_contains;
using testing::refusal_of;
using testing::TemporaryDirectory;

TEST(Directory, ReadsRegularFiles) {
  const TemporaryDirectory temporary;
  temporary.write("b", "0123456789");
  temporary.write("a", "x");
  const Directory directory = Directory::open(temporary.path());
  EXPECT_EQ(directory.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(directory.names().size(), 2u);  // a second listing starts at the beginning
  EXPECT_TRUE(directory.contains("a"));
  EXPECT_FALSE(directory.contains("c"));
  const File file = directory.open_file("b");
  EXPECT_EQ(file.size(), 10);
  EXPECT_EQ(file.read_text(3, 4), "3456");
  expect_contains(refusal_of([&] { file.read_text(8, 3); }), "ends early");
  EXPECT_EQ(directory.read_file("b", 10), "0123456789");
  expect_contains(refusal_of([&] { directory.read_file("b", 9); }), "10 bytes; at most 9");
}

TEST(Directory, AListingThatBreaksOffIsNoShorterOne) {
  const TemporaryDirectory temporary;
  temporary.write("a", "x");
  const Directory directory = Directory::open(temporary.path());
  {
    const testing::FailingReaddir broken(1);
    expect_contains(refusal_of([&] { directory.names(); }, ErrorKind::kMissing),
                    "cannot be listed: input/output error");
  }
  EXPECT_EQ(directory.names().size(), 1u);
}

TEST(Directory, FollowsSymbolicLinks) {
  const TemporaryDirectory blobs;
  const TemporaryDirectory temporary;
  blobs.write("blob", "content");
  ASSERT_EQ(::symlink((blobs / "blob").c_str(), (temporary / "link").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (temporary / "dangling").c_str()), 0);
  ASSERT_EQ(::symlink("loop", (temporary / "loop").c_str()), 0);
  const Directory directory = Directory::open(temporary.path());
  EXPECT_EQ(directory.read_file("link", 100), "content");
  EXPECT_TRUE(directory.contains("dangling"));
  refusal_of([&] { directory.open_file("dangling"); }, ErrorKind::kMissing);
  refusal_of([&] { directory.open_file("loop"); }, ErrorKind::kMissing);
}

TEST(Directory, RefusesAllOtherKinds) {
  const TemporaryDirectory temporary;
  temporary.write("empty", "");
  ASSERT_EQ(::mkdir((temporary / "directory").c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo((temporary / "pipe").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("/dev/zero", (temporary / "device").c_str()), 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (temporary / "socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  const Directory directory = Directory::open(temporary.path());
  const auto refusal = [&](const char* name) {
    return refusal_of([&] { directory.open_file(name); });
  };
  expect_contains(refusal("empty"), "/empty\": empty file (0 bytes)");
  expect_contains(refusal("directory"), "is a directory, not a regular file");
  expect_contains(refusal("pipe"), "is a pipe, not a regular file");
  expect_contains(refusal("device"), "is a device, not a regular file");
  expect_contains(refusal("socket"), "not a regular file");
  ::close(listener);
}

TEST(Directory, SaysWhyItCannotBeOpened) {
  const TemporaryDirectory temporary;
  temporary.write("file", "x");
  const auto refusal = [](const std::string& path) {
    return refusal_of([&] { Directory::open(path); }, ErrorKind::kMissing);
  };
  expect_contains(refusal(temporary / "none"), "no such directory");
  expect_contains(refusal(temporary / "file"), "is not a directory");
  expect_contains(refusal(""), "no directory was named");
  expect_contains(refusal("\x1b[2J\n"), R"("\x1b[2J\n")");
}

TEST(Directory, NamesWithSlashesBreakTheContract) {
  const TemporaryDirectory temporary;
  const Directory directory = Directory::open(temporary.path());
  EXPECT_THROW(directory.open_file("../x"), ContractError);
  EXPECT_THROW(directory.open_file(""), ContractError);
}

TEST(Directory, RenamedDirectoryIsStillRead) {
  const TemporaryDirectory temporary;
  ASSERT_EQ(::mkdir((temporary / "model").c_str(), 0700), 0);
  temporary.write("model/a", "first");
  const Directory directory = Directory::open(temporary / "model");
  ASSERT_EQ(::rename((temporary / "model").c_str(), (temporary / "old").c_str()), 0);
  ASSERT_EQ(::mkdir((temporary / "model").c_str(), 0700), 0);
  temporary.write("model/a", "second");
  EXPECT_EQ(directory.read_file("a", 100), "first");
}

TEST(Directory, NoticesAChangedFile) {
  const TemporaryDirectory temporary;
  temporary.write("f", std::string(100'000, 'x'));
  temporary.write("g", "other");
  const Directory directory = Directory::open(temporary.path());
  const File file = directory.open_file("f");
  file.verify_unchanged();
  ASSERT_EQ(::truncate((temporary / "f").c_str(), 10), 0);
  expect_contains(refusal_of([&] { file.verify_unchanged(); }), "changed while it was being read");
  expect_contains(refusal_of([&] { file.read_text(0, 100'000); }), "ends early");

  const File other = directory.open_file("g");
  const timespec times[2] = {{0, UTIME_NOW}, {12345, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (temporary / "g").c_str(), times, 0), 0);
  refusal_of([&] { other.verify_unchanged(); });
}

// The cache of the hub and installers replace a file this way: the name gets a new inode.
TEST(Directory, ReadsTheOldFileAfterAReplacement) {
  const TemporaryDirectory temporary;
  temporary.write("f", "0123456789");
  temporary.write("g", "other");
  const File file = Directory::open(temporary.path()).open_file("f");
  ASSERT_EQ(::rename((temporary / "g").c_str(), (temporary / "f").c_str()), 0);
  file.verify_unchanged();
  EXPECT_EQ(file.read_text(0, 10), "0123456789");
}

}  // namespace
}  // namespace bifrons
