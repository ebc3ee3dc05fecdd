// Best-of-N in a batch, with a toy model that draws and judges. It must keep what draw_best()
// keeps, whatever other pictures are in the batch.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "src/batch/candidates.h"
#include "src/store/listing.h"
#include "tests/support/byte_streams.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

constexpr int64_t kCount = 3;

std::string toy() { return golden::directory() + "toy-sees"; }

EngineOptions options_of(const std::string& model, bool decode_beside = false) {
  EngineOptions options;
  options.model = model;
  options.threads = 1;
  options.pictures_at_once = 4;
  options.decode_beside = decode_beside;
  return options;
}

struct Sees {
  explicit Sees(const EngineOptions& options)
      : engine(Engine::open(options)), understanding(Understanding::open(engine)) {}
  Engine engine;
  Understanding understanding;
};

// Two prompts with one picture each and one prompt with several, with the seed of each picture's
// first candidate.
const std::string kBestOfPrompts =
    "a red cat --seed 5 --id cat\na hat --seed 90 --count 3 --id hat\nfox --seed 7 --id fox\n";
const std::map<std::string, DrawRequest> kRequests = {
    {"cat.png", {.prompt = "a red cat", .seed = 5}},
    {"hat-0001.png", {.prompt = "a hat", .seed = 90}},
    {"hat-0002.png", {.prompt = "a hat", .seed = 93}},
    {"hat-0003.png", {.prompt = "a hat", .seed = 96}},
    {"fox.png", {.prompt = "fox", .seed = 7}}};

// What the manifest and the file must contain for a choice.
struct Allowed {
  json choice;
  uint64_t seed = 0;
  std::string pixels;
  bool operator==(const Allowed&) const = default;
};

