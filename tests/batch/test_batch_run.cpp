// A run with a fake engine and a real directory.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>
#include <random>

#include "src/io/json.h"
#include "src/store/listing.h"
#include "tests/batch/pretended.h"
#include "tests/support/byte_streams.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

const std::string kPrompts =
    "a fox\na cat --seed 3 --count 3\nbad --seed x\na dog --cfg 4\na bird --id bird\nnan --id "
    "nan\n";
constexpr int kPictures = 6;  // number of good pictures

struct Result {
  BatchCounts counts;
  std::vector<std::string> failures;
  std::map<std::string, std::string> files;
};

class BatchRunTest : public ::testing::Test {
 protected:
  std::string out() const { return (scratch / "out").string(); }

  BatchSetup setup(Shard shard = {}) const {
    BatchSetup s = pretended_setup(out(), shard);
    // The "file" is the text in the picture.
    s.encode = [](const DrawnPicture& drawn) { return drawn.drawing.picture.rgb; };
    return s;
  }

  static BatchResult draw(const BatchJob& job) {
    if (job.request.prompt == "nan") {
      return {job.id, std::nullopt, Error(ErrorKind::kData, "numbers stop being finite"), 2};
    }
    const std::string shown = job.request.prompt + std::to_string(job.request.seed) +
                              std::to_string(job.request.guidance);
    return pretended_result(job.id, shown);
  }

  // Up to `lanes` pictures at once are returned in random order. Stops after `most` deliveries.
  Result run(size_t lanes, uint32_t order, int most = 1'000'000, Shard shard = {},
             const std::string& prompts = kPrompts) const {
    Result result;
    JobStream jobs(PromptReader(stream_of(prompts), PromptFormat::kText, {}), {});
    Store store({.directory = out(), .shard = shard.index, .shards = shard.count});
    BatchSetup s = setup(shard);
    s.on_failure = [&](const LinePlace& place, const std::string& reason) {
      result.failures.push_back(std::to_string(place.line) + " " + reason);
    };
    BatchRun batch(jobs, store, s);
    std::mt19937 random(order);
    std::vector<BatchJob> busy;
    bool dry = false;
    for (int delivered = 0; delivered < most;) {
      while (!dry && busy.size() < lanes) {
        auto job = batch.take();
        dry = !job;
        if (job) busy.push_back(std::move(*job));
      }
      if (busy.empty()) break;
      std::swap(busy[random() % busy.size()], busy.back());
      batch.deliver(draw(busy.back()));
      busy.pop_back();
      ++delivered;
    }
    batch.finish();
    result.counts = batch.counts();
    for (const ListedPicture& picture : list_pictures(out())) {
      result.files[picture.entry.file_name] = scratch.read("out/" + picture.entry.file_name);
    }
    return result;
  }

  TemporaryDirectory scratch;
};

TEST_F(BatchRunTest, DrawsWhatCanBeDrawnAndNamesTheRest) {
  const Result result = run(3, 1);
  EXPECT_EQ(result.counts.drawn, kPictures);
  EXPECT_EQ(result.counts.failed, 1);
  EXPECT_EQ(result.counts.bad_lines, 1);
  ASSERT_EQ(result.failures.size(), 2u);
  EXPECT_EQ(result.files.size(), size_t{kPictures});
  EXPECT_EQ(result.files.at("bird.png").substr(0, 6), "a bird");
  const std::string errors = scratch.read("out/.bifrons/errors.jsonl");
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 2);
  for (const ListedPicture& picture : list_pictures(out())) {
    const Json line = Json::parse(picture.line, "line");
    for (const char* name : {"text", "seed", "cfg", "temperature", "top_k", "top_p", "rope",
                             "model", "tokens_sha256", "seconds", "sha256", "index", "line"}) {
      EXPECT_NE(line.find(name), nullptr) << name;
    }
  }
}

// Resuming: the files are the same wherever a run stops and however it continues.
TEST_F(BatchRunTest, StoppingAnywhereChangesNoFile) {
  const auto whole = run(3, 1).files;
  for (int stop = 0; stop <= kPictures; ++stop) {
    std::filesystem::remove_all(scratch / "out");
    const Result first = run(1 + stop % 4, stop, stop);
    const Result second = run(2, 77);
    EXPECT_EQ(second.files, whole) << stop;
    EXPECT_EQ(first.counts.drawn + second.counts.drawn, kPictures);
    EXPECT_EQ(second.counts.done_before, first.counts.drawn);
    EXPECT_EQ(run(2, 5).counts.drawn, 0);
  }
}

