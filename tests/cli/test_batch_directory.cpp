// Contents of a batch's directory: earlier runs, files of others, merges, sheets and galleries.
#include <gtest/gtest.h>

#include "tests/cli/batch_fixture.h"

namespace bifrons::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST_F(CliBatch, ForeignFilesAndChangedSettings) {
  scratch.write("p.txt", "a fox --id a\na cat --id b\n");
  fs::create_directories(scratch / "out");
  scratch.write("out/a.png", "somebody's");
  const Outcome first = batch("p.txt");
  EXPECT_EQ(first.exit_code, 3) << first.err;
  EXPECT_EQ(scratch.read("out/a.png"), "somebody's");
  ASSERT_EQ(batch("p.txt", {"-y"}).exit_code, 0);
  EXPECT_NE(scratch.read("out/a.png"), "somebody's");
  const Outcome changed = batch("p.txt", {"--cfg", "2"});
  EXPECT_EQ(changed.exit_code, 0);
  EXPECT_NE(changed.err.find("2 pictures have other settings"), std::string::npos) << changed.err;
  EXPECT_EQ(manifest().size(), 2u);
}

TEST_F(CliBatch, VerifyAndFresh) {
  scratch.write("p.txt", "a fox --id a\na cat --id b\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const auto good = pictures("out");
  std::string bad = good.at("a.png");
  bad[bad.size() / 2] ^= 1;
  scratch.write("out/a.png", bad);
  EXPECT_EQ(batch("p.txt").out, "");
  EXPECT_EQ(batch("p.txt", {"--resume", "verify"}).out, "out/a.png\n");
  EXPECT_EQ(pictures("out"), good);
  const Outcome fresh = batch("p.txt", {"--fresh"});
  EXPECT_EQ(std::count(fresh.out.begin(), fresh.out.end(), '\n'), 2);
  EXPECT_EQ(pictures("out"), good);
}

TEST_F(CliBatch, MergeSaysWhatAManifestHasLost) {
  scratch.write("p.txt", "a fox --count 4\n");
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  const std::string whole = scratch.read("out/metadata.jsonl");
  const auto merge = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "merge");
    return run_bifrons(more, {.directory = scratch.path()});
  };
  EXPECT_EQ(merge({"--check", "out"}).exit_code, 0);
  scratch.write("out/metadata.jsonl", whole.substr(whole.find('\n') + 1));
  const Outcome shorter = merge({"--check", "out"});
  EXPECT_EQ(shorter.exit_code, 3);
  EXPECT_NE(shorter.err.find("lists 3 pictures, but the run finished 4"), std::string::npos)
      << shorter.err;
  scratch.write("out/metadata.jsonl", whole.substr(0, whole.size() - 5));
  const Outcome torn = merge({"out"});
  EXPECT_EQ(torn.exit_code, 3);
  EXPECT_NE(torn.err.find("metadata.jsonl\":4: the line is torn"), std::string::npos) << torn.err;
  EXPECT_EQ(merge({"--check", "out"}).exit_code, 3);
  ASSERT_EQ(batch("p.txt").exit_code, 0);
  EXPECT_EQ(merge({"out"}).exit_code, 0);
  EXPECT_EQ(merge({"--check", "out"}).exit_code, 0);
}

// The run record has a hash of all pictures of the file. Every shard computes it from the whole
// file, although it draws only a part.
TEST_F(CliBatch, ShardsOfOneFileAgree) {
  scratch.write("p.txt", "a fox\na cat\na dog\n");
  const auto check = [&] {
    return run_bifrons({"merge", "--check", "out"}, {.directory = scratch.path()});
  };
  ASSERT_EQ(batch("p.txt", {"--shard", "0/4"}).exit_code, 0);
  ASSERT_EQ(batch("p.txt", {"--shard", "1/2"}).exit_code, 0);
  ASSERT_EQ(batch("p.txt", {"--shard", "0/2"}).exit_code, 0);
  const Outcome whole = check();
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  ASSERT_EQ(batch("p.txt", {"--shard", "0/2", "--cfg", "2"}).exit_code, 0);
  const Outcome mixed = check();
  EXPECT_EQ(mixed.exit_code, 3);
  EXPECT_NE(mixed.err.find("did not all draw the same"), std::string::npos) << mixed.err;
}

TEST_F(CliBatch, AManifestOfSomebodyElseStays) {
  scratch.write("p.txt", "a fox\n");
  fs::create_directories(scratch / "out");
  const std::string theirs = R"({"file_name":"x.png","text":"theirs"})";
  scratch.write("out/metadata.jsonl", theirs);
  const Outcome refused = batch("p.txt");
  EXPECT_EQ(refused.exit_code, 73);
  EXPECT_NE(refused.err.find("metadata.jsonl\" is not of a batch"), std::string::npos)
      << refused.err;
  EXPECT_EQ(scratch.read("out/metadata.jsonl"), theirs);
  EXPECT_EQ(pictures("out").size(), 0u);
}

