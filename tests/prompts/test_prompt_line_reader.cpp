// Lines are read back unchanged, with every line ending and however the stream is split into reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "kernels/error.h"
#include "tests/support/byte_streams.h"
#include "tests/weights/expect_error.h"

namespace bifrons::testing {
namespace {

std::vector<TextLine> lines_of(std::string text, size_t piece) {
  PromptLineReader reader(stream_of(std::move(text), piece));
  std::vector<TextLine> lines;
  while (auto line = reader.next()) lines.push_back(std::move(*line));
  return lines;
}

TEST(PromptLineReader, EndingsMarksAndMissingLastLineEnd) {
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{1000}}) {
    const auto lines = lines_of(
        "\xef\xbb\xbf"
        "one\r\ntwo\n\nfour",
        piece);
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[0].text, "one");
    EXPECT_EQ(lines[1].text, "two");
    EXPECT_EQ(lines[2].text, "");
    EXPECT_EQ(lines[3].text, "four");
    EXPECT_EQ(lines[3].number, 4);
    EXPECT_TRUE(lines_of("", piece).empty());
    EXPECT_EQ(lines_of("\n", piece).size(), 1u);
  }
}

TEST(PromptLineReader, RandomTextComesBackWhateverThePieces) {
  std::mt19937 random(7);
  const std::vector<std::string> parts{"a", "\xc3\xa9", "\xe7\x8c\xab",
                                       " ", "\t",       "\xf0\x9f\xa6\x8a"};
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> wanted(random() % 8);
    std::string text;
    for (std::string& line : wanted) {
      for (size_t n = random() % 20; n > 0; --n) line += parts[random() % parts.size()];
      text += line + (random() % 2 == 0 ? "\n" : "\r\n");
    }
    const auto lines = lines_of(text, 1 + random() % 7);
    ASSERT_EQ(lines.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(lines[i].text, wanted[i]);
      EXPECT_EQ(lines[i].problem, "");
    }
  }
}

TEST(PromptLineReader, EachHazardSpoilsItsLineAlone) {
  const std::vector<std::string> hazards{std::string("nul\0here", 8),
                                         "\x01",
                                         "esc \x1b[31m",
                                         "del \x7f",
                                         "lone\rreturn",
                                         "bad \xff byte",
                                         "overlong \xc0\xaf",
                                         "surrogate \xed\xa0\x80",
                                         "cut \xe7\x8c"};
  for (const std::string& hazard : hazards) {
    const auto lines = lines_of("before\n" + hazard + "\nafter\n", 5);
    ASSERT_EQ(lines.size(), 3u) << hazard;
    EXPECT_EQ(lines[0].problem, "");
    EXPECT_NE(lines[1].problem, "") << hazard;
    EXPECT_EQ(lines[2].problem, "");
    EXPECT_EQ(lines[2].text, "after");
  }
}

TEST(PromptLineReader, TheLongestLineIsReadAndOneByteMoreIsNot) {
  for (const std::string ending : {"\n", "\r\n", ""}) {
    const std::string longest(kLongestLine, 'x');
    EXPECT_EQ(lines_of(longest + ending, 1000).front().text, longest);
    EXPECT_NE(lines_of(longest + "x" + ending, 1000).front().problem, "");
  }
}

TEST(PromptLineReader, AHugeLineCostsNoMemoryAndOneError) {
  // 200 MB without a line end. The stream counts the bytes that it gives; they are never held.
  int64_t given = 0;
  PromptLineReader reader([&given](std::span<char> room) -> size_t {
    if (given > 200'000'000) return 0;
    std::fill(room.begin(), room.end(), 'x');
    given += static_cast<int64_t>(room.size());
    return room.size();
  });
  const auto line = reader.next();
  ASSERT_TRUE(line);
  EXPECT_NE(line->problem, "");
  EXPECT_LT(line->text.capacity(), size_t{1} << 20);
  EXPECT_FALSE(reader.next());
}

