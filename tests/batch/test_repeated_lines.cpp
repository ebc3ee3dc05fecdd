// Lines that repeat a picture are listed with it, wherever a run stopped and whichever run drew it.
#include <gtest/gtest.h>

#include "src/io/json.h"
#include "src/store/listing.h"
#include "src/store/merge.h"
#include "tests/batch/pretended.h"
#include "tests/support/byte_streams.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

class RepeatedLinesTest : public ::testing::Test {
 protected:
  std::string out() const { return (scratch / "out").string(); }

  // Draws what is missing, up to `most` pictures.
  BatchCounts run(const std::string& text, Shard shard = {}, int most = 1000) const {
    JobStream jobs(PromptReader(stream_of(text), PromptFormat::kJsonLines, {}), {});
    Store store({.directory = out(), .shard = shard.index, .shards = shard.count});
    BatchSetup setup = pretended_setup(out(), shard);
    setup.encode = [](const DrawnPicture& drawn) { return drawn.drawing.picture.rgb; };
    BatchRun batch(jobs, store, setup);
    for (int i = 0; i < most; ++i) {
      const auto job = batch.take();
      if (!job) break;
      if (job->request.prompt == "nan") {
        batch.deliver({job->id, std::nullopt, Error(ErrorKind::kData, "not finite"), 2});
      } else {
        batch.deliver(pretended_result(job->id, job->request.prompt +
                                                    std::to_string(job->request.seed) +
                                                    std::to_string(job->request.guidance)));
      }
    }
    batch.finish();
    const BatchCounts counts = batch.counts();
    store.finish(counts.failed + counts.bad_lines, std::to_string(counts.jobs));
    return counts;
  }

  // The values of a column in all lines, in the order of the file.
  std::string column(const std::string& name) const {
    std::string all;
    for (const ListedPicture& picture : list_pictures(out())) {
      const Json line = Json::parse(picture.line, "line");
      const Json* value = line.find(name);
      const std::string text = value == nullptr ? "-" : value->dump();
      all += (value != nullptr && value->is_string() ? value->text(name) : text) + " ";
    }
    return all;
  }

  TemporaryDirectory scratch;
};

const std::string kLines =
    "{\"prompt\":\"a\",\"seed\":7,\"tag\":1}\n{\"prompt\":\"b\",\"tag\":2}\n"
    "{\"prompt\":\"a\",\"seed\":7,\"tag\":3}\n{\"prompt\":\"a\",\"seed\":7,\"tag\":4,\"x\":[1]}\n"
    "{\"prompt\":\"c\",\"tag\":5}\n";

TEST_F(RepeatedLinesTest, AreListedWithColumnsOfTheirOwn) {
  EXPECT_EQ(run(kLines).drawn, 3);
  EXPECT_EQ(column("tag"), "1 2 3 4 5 ");
  EXPECT_EQ(column("line"), "1 2 3 4 5 ");
  EXPECT_EQ(column("index"), "0 1 2 3 4 ");
  EXPECT_EQ(column("x"), "- - - [1] - ");
  std::set<std::string> names, sums;
  for (const ListedPicture& picture : list_pictures(out())) {
    names.insert(picture.entry.file_name);
    sums.insert(picture.entry.sha256);
    EXPECT_NE(Json::parse(picture.line, "line").find("tokens_sha256"), nullptr);
  }
  EXPECT_EQ(names.size(), 3u);
  EXPECT_EQ(sums.size(), 3u);
  const std::string manifest = scratch.read("out/metadata.jsonl");
  EXPECT_EQ(run(kLines).drawn, 0);
  EXPECT_EQ(scratch.read("out/metadata.jsonl"), manifest) << "listed once";
  EXPECT_TRUE(check_batches({out()}).problems.empty());
}

TEST_F(RepeatedLinesTest, AreListedWhereverARunStopped) {
  run(kLines);
  const std::string tags = column("tag"), files = column("sha256");
  for (int most = 0; most < 3; ++most) {
    std::filesystem::remove_all(scratch / "out");
    run(kLines, {}, most);
    run(kLines);
    EXPECT_EQ(column("tag"), tags) << most;
    EXPECT_EQ(column("sha256"), files) << most;
  }
  // Lines that are added later, long after their pictures were drawn.
  EXPECT_EQ(
      run(kLines + "{\"prompt\":\"b\",\"tag\":6}\n{\"prompt\":\"a\",\"seed\":7,\"tag\":7}\n").drawn,
      1);
  EXPECT_EQ(column("tag"), "1 2 3 4 5 6 7 ");
}

