// Best-of-N with a fake engine, a fake judge and a real directory.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "src/batch/candidates.h"
#include "src/store/listing.h"
#include "tests/batch/pretended.h"
#include "tests/support/byte_streams.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

constexpr int64_t kCandidates = 4;
constexpr const char* kQuestion = "is it {prompt}?";

// Every second candidate of "some" fails, and every candidate of "none".
const std::string kCandidatePrompts =
    "a fox --seed 5\na cat --seed 3 --count 3\nbad --seed x\nsome --id some --seed 8\n"
    "a bird --id bird --seed 1\nnone --id none --seed 2\nunseen --id unseen --seed 40\n";
constexpr int kKeptPictures = 7;  // number of pictures with a file

std::string shown(const DrawRequest& request) {
  return request.prompt + " " + std::to_string(request.seed);
}

BatchResult draw(const BatchJob& job) {
  const DrawRequest& request = job.request;
  if (request.prompt == "none" || (request.prompt == "some" && request.seed % 2 == 0)) {
    return {job.id, std::nullopt,
            Error(ErrorKind::kData, "not finite with seed " + std::to_string(request.seed)), 2};
  }
  return pretended_result(job.id, shown(request));
}

// One of five scores, so that ties occur. One candidate cannot be judged.
Judgement judge(const std::string& picture, std::string_view question) {
  if (picture == "unseen 41") throw Error(ErrorKind::kData, "cannot look at it");
  const uint64_t sum = ManifestIndex::hash(picture + std::string(question)) % 5;
  return {static_cast<double>(sum) / 8, 0.5};
}

std::string text_of(const Picture& picture) { return {picture.rgb.begin(), picture.rgb.end()}; }

struct CandidateRun {
  BatchCounts counts;
  std::vector<std::string> failures;
  std::map<std::string, std::string> files;
  std::map<std::string, json> lines;  // lines of the manifest, without durations
};

class CandidatesTest : public ::testing::Test {
 protected:
  std::string out() const { return (scratch / "out").string(); }

  BatchSetup setup(Shard shard = {}) const {
    BatchSetup s = pretended_setup(out(), shard);
    // The "file" contains everything that is known of the picture.
    s.encode = [](const DrawnPicture& drawn) {
      EXPECT_EQ(shown(drawn.job.request), text_of(drawn.drawing.picture));
      const std::string text = text_of(drawn.drawing.picture) + choice_json(*drawn.choice);
      return std::vector<uint8_t>(text.begin(), text.end());
    };
    return s;
  }

  static JobStream jobs(const std::string& prompts = kCandidatePrompts,
                        int64_t count = kCandidates) {
    JobOptions options;
    options.best_of = count;
    options.question = kQuestion;
    return JobStream(PromptReader(stream_of(prompts), PromptFormat::kText, {}), options);
  }

  static CandidateOptions options(int64_t count = kCandidates) {
    CandidateOptions o{.count = count, .question = kQuestion};
    o.judge = [](const Picture& picture, std::string_view question) {
      return judge(text_of(picture), question);
    };
    return o;
  }

  // Up to `lanes` candidates at once are returned in random order. Stops after `most` deliveries.
  CandidateRun run(size_t lanes, uint32_t order, int most = 1'000'000, Shard shard = {}) const {
    CandidateRun result;
    JobStream stream = jobs();
    Store store({.directory = out(), .shard = shard.index, .shards = shard.count});
    BatchSetup s = setup(shard);
    s.on_failure = [&](const LinePlace& place, const std::string& reason) {
      result.failures.push_back(std::to_string(place.line) + " " + reason);
    };
    BatchRun batch(stream, store, s);
    Candidates candidates(batch, options());
    std::mt19937 random(order);
    std::vector<BatchJob> busy;
    bool dry = false;
    for (int delivered = 0; delivered < most; ++delivered) {
      while (!dry && busy.size() < lanes) {
        auto job = candidates.take();
        dry = !job;
        if (job) busy.push_back(std::move(*job));
      }
      if (busy.empty()) break;
      std::swap(busy[random() % busy.size()], busy.back());
      candidates.deliver(draw(busy.back()));
      busy.pop_back();
    }
    candidates.finish();
    batch.finish();
    result.counts = batch.counts();
    for (const ListedPicture& picture : list_pictures(out())) {
      result.files[picture.entry.file_name] = scratch.read("out/" + picture.entry.file_name);
      json line = json::parse(picture.line);
      line.erase("seconds");
      line.erase("crc32");
      result.lines[picture.entry.file_name] = line;
    }
    return result;
  }