TEST(PromptLineReader, ReadsNoFurtherThanOneBlockAhead) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "a prompt of some words\n";
  PromptLineReader reader(stream_of(text));
  reader.next();
  EXPECT_LE(reader.bytes_read(), int64_t{64} << 10);
  for (int i = 0; i < 10'000; ++i) reader.next();
  EXPECT_LE(reader.bytes_read(), (int64_t{64} << 10) + 10'001 * 23);
}

TEST(PromptLineReader, Utf16IsRefusedAsAWhole) {
  EXPECT_THROW(lines_of(std::string("\xff\xfe"
                                    "a\0",
                                    4),
                        1),
               Error);
  EXPECT_THROW(lines_of(std::string("\xfe\xff\0a", 4), 100), Error);
}

// A pipe that is written in pieces. The reader is ready at whole lines and at the end only.
TEST(PromptLineReader, IsReadyWhenAWholeLineIs) {
  const std::vector<std::string> pieces = {"one\ntw", "o", "\nthr", "ee", ""};
  size_t given = 0, there = 0;
  std::string left;
  PromptLineReader lines(
      [&](std::span<char> room) {
        if (left.empty() && given < there) left = pieces[given++];
        const size_t n = std::min(room.size(), left.size());
        std::copy_n(left.begin(), n, room.begin());
        left.erase(0, n);
        return n;
      },
      [&] { return !left.empty() || given < there; });
  EXPECT_FALSE(lines.ready());
  there = 1;
  EXPECT_TRUE(lines.ready());
  EXPECT_EQ(lines.next()->text, "one");
  EXPECT_FALSE(lines.ready());
  there = 2;
  EXPECT_FALSE(lines.ready());
  there = 3;
  EXPECT_TRUE(lines.ready());
  EXPECT_EQ(lines.next()->text, "two");
  there = 4;
  EXPECT_FALSE(lines.ready());
  there = 5;
  EXPECT_TRUE(lines.ready()) << "the end is an answer too";
  EXPECT_EQ(lines.next()->text, "three");
  EXPECT_FALSE(lines.next().has_value());
}

TEST(PromptLineReader, ALineWithoutEndIsGivenUp) {
  uint64_t given = 0;
  PromptLineReader lines([&](std::span<char> room) {
    std::fill(room.begin(), room.end(), '\0');
    given += room.size();
    return room.size();
  });
  const std::string why = testing::refusal_of([&] { lines.next(); }, ErrorKind::kData);
  EXPECT_NE(why.find("line 1 goes on for more than"), std::string::npos) << why;
  EXPECT_LT(given, 2 * kHopelessLine);
}

TEST(PromptLineReader, AnEntryWithoutEndIsGivenUp) {
  for (const char endless : {'a', ' '}) {
    int taken = 0;
    const JsonValues::Source source{[&]() -> int { return taken == 0 ? '[' : endless; },
                                    [&] { ++taken; }};
    JsonValues values(10, 1000);
    const std::string why =
        testing::refusal_of([&] { values.next(source, false); }, ErrorKind::kData);
    EXPECT_NE(why.find("more than 1000 bytes"), std::string::npos) << why;
    EXPECT_LT(taken, 1010);
  }
}

// Lines of up to the maximum length, and longer ones. The memory in use does not grow.
TEST(PromptLineReader, BeingReadyNeedsNoMoreRoomThanABlock) {
  for (const size_t length : {kLongestLine - 1, kLongestLine, 3 * kLongestLine}) {
    const std::string text = std::string(length, 'x') + "\nlast\n";
    PromptLineReader lines(stream_of(text, 1000), [] { return true; });
    std::vector<std::string> found;
    while (lines.ready()) {
      const auto line = lines.next();
      if (!line) break;
      found.push_back(line->problem.empty() ? line->text : "too long");
    }
    EXPECT_EQ(found, (std::vector{length > kLongestLine ? "too long" : std::string(length, 'x'),
                                  std::string("last")}));
  }
}

}  // namespace
}  // namespace bifrons::testing
