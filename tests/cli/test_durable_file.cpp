// Files are either complete or do not exist.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

std::vector<uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

ErrorKind kind_of_failure(const std::filesystem::path& path) {
  try {
    write_durably(path, bytes("x"), IfExists::kReplace);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kFailed;
}

TEST(DurableFile, WritesReplacesAndRefuses) {
  const TemporaryDirectory scratch;
  const auto path = scratch / "x.png";
  EXPECT_TRUE(write_durably(path, bytes("one"), IfExists::kRefuse));
  EXPECT_EQ(scratch.read("x.png"), "one");
  EXPECT_FALSE(write_durably(path, bytes("two"), IfExists::kRefuse));
  EXPECT_EQ(scratch.read("x.png"), "one");
  EXPECT_TRUE(write_durably(path, bytes("three"), IfExists::kReplace));
  EXPECT_EQ(scratch.read("x.png"), "three");
  EXPECT_TRUE(write_durably(scratch / "empty", {}, IfExists::kRefuse));
  EXPECT_EQ(scratch.names(), (std::set<std::string>{"x.png", "empty"}));
}

TEST(DurableFile, RefusesADanglingLinkToo) {
  const TemporaryDirectory scratch;
  std::filesystem::create_symlink("nowhere", scratch / "x.png");
  EXPECT_FALSE(write_durably(scratch / "x.png", bytes("x"), IfExists::kRefuse));
}

TEST(DurableFile, TakesOverAPartLeftBehind) {
  const TemporaryDirectory scratch;
  scratch.write(".x.png.part", "half of something much longer");
  EXPECT_TRUE(write_durably(scratch / "x.png", bytes("whole"), IfExists::kRefuse));
  EXPECT_EQ(scratch.read("x.png"), "whole");
  EXPECT_EQ(scratch.names(), (std::set<std::string>{"x.png"}));
}

TEST(DurableFile, LeavesThePartOfALivingProcessAlone) {
  const TemporaryDirectory scratch;
  const auto part = scratch / ".x.png.part";
  const int other = open(part.c_str(), O_WRONLY | O_CREAT, 0644);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  EXPECT_EQ(kind_of_failure(scratch / "x.png"), ErrorKind::kCannotWrite);
  EXPECT_TRUE(std::filesystem::exists(part));
  close(other);
}

TEST(DurableFile, DoesNotFollowALinkInPlaceOfThePart) {
  const TemporaryDirectory scratch;
  scratch.write("victim", "precious");
  std::filesystem::create_symlink("victim", scratch / ".x.png.part");
  EXPECT_EQ(kind_of_failure(scratch / "x.png"), ErrorKind::kCannotWrite);
  EXPECT_EQ(scratch.read("victim"), "precious");
}

TEST(DurableFile, SaysWhatIsInTheWay) {
  const TemporaryDirectory scratch;
  scratch.write("file", "");
  std::filesystem::create_directory(scratch / "directory.png");
  EXPECT_EQ(kind_of_failure(scratch / "none/x.png"), ErrorKind::kCannotWrite);
  EXPECT_EQ(kind_of_failure(scratch / "file/x.png"), ErrorKind::kCannotWrite);
  EXPECT_EQ(kind_of_failure(scratch / "directory.png"), ErrorKind::kCannotWrite);
  EXPECT_EQ(kind_of_failure(scratch / (std::string(252, 'x') + ".png")), ErrorKind::kCannotWrite);
  EXPECT_THROW(check_writable(scratch / "none/x.png"), Error);
  EXPECT_THROW(check_writable(scratch / "directory.png"), Error);
  EXPECT_NO_THROW(check_writable(scratch / "fine.png"));
  EXPECT_EQ(scratch.names(), (std::set<std::string>{"file", "directory.png"}));
}

TEST(DurableFile, EveryLegalNameCanBeWritten) {
  const TemporaryDirectory scratch;
  std::set<std::string> names;
  for (const size_t length : {1, 90, 99, 100, 101, 150, 248, 249, 250, 254, 255}) {
    std::string name = std::string(length, 'n');
    EXPECT_NO_THROW(check_writable(scratch / name)) << length;
    EXPECT_TRUE(write_durably(scratch / name, bytes("x"), IfExists::kRefuse)) << length;
    names.insert(name);
  }
  EXPECT_EQ(scratch.names(), names);
}

// The error comes before the work.
TEST(DurableFile, NamesThatLeadNowhereAreRefusedEarly) {
  const TemporaryDirectory scratch;
  std::filesystem::create_symlink("loop", scratch / "loop");
  scratch.write("file", "");
  for (const std::string& name :
       {std::string(256, 'n'), std::string("loop/x.png"), std::string("file/x.png"),
        std::string("none/x.png"), std::string(256, 'd') + "/x.png"}) {
    try {
      check_writable(scratch / name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCannotWrite);
      EXPECT_LT(std::string(error.what()).size(), 400u);
    }
    EXPECT_EQ(kind_of_failure(scratch / name), ErrorKind::kCannotWrite) << name;
  }
}

}  // namespace
}  // namespace bifrons::testing
