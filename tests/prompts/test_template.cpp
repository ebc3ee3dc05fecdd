// Templates give all their expansions, and the same ones every time.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kernels/error.h"
#include "src/prompts/template.h"
#include "tests/support/failing_readdir.h"
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

TEST(Template, AFolderWhoseListingBreaksOffHasNotLessFiles) {
  const TemporaryDirectory folder;
  folder.write("a.txt", "red\n");
  Wildcards files(folder.path().string());
  const FailingReaddir broken(2);
  try {
    Template("__*__", files);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_NE(std::string(error.what()).find("cannot be listed"), std::string::npos)
        << error.what();
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

// Six files that each use the next one three hundred times would fill any memory.
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

// Random choices of the first version, which had choices and wildcards by name only. They must not
// change, so that old batches keep their pictures.
TEST(Template, RandomStaysWhatItWas) {
  const TemporaryDirectory folder;
  folder.write("colour.txt", "# c\nred\nblue\n{dark|light} green\n");
  Wildcards files(folder.path().string());
  struct Pin {
    std::string text;
    Texts of_seeds;  // for seeds 0, 1, 2, 3 and 42
  };
  for (const Pin& pin : std::vector<Pin>{
           {"a {red|blue|green} fox",
            {"a red fox", "a red fox", "a red fox", "a blue fox", "a green fox"}},
           {"{0.5::often|seldom} {a|b{1|2}}",
            {"seldom b2", "seldom a", "seldom b1", "often a", "seldom b2"}},
           {"{1-3$$ and $$x|y|z} in __colour__",
            {"x and y and z in red", "x and z and y in blue", "x and y and z in red",
             "y and z and x in blue", "y and x and z in dark green"}},
           {"{2$$__colour__}, ____ snake_case {a|} 5$$",
            {"blue, red, ____ snake_case a 5$$", "light green, red, ____ snake_case  5$$",
             "light green, blue, ____ snake_case a 5$$", "blue, dark green, ____ snake_case a 5$$",
             "dark green, red, ____ snake_case  5$$"}}}) {
    const Template made(pin.text, files);
    Texts found;
    for (const uint64_t seed : std::initializer_list<uint64_t>{0, 1, 2, 3, 42}) {
      found.push_back(made.random(seed));
    }
    EXPECT_EQ(found, pin.of_seeds) << pin.text;
  }
}

std::string fault_of(const std::string& text, const std::string& wildcards = "/nowhere") {
  try {
    all_of(text, wildcards);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData) << text;
    return error.what();
  }
  return {};
}

TEST(Template, AmountsWeightsAndSeparators) {
  EXPECT_EQ(all_of("{2-1$$a|b}"), all_of("{1-2$$a|b}"));
  EXPECT_EQ(all_of("{ 2$$a|b}"), all_of("{2$$a|b}"));
  EXPECT_EQ(all_of("{2$$ | $$a|b}"), (Texts{"a | b", "b | a"}));
  EXPECT_EQ(all_of("{2$$$$a|b}"), (Texts{"ab", "ba"}));
}

TEST(Template, Variables) {
  EXPECT_EQ(all_of("a ${c={red|blue}} ${c} car"), (Texts{"a red car", "a blue car"}));
  EXPECT_EQ(all_of("${c={red|blue}}${c} ${c}"),
            (Texts{"red red", "red blue", "blue red", "blue blue"}));
  EXPECT_EQ(all_of("${c=!{red|blue}} ${c} ${c}"), (Texts{"red red", "blue blue"}));
  EXPECT_EQ(all_of("${c=!{red|blue}}${d=!{${c}|x}}${d}-${c}"),
            (Texts{"red-red", "x-red", "blue-blue", "x-blue"}));
  EXPECT_EQ(all_of("${a} ${a=b}"), Texts{"b "});
  EXPECT_EQ(all_of("${a:x} ${ a : {y|z} }"), (Texts{"x y ", "x z "}));
  EXPECT_EQ(all_of("${a?=x}${a}"), Texts{"x"});
  EXPECT_EQ(all_of("${p={tall|short} ${who:man}}${p} and ${p}").size(), 4u);
  EXPECT_EQ(all_of("\\${5|6} $\\{a\\} $5 $ {x}"), (Texts{"$5 ${a} $5 $ x", "$6 ${a} $5 $ x"}));
  Wildcards files("/nowhere");
  const Template once("${c=!{a|b|c|d}}${c}${c}${c}", files);
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) seen.insert(once.random(seed));
  EXPECT_EQ(seen, (std::set<std::string>{"aaa", "bbb", "ccc", "ddd"}));
}

