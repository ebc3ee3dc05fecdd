// Paths that do not resolve give results, not exceptions.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "kernels/error.h"
#include "src/io/paths.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;

class Paths : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_symlink("loop", scratch / "loop");
    scratch.write("file", "words");
  }
  // Paths whose status cannot be read, with the error number.
  std::vector<std::pair<fs::path, int>> hopeless() const {
    return {{scratch / "loop/x", ELOOP},
            {scratch / "file/x", ENOTDIR},
            {scratch / std::string(256, 'x'), ENAMETOOLONG},
            {scratch / std::string(256, 'x') / "y", ENAMETOOLONG},
            {scratch / std::string(5000, 'x'), ENAMETOOLONG}};
  }
  const TemporaryDirectory scratch;
};

TEST_F(Paths, QuestionsNeverThrow) {
  for (const auto& [path, error_number] : hopeless()) {
    EXPECT_FALSE(directory_exists(path)) << path;
    EXPECT_FALSE(path_exists(path)) << path;
    EXPECT_EQ(obstacle_at(path), error_number) << path;
    EXPECT_NO_THROW(canonical_path(path)) << path;
  }
  EXPECT_TRUE(path_exists(scratch / "loop"));
  EXPECT_FALSE(directory_exists(scratch / "loop"));
  EXPECT_EQ(obstacle_at(scratch / "none"), 0);
  EXPECT_EQ(obstacle_at(scratch / "none/deeper"), 0);
}

TEST_F(Paths, SlashesAtTheEndGo) {
  EXPECT_EQ(without_slashes("a/b//"), "a/b");
  EXPECT_EQ(without_slashes("//"), "/");
  EXPECT_EQ(without_slashes(""), "");
}

TEST_F(Paths, DirectoriesThatCannotBeMadeAreSentences) {
  for (const auto& [path, error_number] : hopeless()) {
    try {
      make_directories(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCannotWrite);
      EXPECT_LT(std::string(error.what()).size(), 400u);
    }
  }
  EXPECT_THROW(make_directories(scratch / "file"), Error);
  EXPECT_THROW(make_directories(scratch / "loop"), Error);
  EXPECT_NO_THROW(make_directories(scratch / "a/b/c/"));
  EXPECT_TRUE(directory_exists(scratch / "a/b/c"));
}

TEST_F(Paths, OnlyRegularFilesAreOpened) {
  fs::create_directory(scratch / "directory");
  ASSERT_EQ(mkfifo((scratch / "pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", scratch / "zero");
  for (const char* name : {"directory", "pipe", "zero", "loop", "file/x"}) {
    for (const int flags : {O_RDONLY, O_WRONLY | O_APPEND}) {
      const RegularFile opened = open_regular((scratch / name).string(), flags);
      EXPECT_FALSE(opened.problem.empty()) << name;
      EXPECT_FALSE(opened.absent) << name;
      EXPECT_LT(opened.file.get(), 0) << name;
    }
  }
  EXPECT_TRUE(open_regular((scratch / "none").string(), O_RDONLY).absent);
  const RegularFile opened = open_regular((scratch / "file").string(), O_RDONLY);
  EXPECT_EQ(opened.problem, "");
  EXPECT_EQ(opened.bytes, 5);
}

}  // namespace
}  // namespace bifrons::testing
