// Every column of a manifest has one type, whatever the prompt files contain.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/io/sha256.h"
#include "src/store/manifest.h"
#include "src/store/manifest_columns.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;
using Columns = std::vector<std::pair<std::string, std::string>>;

json object_of(const std::string& members) { return json::parse("{" + members.substr(1) + "}"); }

TEST(ManifestColumns, StringsStayAndAllElseIsJsonText) {
  const Columns extras = {{"tag", "\"colour\""},
                          {"include", R"([{"class":"kite","count":1}])"},
                          {"n", "7"},
                          {"r", "0.5"},
                          {"yes", "true"},
                          {"none", "null"},
                          {"empty", "[]"},
                          {"quoted", R"("a \"b\"")"}};
  const json object = object_of(column_members(extras));
  ASSERT_EQ(object.size(), extras.size());
  for (const auto& [name, text] : extras) {
    ASSERT_TRUE(object[name].is_string()) << name;
    const std::string expected = text[0] == '"' ? json::parse(text).get<std::string>() : text;
    EXPECT_EQ(object[name], expected) << name;
  }
}

TEST(ManifestColumns, NamesOfTheLoaderAreGivenOthers) {
  EXPECT_EQ(column_name("image"), "original_image");
  EXPECT_EQ(column_name("images"), "images");
  EXPECT_EQ(column_name("label"), "label");
  EXPECT_EQ(column_name(std::string("a\0b", 3)),
            "a\xef\xbf\xbd"
            "b");
  for (const std::string name :
       {"file_name", "mask_file_name", "_file_name", "file_names", "mask_file_names"}) {
    const std::string other = column_name(name);
    EXPECT_TRUE(other.starts_with("original_" + name)) << other;
    EXPECT_FALSE(other.ends_with("file_name") || other.ends_with("file_names")) << other;
    EXPECT_EQ(column_name(other), other);
  }
}

TEST(ManifestColumns, NoNameStandsTwice) {
  const json clash = object_of(column_members(
      {{"image", "\"a\""}, {"original_image", "\"b\""}, {"original_original_image", "\"c\""}}));
  EXPECT_EQ(clash["original_original_original_image"], "a");
  EXPECT_EQ(clash["original_image"], "b");
  EXPECT_EQ(clash["original_original_image"], "c");
  EXPECT_EQ(column_members({{"size", "\"1\""}, {"size", "\"2\""}}), R"(,"size":"2")");
  EXPECT_EQ(column_members({{"seed", "\"1\""}, {"crc32", "\"2\""}}), "") << "names of our own";
}

TEST(ManifestColumns, NumbersOfOurOwn) {
  EXPECT_EQ(real_json(5), "5.0");
  EXPECT_EQ(real_json(4.5), "4.5");
  EXPECT_EQ(real_json(1e-30), "1e-30");
  EXPECT_EQ(seed_member("seed", 7), R"("seed":7)");
  EXPECT_EQ(seed_member("seed", (uint64_t{1} << 63) - 1), R"("seed":9223372036854775807)");
  EXPECT_EQ(seed_member("seed", uint64_t{1} << 63), R"("large_seed":"9223372036854775808")");
}

TEST(ManifestColumns, AChoiceHasRealScores) {
  const std::string choice = R"({"question":"is it?","kept":18446744073709551615,"candidates":[)"
                             R"({"seed":18446744073709551615,"score":1,"yes":1,"no":0},)"
                             R"({"seed":0,"score":0.5,"yes":0.25,"no":0.25}]})";
  const std::string today = best_of_json(choice);
  EXPECT_EQ(today, R"({"question":"is it?","large_kept":"18446744073709551615","candidates":[)"
                   R"({"large_seed":"18446744073709551615","score":1.0,"yes":1.0,"no":0.0},)"
                   R"({"seed":0,"score":0.5,"yes":0.25,"no":0.25}]})");
  EXPECT_EQ(best_of_json(today), today);
}

// Lines in the form of the first version with checksums.
TEST(ManifestColumns, LinesOfEarlierVersionsAreRenewed) {
  const ManifestEntry entry{"a.png", "0123456789abcdef", 12, sha256("a"), sha256("b")};
  const auto line = [&](const std::string& members) {
    const std::string text = manifest_line(entry, members);
    return text.substr(0, text.size() - 1);
  };
  const std::string before =
      line(R"("text":"a, \"b\" {","id":"x","include":[{"a":"],}"},2],"n":7,"image":"i","index":3,)"
           R"("seed":18446744073709551615,"cfg":5,"temperature":0.5,"top_k":0,"top_p":1)");
  const std::string after =
      line(R"("text":"a, \"b\" {","id":"x","include":"[{\"a\":\"],}\"},2]","n":"7",)"
           R"("original_image":"i","index":3,"large_seed":"18446744073709551615","cfg":5.0,)"
           R"("temperature":0.5,"top_k":0,"top_p":1.0)");
  ASSERT_TRUE(read_manifest_line(before));
  EXPECT_EQ(renewed_line(before), after);
  EXPECT_EQ(renewed_line(after), after);
  const auto entry_after = read_manifest_line(after);
  ASSERT_TRUE(entry_after);
  EXPECT_EQ(entry_after->key, entry.key);
  for (const std::string odd : {R"("a":,"b":2)", R"("a":[1,"b":2)", R"("a")"}) {
    EXPECT_EQ(renewed_line(line(odd)), line(odd)) << odd;
  }
}

}  // namespace
}  // namespace bifrons::testing
