// Templates give what they say, all of it, and the same again.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kernels/error.h"
#include "src/batch/template.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

std::vector<std::string> all_of(const std::string& text,
                                const std::string& wildcards = "/nowhere") {
  Wildcards files(wildcards);
  const Template made(text, files);
  std::vector<std::string> found;
  for (int64_t i = 0; i < made.combinations(); ++i) found.push_back(made.combination(i));
  return found;
}

using Texts = std::vector<std::string>;

TEST(Template, Combinations) {
  EXPECT_EQ(all_of("plain"), Texts{"plain"});
  EXPECT_EQ(all_of("a {red|blue} {cat|dog}"),
            (Texts{"a red cat", "a red dog", "a blue cat", "a blue dog"}));
  EXPECT_EQ(all_of("{a{1|2}|b}"), (Texts{"a1", "a2", "b"}));
  EXPECT_EQ(all_of("{2$$a|b|c}"), (Texts{"a, b", "a, c", "b, a", "b, c", "c, a", "c, b"}));
  EXPECT_EQ(all_of("{2$$ and $$a|b}"), (Texts{"a and b", "b and a"}));
  EXPECT_EQ(all_of("{1-2$$+$$a|b}"), (Texts{"a", "b", "a+b", "b+a"}));
  EXPECT_EQ(all_of("{-1$$a|b}"), (Texts{"a", "b"}));
  EXPECT_EQ(all_of("{5$$a|b}"), (Texts{"a, b", "b, a"}));
  EXPECT_EQ(all_of("{a|}x"), (Texts{"ax", "x"}));
  EXPECT_EQ(all_of("{0.5::a|0::b}"), (Texts{"a", "b"}));
  EXPECT_EQ(all_of("\\{a\\|b\\}"), Texts{"{a|b}"});
  EXPECT_EQ(all_of("costs 5$$ | half __ done"), Texts{"costs 5$$ | half __ done"});
}

TEST(Template, CountsMatchWhatComesOutAndAllDiffer) {
  for (const std::string text :
       {"{3$$a|b|c|d}", "{1-3$$a{1|2}|b|c{x|y|z}}", "{2$$ $${a|b}|{c|d}|e}", "{0-2$$a|b|c}"}) {
    const auto found = all_of(text);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size()) << text;
  }
  EXPECT_EQ(all_of("{1-3$$a{1|2}|b|c{x|y|z}}").size(), 6u + 2 * (2 + 6 + 3) + 6 * 6);
}

TEST(Template, RandomIsRepeatableAndFollowsTheWeights) {
  Wildcards files("/nowhere");
  const Template made("{3::often|1::seldom|0::never}", files);
  std::map<std::string, int> seen;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    EXPECT_EQ(made.random(seed), made.random(seed));
    ++seen[made.random(seed)];
  }
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_NEAR(seen["often"], 3000, 150);
  EXPECT_EQ(made.random(1), Template("{3::often|1::seldom|0::never}", files).random(1));
}

TEST(Template, RandomIsAlwaysOneOfTheCombinations) {
  Wildcards files("/nowhere");
  const std::string text = "x {1-3$$/$$a|b{1|2}|c} y";
  const auto all = all_of(text);
  const std::set<std::string> known(all.begin(), all.end());
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 2000; ++seed) seen.insert(Template(text, files).random(seed));
  EXPECT_EQ(seen, known);
}

TEST(Template, Wildcards) {
  const TemporaryDirectory directory;
  directory.write("colour.txt", "# colours\nred\n\n{dark|light} blue\r\n");
  directory.write("thing.txt", "__colour__ ball\nbox\n");
  directory.write("self.txt", "a __self__\n");
  directory.write("empty.txt", "# nothing\n");
  const std::string where = directory.path().string();
  EXPECT_EQ(all_of("a __colour__ x", where), (Texts{"a red x", "a dark blue x", "a light blue x"}));
  EXPECT_EQ(all_of("__thing__", where),
            (Texts{"red ball", "dark blue ball", "light blue ball", "box"}));
  EXPECT_EQ(all_of("{2$$__colour__}", where).size(), 4u);
  for (const std::string bad : {"__self__", "__empty__", "__missing__", "__a/../b__x__none__"}) {
    EXPECT_THROW(all_of(bad, where), Error) << bad;
  }
}

TEST(Template, RefusesWhatItCannotMean) {
  for (const std::string bad : {"{a", "a}", "{a|{b}", "{-5::a}{"}) {
    EXPECT_THROW(all_of(bad), Error) << bad;
  }
  EXPECT_THROW(all_of(std::string(40, '{') + "a" + std::string(40, '}')), Error);
}

TEST(Template, HugeCountsAreSaidNotMade) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "{a|b|c|d}";
  Wildcards files("/nowhere");
  const Template made(text, files);
  EXPECT_GT(made.combinations(), kMostCombinations);
  EXPECT_EQ(made.random(3).size(), 50u);
}

// Six files that each name the next three hundred times would fill any memory.
TEST(Template, WhatCanBecomeTooLongIsRefusedBeforeItIs) {
  const TemporaryDirectory folder;
  for (int i = 0; i < 6; ++i) {
    std::string text;
    for (int k = 0; k < 300; ++k) text += "__w" + std::to_string(i + 1) + "__ ";
    folder.write("w" + std::to_string(i) + ".txt", text + "\n");
  }
  folder.write("w6.txt", "word\n");
  Wildcards files(folder.path().string());
  try {
    Template("a __w0__", files);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_NE(std::string(error.what()).find("65536"), std::string::npos) << error.what();
  }
  const std::string half(40'000, 'x');
  EXPECT_EQ(Template("{" + half + "|" + half + "}", files).combinations(), 2);
  EXPECT_THROW(Template("{2$$" + half + "|" + half + "}", files), Error);
}

TEST(Template, ABrokenWildcardFileIsNamed) {
  const TemporaryDirectory folder;
  folder.write("bad.txt", "a {b\n");
  folder.write("none.txt", "# nothing\n");
  folder.write("outer.txt", "__bad__\n");
  Wildcards files(folder.path().string());
  for (const std::string name : {"bad", "none"}) {
    try {
      Template("__" + name + "__", files);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("the wildcard file " + name + ".txt: "), 0u)
          << error.what();
    }
  }
  try {
    Template("__outer__", files);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("the wildcard file bad.txt: "), 0u) << error.what();
  }
}

}  // namespace
}  // namespace bifrons::testing