std::string text_of(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

Allowed kept_of(const ChosenDrawing& chosen) {
  return {json::parse(choice_json(chosen)), chosen.candidates[chosen.kept].seed,
          text_of(chosen.drawing.picture.rgb)};
}

class BestOf : public ::testing::Test {
 protected:
  // A whole run in scratch/out, or one that stops after `steps` steps.
  BatchCounts run(Sees& sees, int lanes, int64_t steps = 1'000'000) const {
    JobOptions asked;
    asked.best_of = kCount;
    asked.question = sees.understanding.match_template();
    JobStream jobs(PromptReader(stream_of(kBestOfPrompts), PromptFormat::kText, {}), asked);
    Store store({.directory = out()});
    BatchSetup setup;
    setup.directory = out();
    setup.model = sees.engine.model();
    setup.encode = [](const DrawnPicture& drawn) { return drawn.drawing.picture.rgb; };
    BatchRun batch(jobs, store, setup);
    CandidateOptions options{.count = kCount, .question = asked.question};
    options.judge = [&sees](const Picture& picture, std::string_view question) {
      return sees.understanding.judge(picture, question);
    };
    Candidates candidates(batch, std::move(options));
    sees.engine.draw_batch(
        [&] { return candidates.take(); },
        [&](BatchResult result) { candidates.deliver(std::move(result)); },
        {.lanes = lanes, .progress = [&](const BatchProgress&) { return --steps > 0; }});
    candidates.finish();
    batch.finish();
    return batch.counts();
  }

  std::map<std::string, Allowed> found() const {
    std::map<std::string, Allowed> all;
    for (const ListedPicture& picture : list_pictures(out())) {
      const json line = json::parse(picture.line);
      all[picture.entry.file_name] = {line["best_of"], line["seed"],
                                      scratch.read("out/" + picture.entry.file_name)};
    }
    return all;
  }

  std::string out() const { return (scratch / "out").string(); }
  void clear() const { std::filesystem::remove_all(scratch / "out"); }

  const TemporaryDirectory scratch;
};

TEST_F(BestOf, IsWhatDrawBestKeepsInAnyNumberOfLanes) {
  std::map<std::string, Allowed> expected;
  {
    Sees sees(options_of(toy()));
    for (const auto& [name, request] : kRequests) {
      expected[name] = kept_of(draw_best(sees.engine, sees.understanding, request, kCount));
    }
  }
  for (const bool decode_beside : {false, true}) {
    Sees sees(options_of(toy(), decode_beside));
    for (const int lanes : {1, 2, 3, 7}) {
      clear();
      EXPECT_EQ(run(sees, lanes).drawn, static_cast<int64_t>(kRequests.size()));
      EXPECT_EQ(found(), expected) << lanes << " lanes, decoding beside: " << decode_beside;
    }
  }
}

TEST_F(BestOf, GoesOnToTheSameFilesWhereverItStopped) {
  Sees sees(options_of(toy()));
  run(sees, 2);
  const auto whole = found();
  ASSERT_EQ(whole.size(), kRequests.size());
  int64_t before = 0;
  for (const int64_t steps : {1, 10, 17, 40, 60, 80, 100}) {
    clear();
    const BatchCounts first = run(sees, 3, steps);
    EXPECT_LE(first.drawn, steps / 16) << "three lanes draw three candidates in 16 steps";
    const BatchCounts second = run(sees, 7);
    EXPECT_EQ(second.done_before, first.drawn);
    EXPECT_EQ(first.drawn + second.drawn, static_cast<int64_t>(kRequests.size()));
    EXPECT_EQ(found(), whole) << steps;
    before += first.drawn;
  }
  EXPECT_GT(before, 0) << "some of them stopped with pictures done";
}

// The embedding of one image code is NaN, so candidates that draw this code before their end fail.
TEST_F(BestOf, CandidatesThatFailAreLeftOut) {
  Sees whole(options_of(toy()));
  const auto tokens_of = [&](const DrawRequest& request, int64_t i) {
    DrawRequest candidate = request;
    candidate.seed += static_cast<uint64_t>(i);
    return whole.engine.draw({&candidate, 1})[0].tokens;
  };
  const auto draws = [](const std::vector<int32_t>& tokens, int32_t code) {
    return std::find(tokens.begin(), tokens.end() - 1, code) != tokens.end() - 1;
  };
  // A code that the kept candidate of the first picture draws, and not all other candidates draw.
  const DrawRequest& cat = kRequests.at("cat.png");
  const ChosenDrawing best = draw_best(whole.engine, whole.understanding, cat, kCount);
  int32_t code = -1;
  for (const int32_t each : best.drawing.tokens) {
    const bool another =
        !draws(tokens_of(cat, (static_cast<int64_t>(best.kept) + 1) % kCount), each);
    if (another && draws(best.drawing.tokens, each)) code = each;
  }
  ASSERT_GE(code, 0);

  const std::string model = (scratch / "model").string();
  std::filesystem::copy(toy(), model, std::filesystem::copy_options::recursive);
  std::string bytes = scratch.read("model/model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const auto header = json::parse(bytes.substr(8, length));
  const auto& embedding = header.at("gen_embed.weight");
  const uint64_t begin = embedding.at("data_offsets").at(0), columns = embedding.at("shape").at(1);
  ASSERT_EQ(embedding.at("dtype"), "BF16");
  const uint16_t nan = 0x7fc0;
  std::memcpy(bytes.data() + 8 + length + begin + code * columns * 2, &nan, 2);
  scratch.write("model/model.safetensors", bytes);

  std::map<std::string, Allowed> expected;
  for (const auto& [name, request] : kRequests) {
    std::vector<DrawRequest> left;
    for (int64_t i = 0; i < kCount; ++i) {
      if (draws(tokens_of(request, i), code)) continue;
      left.push_back(request);
      left.back().seed += static_cast<uint64_t>(i);
    }
    if (left.empty()) continue;  // the picture fails
    expected[name] = kept_of(choose_best(whole.understanding, left, whole.engine.draw(left)));
  }
  ASSERT_TRUE(expected.contains("cat.png"));
  EXPECT_NE(expected.at("cat.png"), kept_of(best));
  Sees damaged(options_of(model));
  for (const int lanes : {1, 3, 7}) {
    clear();
    const BatchCounts counts = run(damaged, lanes);
    EXPECT_EQ(counts.drawn, static_cast<int64_t>(expected.size()));
    EXPECT_EQ(counts.drawn + counts.failed, static_cast<int64_t>(kRequests.size()));
    EXPECT_EQ(found(), expected) << lanes;
  }
}

}  // namespace
}  // namespace bifrons::testing