TEST_F(BatchRunTest, ShardsTogetherAreTheWhole) {
  const auto whole = run(3, 1).files;
  for (int64_t count : {2, 3, 5, 16}) {
    std::filesystem::remove_all(scratch / "out");
    int64_t drawn = 0;
    std::map<std::string, std::string> files;
    for (int64_t i = 0; i < count; ++i) {
      const Result part = run(2, static_cast<uint32_t>(i), 1'000'000, {i, count});
      drawn += part.counts.drawn;
      files = part.files;
    }
    EXPECT_EQ(files, whole) << count;
    EXPECT_EQ(drawn, kPictures);
    // A run with another number of shards finds everything done.
    EXPECT_EQ(run(2, 0, 1'000'000, {1, count + 1}).counts.drawn, 0);
  }
}

TEST_F(BatchRunTest, EditedPromptFilesCostOnlyWhatChanged) {
  run(2, 1);
  const Result edited =
      run(2, 1, 1'000'000, {}, "new one\na dog --cfg 4\na cat --seed 3 --count 3\na fox --cfg 3\n");
  EXPECT_EQ(edited.counts.drawn, 2);
  EXPECT_EQ(edited.counts.done_before, 4);
  const Result changed = run(2, 1, 1'000'000, {}, "another bird --id bird\n");
  EXPECT_EQ(changed.counts.changed, 1);
  EXPECT_EQ(changed.files.at("bird.png").substr(0, 12), "another bird");
}

TEST_F(BatchRunTest, AFullDiskStopsTheRunAndTheNextFinishesIt) {
  // With RLIMIT_FSIZE, writes beyond the limit fail as on a full disk.
  signal(SIGXFSZ, SIG_IGN);
  const std::string prompts = "a --output big.png\n";
  run(1, 1);
  struct rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const struct rlimit small = {3, before.rlim_max};
  JobStream jobs(PromptReader(stream_of(prompts), PromptFormat::kText, {}), {});
  Store store({.directory = out()});
  BatchRun batch(jobs, store, setup());
  auto job = batch.take();
  ASSERT_TRUE(job);
  setrlimit(RLIMIT_FSIZE, &small);
  batch.deliver(draw(*job));
  std::optional<ErrorKind> kind;
  try {
    batch.finish();
  } catch (const Error& error) {
    kind = error.kind();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(kind, ErrorKind::kCannotWrite);
  EXPECT_TRUE(batch.broken());
  EXPECT_FALSE(std::filesystem::exists(scratch / "out/big.png"));
  EXPECT_TRUE(std::filesystem::is_empty(scratch / "out/.bifrons/parts"));
}

TEST_F(BatchRunTest, ResultsNobodyAskedForAreAContractBroken) {
  JobStream jobs(PromptReader(stream_of("a\n"), PromptFormat::kText, {}), {});
  Store store({.directory = out()});
  BatchRun batch(jobs, store, setup());
  EXPECT_THROW(batch.deliver({99, std::nullopt, Error(ErrorKind::kData, "x"), 1}), ContractError);
}

// What an engine cannot complete is a failed picture, and the next one is taken.
TEST_F(BatchRunTest, APictureThatCannotBeCompletedFailsAlone) {
  JobStream jobs(PromptReader(stream_of("a\nb\nc\n"), PromptFormat::kText, {}), {});
  Store store({.directory = out()});
  BatchSetup s = setup();
  std::vector<std::string> said;
  s.on_failure = [&](const LinePlace& place, const std::string& reason) {
    said.push_back(std::to_string(place.line) + " " + reason);
  };
  BatchRun batch(jobs, store, s);
  const BatchRun::Complete complete = [](const PictureJob& job, DrawRequest& request) {
    if (job.line == 2) throw Error(ErrorKind::kData, "no picture");
    if (job.line == 3) throw Error(ErrorKind::kUnavailable, "no memory");
    request.prompt += " completed";
  };
  const auto first = batch.take(complete);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->request.prompt, "a completed");
  EXPECT_THROW(batch.take(complete), Error) << "this concerns the machine";
  EXPECT_EQ(said, std::vector<std::string>{"2 no picture"});
  EXPECT_EQ(batch.counts().failed, 1);
}

TEST_F(BatchRunTest, StopsGivingOutWhenAsked) {
  JobStream jobs(PromptReader(stream_of(kPrompts), PromptFormat::kText, {}), {});
  Store store({.directory = out()});
  BatchSetup s = setup();
  bool stop = false;
  s.stop = [&stop] { return stop; };
  BatchRun batch(jobs, store, s);
  EXPECT_TRUE(batch.take());
  stop = true;
  EXPECT_FALSE(batch.take());
}

}  // namespace
}  // namespace bifrons::testing