TEST_F(RepeatedLinesTest, AreWithThePictureInAnyShard) {
  run(kLines);
  const std::string tags = column("tag"), files = column("sha256");
  for (const int64_t count : {2, 3, 5}) {
    std::filesystem::remove_all(scratch / "out");
    for (int64_t i = count; i-- > 0;) run(kLines, {i, count});
    EXPECT_EQ(column("tag"), tags) << count;
    EXPECT_TRUE(check_batches({out()}).problems.empty()) << check_batches({out()}).problems[0];
    const MergeReport report = merge_batches({out()}, out());
    EXPECT_TRUE(report.problems.empty());
    EXPECT_EQ(report.pictures, 5);
    EXPECT_EQ(column("tag"), tags) << count;
    EXPECT_EQ(column("sha256"), files) << count;
    EXPECT_EQ(run(kLines).drawn, 0);
    EXPECT_EQ(column("tag"), tags) << count;
  }
}

TEST_F(RepeatedLinesTest, OfSeedsBeyondInt64) {
  const std::string line = "{\"prompt\":\"a\",\"seed\":18446744073709551615}\n";
  EXPECT_EQ(run(line + line).drawn, 1);
  EXPECT_EQ(column("large_seed"), "18446744073709551615 18446744073709551615 ");
  EXPECT_EQ(column("width"), "1 1 ");
}

// Another picture gets the name. Its repeats are then listed with the new picture.
TEST_F(RepeatedLinesTest, FollowAPictureThatIsDrawnAnew) {
  const std::string two =
      "{\"prompt\":\"a\",\"id\":\"x\",\"tag\":1}\n{\"prompt\":\"a\",\"id\":\"x\",\"tag\":2}\n";
  run(two);
  EXPECT_EQ(column("tag"), "1 2 ");
  run("{\"prompt\":\"a\",\"id\":\"x\",\"tag\":3,\"cfg\":2}\n"
      "{\"prompt\":\"a\",\"id\":\"x\",\"tag\":4,\"cfg\":2}\n");
  EXPECT_EQ(column("tag"), "3 4 ");
  EXPECT_EQ(column("cfg"), "2 2 ");
  EXPECT_TRUE(check_batches({out()}).problems.empty());
  run("{\"prompt\":\"a\",\"id\":\"x\",\"tag\":5,\"cfg\":3}\n");
  EXPECT_EQ(column("tag"), "5 ");
  EXPECT_TRUE(check_batches({out()}).problems.empty());
}

// So many lines that the first ones are listed while the file is still being read.
TEST_F(RepeatedLinesTest, MayBeMany) {
  std::string text = "{\"prompt\":\"b\"}\n";
  for (int i = 0; i < 10'000; ++i) {
    text += "{\"prompt\":\"a\",\"seed\":7,\"tag\":" + std::to_string(i) + "}\n";
  }
  EXPECT_EQ(run(text).drawn, 2);
  std::set<std::string> lines;
  for (const ListedPicture& picture : list_pictures(out())) {
    lines.insert(Json::parse(picture.line, "line").find("line")->dump());
  }
  EXPECT_EQ(lines.size(), 10'001u);
  EXPECT_TRUE(check_batches({out()}).problems.empty());
}

TEST_F(RepeatedLinesTest, FailWithTheirPicture) {
  const BatchCounts counts =
      run("{\"prompt\":\"nan\",\"seed\":1}\n{\"prompt\":\"nan\",\"seed\":1,\"id\":\"x\"}\n"
          "{\"prompt\":\"nan\",\"seed\":1}\n");
  EXPECT_EQ(counts.drawn, 0);
  EXPECT_EQ(counts.failed, 3) << "two pictures, and the line that repeats the first";
}

}  // namespace
}  // namespace bifrons::testing
