// Mapped files: the same bytes as read, memory given back, changes noticed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "src/io/mapped_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights/expect_error.h"

namespace bifrons {
namespace {

using testing::expect_contains;
using testing::refusal_of;
using testing::TemporaryDirectory;

// Pages of this process that come from files, as the system counts them.
int64_t resident_file_pages() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0, shared = 0;
  statm >> size >> resident >> shared;
  return shared;
}

TEST(MappedFile, ReleaseKeepsMemoryFlat) {
  const TemporaryDirectory temporary;
  const int64_t pages = 4096;
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  std::string bytes(static_cast<size_t>(pages * page), 'x');
  bytes.back() = 'z';
  temporary.write("f", bytes);
  const MappedFile file(Directory::open(temporary.path()).open_file("f"));
  const int64_t before = resident_file_pages();
  int64_t highest = 0;
  int64_t sum = 0;
  const size_t part = file.bytes().size() / 16;
  for (size_t i = 0; i < 16; ++i) {
    const auto range = file.bytes().subspan(i * part, part);
    for (const std::byte b : range) sum += std::to_integer<int>(b);
    highest = std::max(highest, resident_file_pages() - before);
    file.release(range);
  }
  EXPECT_EQ(sum, (pages * page - 1) * 'x' + 'z');
  EXPECT_LT(highest, pages / 4);
  EXPECT_EQ(static_cast<char>(file.bytes().back()), 'z');  // released pages come back
  EXPECT_THROW(file.release({file.bytes().data() + 1, file.bytes().size()}), ContractError);
}

TEST(MappedFile, NoticesChanges) {
  const TemporaryDirectory temporary;
  temporary.write("f", "0123456789");
  temporary.write("g", "other");
  const MappedFile file(Directory::open(temporary.path()).open_file("f"));
  file.verify_unchanged();
  // Replacing the name leaves the open file whole.
  ASSERT_EQ(::rename((temporary / "g").c_str(), (temporary / "f").c_str()), 0);
  file.verify_unchanged();
  EXPECT_EQ(file.file().read_text(0, 10), "0123456789");
}

TEST(MappedFile, NoticesShorteningWithoutSignal) {
  const TemporaryDirectory temporary;
  temporary.write("f", std::string(100'000, 'x'));
  const MappedFile file(Directory::open(temporary.path()).open_file("f"));
  ASSERT_EQ(::truncate((temporary / "f").c_str(), 10), 0);
  expect_contains(refusal_of([&] { file.verify_unchanged(); }), "changed while it was being read");
  expect_contains(refusal_of([&] { file.file().read_text(0, 100'000); }), "ends early");
}

TEST(MappedFile, NoticesRewriting) {
  const TemporaryDirectory temporary;
  temporary.write("f", "0123456789");
  const MappedFile file(Directory::open(temporary.path()).open_file("f"));
  const timespec times[2] = {{0, UTIME_NOW}, {12345, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (temporary / "f").c_str(), times, 0), 0);
  refusal_of([&] { file.verify_unchanged(); });
}

}  // namespace
}  // namespace bifrons