  TemporaryDirectory scratch;
};

// Expected result of one picture, computed independently of the code above.
json expected_choice(const std::string& prompt, uint64_t first_seed) {
  const std::string question = "is it " + prompt + "?";
  json expected = {{"question", question}, {"candidates", json::array()}};
  double best = -1;
  for (uint64_t seed = first_seed; seed < first_seed + kCandidates; ++seed) {
    const DrawRequest request{.prompt = prompt, .seed = seed};
    if (draw({0, request}).error || shown(request) == "unseen 41") continue;
    const Judgement judged = judge(shown(request), question);
    expected["candidates"].push_back(
        {{"seed", seed}, {"score", judged.score()}, {"yes", judged.yes}, {"no", judged.no}});
    if (judged.score() <= best) continue;
    best = judged.score();
    expected["kept"] = seed;
  }
  return expected;
}

TEST_F(CandidatesTest, TheBestOfEachIsKeptAndEverythingIsSaid) {
  const CandidateRun result = run(3, 1);
  EXPECT_EQ(result.counts.drawn, kKeptPictures);
  EXPECT_EQ(result.counts.failed, 1);
  EXPECT_EQ(result.counts.bad_lines, 1);
  EXPECT_EQ(result.counts.taken, kKeptPictures + 1) << "pictures, not candidates";
  ASSERT_EQ(result.lines.size(), size_t{kKeptPictures});
  std::map<std::string, std::set<uint64_t>> firsts;
  for (const auto& [name, line] : result.lines) {
    const std::string prompt = line["text"];
    const uint64_t first = (prompt == "a cat"    ? 3
                            : prompt == "a fox"  ? 5
                            : prompt == "some"   ? 8
                            : prompt == "a bird" ? 1
                                                 : 40) +
                           kCandidates * (line["number"].get<uint64_t>() - 1);
    EXPECT_TRUE(firsts[prompt].insert(first).second);
    const json expected = expected_choice(prompt, first);
    EXPECT_EQ(line["best_of"], expected) << name;
    EXPECT_EQ(line["seed"], expected["kept"]) << name;
    EXPECT_TRUE(result.files.at(name).starts_with(prompt + " " + expected["kept"].dump() + "{"));
  }
  EXPECT_EQ(firsts["a cat"], (std::set<uint64_t>{3, 7, 11}));
  EXPECT_EQ(result.lines.at("some.png")["best_of"]["candidates"].size(), 2u);
  EXPECT_EQ(result.lines.at("unseen.png")["best_of"]["candidates"].size(), 3u);
  ASSERT_EQ(result.failures.size(), 2u);
  EXPECT_EQ(result.failures[1], "6 not finite with seed 2") << "the first candidate's reason";
}

TEST_F(CandidatesTest, LanesAndOrderChangeNothing) {
  const CandidateRun whole = run(1, 0);
  for (const size_t lanes : {1, 2, 3, 7, 40}) {
    for (uint32_t order = 1; order < 6; ++order) {
      std::filesystem::remove_all(scratch / "out");
      const CandidateRun result = run(lanes, order);
      EXPECT_EQ(result.files, whole.files) << lanes << " " << order;
      EXPECT_EQ(result.lines, whole.lines) << lanes << " " << order;
      EXPECT_EQ(result.failures, whole.failures);
    }
  }
}

