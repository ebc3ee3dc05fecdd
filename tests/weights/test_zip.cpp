// ZIP directories: what torch.save writes, and every difference that two readers could interpret
// differently.
#include <gtest/gtest.h>

#include "src/weights/zip.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"
#include "tests/weights/memory_source.h"

namespace bifrons {
namespace {

using testing::expect_contains;
using testing::MemorySource;
using testing::refusal_of;
using testing::zip_file;
using testing::ZipPart;
using testing::ZipShape;

std::vector<ZipPart> parts() {
  std::vector<ZipPart> result(2);
  result[0].name = "r/a";
  result[0].data = "hello";
  result[1].name = "r/b";
  result[1].data = std::string(100, 'b');
  return result;
}

std::vector<ZipEntry> read_entries(const std::string& file) {
  return read_zip_directory(MemorySource(file));
}

std::string zip_refusal(const std::vector<ZipPart>& bent, const ZipShape& shape = {}) {
  return refusal_of([&] { read_entries(zip_file(bent, shape)); });
}

// The error message after `bend` changed the second entry.
template <typename Bend>
std::string refusal_with(Bend&& bend) {
  std::vector<ZipPart> bent = parts();
  bend(bent[1]);
  return zip_refusal(bent);
}

void expect_the_parts(const std::string& file) {
  const auto entries = read_entries(file);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "r/a");
  EXPECT_EQ(entries[0].bytes, 5);
  EXPECT_EQ(entries[0].offset % 64, 0);
  EXPECT_EQ(file.substr(static_cast<size_t>(entries[0].offset), 5), "hello");
  EXPECT_EQ(file[static_cast<size_t>(entries[1].offset)], 'b');
}

TEST(Zip, Reads32And64BitForms) {
  expect_the_parts(zip_file(parts()));
  expect_the_parts(zip_file(parts(), {.zip64 = false}));
  std::vector<ZipPart> wide = parts();
  wide[0].zip64 = wide[1].zip64 = true;
  expect_the_parts(zip_file(wide));
  std::vector<ZipPart> complete = parts();  // sizes in the local header, no data descriptor
  complete[0].flags = 0;
  complete[0].crc32 = complete[0].local_crc32 = 0x3610a686;
  complete[0].local_bytes = 5;
  expect_the_parts(zip_file(complete));
  EXPECT_EQ(read_entries(zip_file({})).size(), 0u);
}

TEST(Zip, RefusesEndRecords) {
  expect_contains(zip_refusal(parts(), {.comment = "x"}), "cut off");
  expect_contains(refusal_of([] { read_entries(zip_file(parts()) + "x"); }), "cut off");
  expect_contains(refusal_of([] { read_entries("PK"); }), "too short");
  expect_contains(zip_refusal(parts(), {.after_directory = "x"}), "does not end where");
  expect_contains(zip_refusal(parts(), {.zip64 = false, .after_directory = "x"}),
                  "does not end where");
  for (const bool zip64 : {true, false}) {
    for (const uint64_t entries : {0, 1, 3, 1000, 65534}) {
      zip_refusal(parts(), {.zip64 = zip64, .entries = entries});
    }
  }
  for (const uint64_t n : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 31, (uint64_t{1} << 32) - 1,
                           uint64_t{1} << 32, uint64_t{1} << 48, uint64_t{1} << 62,
                           (uint64_t{1} << 63) - 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    zip_refusal(parts(), {.entries = n == 0 ? 7 : n});
    zip_refusal(parts(), {.bytes = n});
    zip_refusal(parts(), {.offset = n});
    zip_refusal(parts(), {.bytes = n, .offset = ~n});
    zip_refusal(parts(), {.locator = n});
    if (n <= 0xffffffff) zip_refusal(parts(), {.zip64 = false, .bytes = n});
    if (n <= 0xffffffff) zip_refusal(parts(), {.zip64 = false, .offset = n});
  }
}

TEST(Zip, RefusesInconsistentEndRecords) {
  std::string file = zip_file(parts());
  file[file.size() - 22 + 12] ^= 1;  // size of the directory in the 32-bit record
  expect_contains(refusal_of([&] { read_entries(file); }), "disagree");
}

TEST(Zip, RefusesLocalHeadersThatDiffer) {
  expect_contains(refusal_with([](ZipPart& p) { p.local_name = "r/c"; }), "differs");
  expect_contains(refusal_with([](ZipPart& p) { p.local_name = "r/bb"; }), "differs");
  expect_contains(refusal_with([](ZipPart& p) { p.local_flags = 0x0808 ^ 8; }), "differs");
  expect_contains(refusal_with([](ZipPart& p) { p.local_method = 8; }), "differs");
  expect_contains(refusal_with([](ZipPart& p) { p.local_bytes = 99; }), "differs");
  expect_contains(refusal_with([](ZipPart& p) { p.local_crc32 = 1; }), "differs");
  expect_contains(refusal_with([](ZipPart& p) { p.flags = 0x0800; }), "differs");  // no descriptor
}

TEST(Zip, RefusesEntries) {
  expect_contains(refusal_with([](ZipPart& p) { p.method = 8; }), "compressed");
  expect_contains(refusal_with([](ZipPart& p) { p.stored = 99; }), "compressed");
  expect_contains(refusal_with([](ZipPart& p) { p.flags |= 1; }), "encrypted");
  expect_contains(refusal_with([](ZipPart& p) { p.flags |= 0x2000; }), "encrypted");
  expect_contains(refusal_with([](ZipPart& p) { p.disk = 1; }), "damaged");
  expect_contains(refusal_with([](ZipPart& p) { p.comment = "c"; }), "damaged");
  expect_contains(refusal_with([](ZipPart& p) { p.central_extra = "FB"; }), "damaged");
  expect_contains(refusal_with([](ZipPart& p) { p.central_extra = "FB\xff\xff"; }), "damaged");
  for (const uint64_t n :
       {uint64_t{1000}, uint64_t{1} << 31, (uint64_t{1} << 32) - 1, uint64_t{1} << 32,
        uint64_t{1} << 48, uint64_t{1} << 62, uint64_t{1} << 63, ~uint64_t{0}}) {
    for (const bool zip64 : {true, false}) {
      if (!zip64 && n > 0xffffffff) continue;
      refusal_with([&](ZipPart& p) { p.zip64 = zip64, p.bytes = n; });
      refusal_with([&](ZipPart& p) { p.zip64 = zip64, p.local_offset = n; });
    }
  }
}

TEST(Zip, RefusesOddZip64Fields) {
  using testing::little_endian;
  const auto field = [](size_t bytes) {
    return little_endian(1, 2) + little_endian(bytes, 2) + std::string(bytes, '\0');
  };
  expect_contains(refusal_with([&](ZipPart& p) { p.central_extra = field(8); }),
                  "nothing asks for");
  expect_contains(refusal_with([&](ZipPart& p) { p.central_extra = field(0); }), "damaged");
  expect_contains(refusal_with([&](ZipPart& p) { p.central_extra = field(8) + field(8); }),
                  "damaged");
  expect_contains(refusal_with([&](ZipPart& p) { p.local_offset = 0xffffffff; }), "lacks");
}

TEST(Zip, RefusesOverlaps) {
  expect_contains(refusal_with([](ZipPart& p) { p.local_offset = 0, p.local_name = "r/a"; }),
                  "differs");
  std::vector<ZipPart> same = parts();
  same[1] = same[0];
  expect_contains(zip_refusal(same), "stands twice");
  std::vector<ZipPart> long_first = parts();
  long_first[0].bytes = 60;  // reaches into the second entry
  expect_contains(zip_refusal(long_first), "overlaps");
  std::vector<ZipPart> into_directory = parts();
  into_directory[1].bytes = 130;
  expect_contains(zip_refusal(into_directory), "larger than the file");
}

TEST(Zip, RefusesPaths) {
  for (const std::string& name :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string("../a"), std::string("a/../b"), std::string("a/."), std::string("a\\b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("\xc3\xa4"),
        std::string(2000, 'a')}) {
    expect_contains(refusal_with([&](ZipPart& p) { p.name = name; }), "plain relative path");
  }
}

}  // namespace
}  // namespace bifrons