TEST(Template, Samplers) {
  Wildcards files("/nowhere");
  const Template turn("{@a|b{1|2}} {x|y}", files);
  for (const auto& [number, start] :
       std::map<int64_t, std::string>{{0, "a "}, {1, "b1 "}, {2, "b2 "}, {3, "a "}}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      EXPECT_TRUE(turn.random(seed, number).starts_with(start)) << turn.random(seed, number);
    }
  }
  EXPECT_EQ(turn.combinations(), 2);
  EXPECT_EQ(all_of("{@a|b} {x|y|z}"), (Texts{"a x", "b y", "a z"}));
  const Texts some = all_of("{~a|b|c} {1|2|3|4|5|6|7|8|9}");
  EXPECT_EQ(some.size(), 9u);
  EXPECT_EQ(some, all_of("{~a|b|c} {1|2|3|4|5|6|7|8|9}"));
  EXPECT_TRUE(Template("a {!x|y}", files).asks_all());
  EXPECT_FALSE(Template("a {x|y}!", files).asks_all());
  EXPECT_EQ(all_of("{!a|b}{\\@x|\\!y}"), (Texts{"a@x", "a!y", "b@x", "b!y"}));
}

TEST(Template, Comments) {
  EXPECT_EQ(all_of("a fox # really"), Texts{"a fox"});
  EXPECT_EQ(all_of("# nothing\n{a # one\n|b}"), (Texts{"\na\n", "\nb"}));
  EXPECT_EQ(all_of("a \\#1 fox, https://x.org, a // b"), Texts{"a #1 fox, https://x.org, a // b"});
  EXPECT_EQ(all_of("/* one */a"), Texts{"a"});
  EXPECT_EQ(all_of("// all of it"), Texts{""});
}

TEST(Template, WildcardFilesAsTheyAre) {
  const TemporaryDirectory folder;
  std::filesystem::create_directories(folder / "animals/deep");
  folder.write("animals/farm.txt", "\xef\xbb\xbfhorse\r\n\tcow \r\r# no\n");
  folder.write("animals/wild.txt", "3::lion\n0.5 ::cat # a comment\ncow\n");
  folder.write("animals/deep/sea.txt", "\\#1 whale");
  folder.write("my colours.txt", "red\n");
  const std::string where = folder.path().string();
  EXPECT_EQ(all_of("__animals/farm__", where), (Texts{"horse", "cow"}));
  EXPECT_EQ(all_of("__animals/wild__", where), (Texts{"lion", "cat", "cow"}));
  EXPECT_EQ(all_of("__animals/deep/sea__", where), Texts{"#1 whale"});
  EXPECT_EQ(all_of("__my colours__ __farm__", where), (Texts{"red horse", "red cow"}));
  const Texts every = {"#1 whale", "horse", "cow", "lion", "cat"};
  EXPECT_EQ(all_of("__animals/*__", where), every);
  EXPECT_EQ(all_of("__anim*s/**__", where), every);
  EXPECT_EQ(all_of("__animals/[fw]*__", where), (Texts{"horse", "cow", "lion", "cat"}));
  EXPECT_EQ(all_of("__wil?__", where), (Texts{"lion", "cat", "cow"}));
  EXPECT_EQ(all_of("{2$$ __farm__ }", where), (Texts{"horse, cow", "cow, horse"}));
  Wildcards files(where);
  const Template wild("__animals/wild__", files);
  std::map<std::string, int> seen;
  for (uint64_t seed = 0; seed < 4500; ++seed) ++seen[wild.random(seed)];
  EXPECT_NEAR(seen["lion"], 3000, 150);
  EXPECT_NEAR(seen["cat"], 500, 80);
  EXPECT_EQ(Template("__@farm__", files).random(7, 1), "cow");
}