// Resuming after every candidate gives the same files.
TEST_F(CandidatesTest, StoppingAnywhereChangesNoFile) {
  const CandidateRun whole = run(3, 1);
  for (int stop = 0; stop <= (kKeptPictures + 1) * kCandidates; ++stop) {
    std::filesystem::remove_all(scratch / "out");
    const CandidateRun first = run(1 + stop % 7, stop, stop);
    EXPECT_LE(first.counts.drawn, stop / kCandidates)
        << "no picture is kept before all have been judged";
    const CandidateRun second = run(2, 77);
    EXPECT_EQ(second.files, whole.files) << stop;
    EXPECT_EQ(second.lines, whole.lines) << stop;
    EXPECT_EQ(first.counts.drawn + second.counts.drawn, kKeptPictures);
    EXPECT_EQ(second.counts.done_before, first.counts.drawn);
    EXPECT_EQ(run(2, 5).counts.drawn, 0);
  }
}

TEST_F(CandidatesTest, ShardsTogetherAreTheWhole) {
  const CandidateRun whole = run(3, 1);
  for (const int64_t count : {2, 3, 16}) {
    std::filesystem::remove_all(scratch / "out");
    CandidateRun part;
    for (int64_t i = 0; i < count; ++i) {
      part = run(2, static_cast<uint32_t>(i), 1'000'000, {i, count});
    }
    EXPECT_EQ(part.files, whole.files) << count;
  }
}

// Delivered candidates are judged when the engine next asks for a job, however many candidates a
// picture has.
TEST_F(CandidatesTest, NothingDeliveredWaitsForTheRestOfItsPicture) {
  constexpr int64_t kMany = 100;
  JobStream stream = jobs("a fox\na cat\n", kMany);
  Store store({.directory = out()});
  BatchRun batch(stream, store, setup());
  CandidateOptions o = options(kMany);
  int64_t judged = 0;
  o.judge = [&judged](const Picture& picture, std::string_view question) {
    ++judged;
    return judge(text_of(picture), question);
  };
  Candidates candidates(batch, std::move(o));
  int64_t delivered = 0;
  while (const auto job = candidates.take()) {
    EXPECT_EQ(judged, delivered);
    candidates.deliver(draw(*job));
    ++delivered;
  }
  candidates.finish();
  EXPECT_EQ(judged, 2 * kMany);
  batch.finish();
  EXPECT_EQ(batch.counts().drawn, 2);
}

TEST_F(CandidatesTest, AfterAStopNothingIsGivenOutOrJudged) {
  JobStream stream = jobs();
  Store store({.directory = out()});
  BatchRun batch(stream, store, setup());
  CandidateOptions o = options(2);
  bool stop = false;
  int judged = 0;
  o.judge = [&judged](const Picture&, std::string_view) {
    ++judged;
    return Judgement{0.5, 0.5};
  };
  o.stop = [&stop] { return stop; };
  Candidates candidates(batch, std::move(o));
  const auto first = candidates.take(), second = candidates.take(), third = candidates.take();
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(second->request.seed, first->request.seed + 1);
  candidates.deliver(draw(*first));
  candidates.deliver(draw(*second));
  stop = true;
  EXPECT_FALSE(candidates.take()) << "in the middle of a picture";
  candidates.finish();
  EXPECT_EQ(judged, 0);
  batch.finish();
  EXPECT_EQ(batch.counts().drawn, 0);
}

TEST_F(CandidatesTest, WhatIsWrongWithTheMachineComesOut) {
  JobStream stream = jobs();
  Store store({.directory = out()});
  BatchRun batch(stream, store, setup());
  CandidateOptions o = options();
  o.judge = [](const Picture&, std::string_view) -> Judgement {
    throw Error(ErrorKind::kUnavailable, "no memory");
  };
  Candidates candidates(batch, std::move(o));
  const auto job = candidates.take();
  ASSERT_TRUE(job);
  candidates.deliver(draw(*job));
  try {
    candidates.take();
    FAIL() << "the judge has no memory";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
  }
}

TEST_F(CandidatesTest, ResultsNobodyAskedForAreAContractBroken) {
  JobStream stream = jobs();
  Store store({.directory = out()});
  BatchRun batch(stream, store, setup());
  Candidates candidates(batch, options());
  candidates.deliver({99, std::nullopt, Error(ErrorKind::kData, "x"), 1});
  EXPECT_THROW(candidates.take(), ContractError);
}

}  // namespace
}  // namespace bifrons::testing
