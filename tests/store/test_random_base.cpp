// Random seeds of a directory are derived from one number. It is chosen once per directory.
#include <gtest/gtest.h>

#include "src/batch/job_stream.h"
#include "src/store/merge.h"
#include "src/store/random_base.h"
#include "src/store/store.h"
#include "tests/support/byte_streams.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

// The error concerns the directory, not the line. So reading ends.
TEST(RandomBase, ThatCannotBeKeptEndsTheReading) {
  JobOptions options;
  options.random_base = [](const PictureJob&) -> uint64_t {
    throw Error(ErrorKind::kCannotWrite, "no");
  };
  JobStream stream(PromptReader(stream_of("a --seed -1\n"), PromptFormat::kText, {}), options);
  EXPECT_THROW(stream.next(), Error);
}

TEST(RandomBase, GoesWithAMerge) {
  const TemporaryDirectory scratch;
  const auto batch_in = [&](const char* name, uint64_t base) {
    const std::string directory = (scratch / name).string();
    const Store store({.directory = directory});
    keep_random_base(directory, base);
    return directory;
  };
  const std::string a = batch_in("a", 5), b = batch_in("b", 5), c = batch_in("c", 6);
  const std::string all = (scratch / "all").string(), mixed = (scratch / "mixed").string();
  merge_batches({a, b}, all);
  EXPECT_EQ(read_random_base(all), 5u);
  merge_batches({a, c}, mixed);
  EXPECT_EQ(read_random_base(mixed), std::nullopt);
}

TEST(RandomBase, IsChosenOnce) {
  const TemporaryDirectory scratch;
  const std::string out = (scratch / "out").string();
  EXPECT_EQ(read_random_base(out), std::nullopt);
  std::filesystem::create_directories(scratch / "out/.bifrons");
  EXPECT_EQ(keep_random_base(out, 77), 77u);
  EXPECT_EQ(keep_random_base(out, 78), 77u);
  EXPECT_EQ(read_random_base(out), 77u);
  scratch.write("out/.bifrons/random.json", "{\"base\":");
  EXPECT_THROW(read_random_base(out), Error);
  remove_random_base(out);
  remove_random_base(out);
  EXPECT_EQ(read_random_base(out), std::nullopt);
  std::filesystem::create_directories(scratch / "out/.bifrons/random.json");
  EXPECT_THROW(read_random_base(out), Error);
}

}  // namespace
}  // namespace bifrons::testing