TEST_F(CliBatch, SheetAndGallery) {
  scratch.write("p.jsonl",
                "{\"prompt\":\"a </script><b>fox\",\"id\":\"a\"}\n{\"prompt\":\"cat\"}\n");
  ASSERT_EQ(batch("p.jsonl", {"--grid", "--gallery"}).exit_code, 0);
  EXPECT_TRUE(scratch.read("out-grid.png").starts_with("\x89PNG"));
  const std::string page = scratch.read("out/index.html");
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  const size_t from = page.find("type=\"application/json\">");
  ASSERT_NE(from, std::string::npos);
  const size_t start = page.find('[', from), end = page.find("]</script>", start);
  EXPECT_EQ(json::parse(page.substr(start, end - start + 1)).size(), 2u);
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_EQ(page.find("https://"), std::string::npos);
  scratch.write("out/index.html", "<p>mine");
  EXPECT_EQ(run_bifrons({"gallery", "out"}, {.directory = scratch.path()}).exit_code, 73);
  EXPECT_EQ(scratch.read("out/index.html"), "<p>mine");
}

TEST_F(CliBatch, GridOverTwoAxes) {
  const std::vector<std::string> grid = {"grid", "-m", toy_model(), "-t", "1", "-o", "g.png"};
  const auto run_grid = [&](std::vector<std::string> more) {
    more.insert(more.begin(), grid.begin(), grid.end());
    return run_bifrons(more, {.directory = scratch.path()});
  };
  const Outcome good = run_grid({"-x", "cfg=1,3", "-y", "words=fox,cat", "a fox"});
  if (lacks_a_font(good)) GTEST_SKIP() << good.err;
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.out, "g.png\n");
  EXPECT_EQ(run_grid({"-x", "cfg=1,3", "a fox"}).exit_code, 73);  // the file exists already
  fs::remove(scratch / "g.png");
  EXPECT_EQ(run_grid({"-x", "words=dog,cat", "a fox"}).exit_code, 2);
  EXPECT_EQ(run_grid({"-x", "steps=1,2", "a fox"}).exit_code, 2);
  EXPECT_EQ(run_grid({"-x", "cfg=1,x", "a fox"}).exit_code, 2);
  EXPECT_EQ(run_grid({"-x", "seed=1..1000", "a fox"}).exit_code, 2);
  const Outcome unknown = run_grid({"-x", "cfg=1,3", "a \xf4\x8f\xbf\xbd fox"});
  EXPECT_EQ(unknown.exit_code, 66);
  EXPECT_NE(unknown.err.find("no font"), std::string::npos) << unknown.err;
  EXPECT_FALSE(fs::exists(scratch / "g.png"));
}

// Files of an earlier run are removed only after the new prompt file has been checked.
TEST_F(CliBatch, FreshWaitsForAFileThatIsTaken) {
  scratch.write("good.txt", "a fox\na cat\n");
  ASSERT_EQ(batch("good.txt").exit_code, 0);
  const auto before = pictures("out");
  scratch.write("bad.txt", "a fox\nb --nope 3\n");
  EXPECT_EQ(batch("bad.txt", {"--fresh", "--strict"}).exit_code, 65);
  scratch.write("bad.csv", "foo,bar\n1,2\n");
  EXPECT_EQ(batch("bad.csv", {"--fresh"}).exit_code, 65);
  EXPECT_EQ(pictures("out"), before);
}

TEST_F(CliBatch, PicturesOfOtherSettingsAreSaidToStay) {
  scratch.write("p.txt", "a fox\na cat\n");
  EXPECT_EQ(batch("p.txt").err.find("earlier runs"), std::string::npos);
  EXPECT_EQ(batch("p.txt").err.find("earlier runs"), std::string::npos);
  const Outcome other = batch("p.txt", {"--cfg", "7"});
  EXPECT_EQ(other.exit_code, 0);
  EXPECT_NE(other.err.find("2 pictures of earlier runs"), std::string::npos) << other.err;
}

TEST_F(CliBatch, AGalleryOfNothingIsNoError) {
  scratch.write("bad.txt", "b --nope 3\n");
  EXPECT_EQ(batch("bad.txt", {"--gallery"}).exit_code, 3);
  scratch.write("none.txt", "");
  EXPECT_EQ(batch("none.txt", {"--gallery"}).exit_code, 0);
}

// The error comes before a model is loaded and before anything is drawn.
TEST_F(CliBatch, APlaceThatCannotBeWrittenIsSaidFirst) {
  scratch.write("p.txt", "a fox\n");
  scratch.write("out", "a file");
  std::vector<std::string> all = words("p.txt", {});
  *std::find(all.begin(), all.end(), toy_model()) = scratch.path().string();  // has no model
  const Outcome outcome = run_bifrons(all, {.directory = scratch.path()});
  EXPECT_EQ(outcome.exit_code, 73) << outcome.err;
  fs::remove(scratch / "out");
  fs::create_directory(scratch / "out");
  scratch.write("out/index.html", "mine");
  EXPECT_EQ(batch("p.txt", {"--gallery"}).exit_code, 73);
  EXPECT_TRUE(pictures("out").size() <= 1) << "only the page that is somebody else's";
}

}  // namespace
}  // namespace bifrons::testing