TEST(Template, WildcardsWithVariables) {
  const TemporaryDirectory folder;
  folder.write("clothes.txt", "${season} shirt\n${season:any} hat\n");
  folder.write("hat.txt", "${colour:grey} hat\n");
  folder.write("own.txt", "${x=!{a|b}}${x}${x} __hat__\n");
  const std::string where = folder.path().string();
  EXPECT_EQ(all_of("__clothes(season=winter)__", where), (Texts{"winter shirt", "winter hat"}));
  EXPECT_EQ(all_of("${season={a|b}}__clothes__", where),
            (Texts{"a shirt", "b shirt", "a hat", "b hat"}));
  EXPECT_EQ(all_of("__hat__, __hat(colour=red)__, ${colour=blue} __hat__", where),
            Texts{"blue hat, red hat, blue hat"});
  EXPECT_EQ(all_of("__hat__ __own__", where),
            (Texts{"grey hat aa grey hat", "grey hat bb grey hat"}));
  EXPECT_EQ(
      fault_of("__clothes__", where).find("the wildcard file clothes.txt: the variable season"),
      0u);
}

TEST(Template, WhatIsNotUnderstoodIsSaid) {
  const TemporaryDirectory folder;
  folder.write("beast.yaml", "- dragon\n");
  folder.write("red.txt", "red\n");
  folder.write("empty.txt", "");
  folder.write("one.txt", "__two__\n");
  folder.write("two.txt", "a __one__\n");
  folder.write("hash.txt", "red#blue\n");
  std::filesystem::create_directory(folder / "folder.txt");
  const std::string where = folder.path().string();
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"{a$$b|c}", "is a number or two"},
           {"{$$ and $$a|b}", "is a number or two"},
           {"{2-3-4$$a|b}", "is a number or two"},
           {"{99999999999999999999$$a|b}", "is a number or two"},
           {"{a|5$$ b}", "write \\$$"},
           {"{0,5::a|b}", "a weight before ::"},
           {"{-1::a|b}", "a weight before ::"},
           {"${a}", "the variable a is not set"},
           {"${a={x|y}", "without }"},
           {"${a=x}${a=y}", "set twice"},
           {"${a=${b}}${b=${a}}", "leads back to itself"},
           {"{${a=x}|b}", "outside of braces"},
           {"${a=x|y}", "stands in braces"},
           {"${5|6}", "variables are"},
           {"${a?b}", "variables are"},
           {"%{a ...$$b}", "not understood"},
           {"C# code", "write \\#"},
           {"{#a|b}", "write \\#"},
           {"{a|b} // c", "begins with #"},
           {"/* a", "without */"},
           {"__a", "without __ at its end"},
           {"{__a|b__}", "without __ at its end"},
           {"__{a|b}__", "not understood"},
           {"__../red__", "no path inside"},
           {"__/red__", "no path inside"},
           {"__a\\b__", "no path inside"},
           {"__a(b)__", "written __name"},
           {"__a(b=c__", "at its end"},
           {"__@__", "without a name"},
           {"__missing__", "has no values"},
           {"__Red__", "did you mean __red__?"},
           {"__none*__", "has no values"},
           {"__beast__", "YAML or JSON, which is not read"},
           {"__b*__", "YAML or JSON, which is not read"},
           {"__empty__", "has no values"},
           {"__one__", "leads back to itself"},
           {"__hash__", "the wildcard file hash.txt: a # inside"},
           {"__folder__", "not a regular file"}}) {
    EXPECT_NE(fault_of(text, where).find(why), std::string::npos)
        << text << ": " << fault_of(text, where);
  }
  EXPECT_NE(fault_of("__a__", where + "/nowhere").find("there is no folder"), std::string::npos);
  std::string doubled = "${v0=xxxxxxxx}";
  for (int i = 1; i < 16; ++i) {
    doubled += "${v" + std::to_string(i) + "=";
    for (int k = 0; k < 40; ++k) doubled += "${v" + std::to_string(i - 1) + "}";
    doubled += "}";
  }
  EXPECT_NE(fault_of(doubled + "${v15}"), "");
}

}  // namespace
}  // namespace bifrons::testing
