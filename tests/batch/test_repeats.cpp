// Lines that repeat each other: every requested picture is drawn or listed.
#include <gtest/gtest.h>

#include <set>

#include "src/engine/seeds.h"
#include "src/io/json.h"
#include "src/store/listing.h"
#include "src/store/merge.h"
#include "src/store/random_base.h"
#include "tests/batch/listed_jobs.h"
#include "tests/batch/pretended.h"
#include "tests/support/byte_streams.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

// The drawn pictures, and the ones that are listed again.
struct Drawn {
  std::vector<PictureJob> drawn;
  std::vector<PictureJob> repeats;
  std::vector<BadLine> bad;

  std::vector<uint64_t> seeds() const {
    std::vector<uint64_t> found;
    for (const PictureJob& job : drawn) found.push_back(job.request.seed);
    return found;
  }
};

Drawn drawn_of(const std::string& text, const JobOptions& options = {},
               PromptFormat format = PromptFormat::kText) {
  Jobs listed = jobs_of(text, options, format);
  Drawn all{{}, {}, std::move(listed.bad)};
  for (PictureJob& job : listed.jobs) {
    (job.repeat > 0 ? all.repeats : all.drawn).push_back(std::move(job));
  }
  EXPECT_EQ(listed.duplicates, std::ssize(all.repeats));
  return all;
}

using Seeds = std::vector<uint64_t>;

TEST(Repeats, CountOnFromThePromptsOwnSeed) {
  const uint64_t fox = seed_of_prompt("a fox"), cat = seed_of_prompt("a cat");
  EXPECT_EQ(drawn_of("a fox\na cat\na fox\na fox\n").seeds(), (Seeds{fox, cat, fox + 1, fox + 2}));
  EXPECT_EQ(drawn_of("a fox --count 4\na fox --count 4\n").seeds(),
            drawn_of("a fox --count 8\n").seeds());
  const JobOptions given{.seed = 7};
  EXPECT_EQ(drawn_of("a fox\na cat\na fox\n", given).seeds(), (Seeds{7, 7, 8}));
  const JobOptions judged{.seed = 7, .best_of = 4};
  EXPECT_EQ(drawn_of("a fox\na fox\n", judged).seeds(), (Seeds{7, 11}));
}

TEST(Repeats, InAnyFormatAndUnderAnyName) {
  const uint64_t fox = seed_of_prompt("a fox");
  const Drawn table = drawn_of("id,prompt\nx,a fox\ny,a fox\n", {}, PromptFormat::kCsv);
  EXPECT_EQ(table.seeds(), (Seeds{fox, fox + 1}));
  EXPECT_EQ(table.drawn.at(1).file_name, "y.png");
  const Drawn lines = drawn_of(
      "{\"prompt\":\"a fox\",\"output\":\"d/x.jpg\"}\n{\"caption\":\"a "
      "fox\",\"n\":2,\"id\":\"y\"}\n",
      {}, PromptFormat::kJsonLines);
  EXPECT_EQ(lines.seeds(), (Seeds{fox, fox + 1, fox + 2}));
}

// The same seed with other settings gives another picture, so it is no repeat.
TEST(Repeats, AreOfPromptAndSettings) {
  const uint64_t fox = seed_of_prompt("a fox");
  EXPECT_EQ(drawn_of("a fox\na fox --cfg 4\na fox --temp 0.5\na fox --negative_prompt x\n"
                     "a fox --cfg 4\n")
                .seeds(),
            (Seeds{fox, fox, fox, fox, fox + 1}));
}

// A line without a seed never takes a seed of an earlier line, whether the user or the program
// chose that seed.
TEST(Repeats, StepAsideForSeedsThatWereSaid) {
  const JobOptions given{.seed = 1};
  EXPECT_EQ(
      drawn_of("a fox --seed 1\na fox --seed 2\na fox\na fox --seed 3\na fox\n", given).seeds(),
      (Seeds{1, 2, 3, 4}));
}

TEST(Repeats, WithTheSameSeedAreListedNotDrawn) {
  const Drawn all = drawn_of("a fox --seed 7\na fox --seed 7 --count 2\na fox --seed 8\n");
  EXPECT_EQ(all.seeds(), (Seeds{7, 8}));
  ASSERT_EQ(all.repeats.size(), 2u);
  EXPECT_EQ(all.repeats[0].file_name, all.drawn[0].file_name);
  EXPECT_EQ(all.repeats[0].repeat, 1);
  EXPECT_EQ(all.repeats[0].line, 2);
  EXPECT_EQ(all.repeats[1].drawn_index, all.drawn[1].index);
  // The same picture under another name is a separate file.
  const Drawn named = drawn_of("a fox --seed 7 --id x\na fox --seed 7 --id y\n");
  EXPECT_EQ(named.drawn.size(), 2u);
  EXPECT_EQ(named.drawn[0].key, named.drawn[1].key);
}

// A name pattern for the whole batch is not a line's own name, unless it contains the line's id.
TEST(Repeats, UnderPatterns) {
  const uint64_t fox = seed_of_prompt("a fox");
  const std::string equal = "a fox --id x\na fox --id x\n";
  const auto jobs = [](const std::string& text, const std::string& pattern) {
    return drawn_of(text, {.name = pattern});
  };
  for (const char* apart : {"{index}.png", "{seed}.png", "{id}-{index}.png", "{id}-{seed}.png"}) {
    EXPECT_EQ(jobs(equal, apart).seeds(), (Seeds{fox, fox + 1})) << apart;
  }
  EXPECT_EQ(jobs(equal, "{id}/{number:04}.png").repeats.size(), 1u);
  const Drawn clash = jobs(equal, "{slug}.png");
  EXPECT_EQ(clash.seeds(), Seeds{fox});
  ASSERT_EQ(clash.bad.size(), 1u);
  EXPECT_NE(clash.bad[0].reason.find("already gives a picture named \"a-fox.png\""),
            std::string::npos)
      << clash.bad[0].reason;

  const auto outputs = [](const std::string& output) {
    const std::string line = "{\"prompt\":\"a fox\",\"output\":\"" + output + "\"}\n";
    return drawn_of(line + line, {}, PromptFormat::kJsonLines);
  };
  EXPECT_EQ(outputs("{seed}.png").seeds(), (Seeds{fox, fox + 1}));
  EXPECT_EQ(outputs("{line}.png").seeds(), (Seeds{fox, fox + 1}));
  EXPECT_EQ(outputs("{slug}/{number}.png").repeats.size(), 1u);
}

// Templates are compared after expansion, for prompt and negative prompt.
TEST(Repeats, OfFilledInTemplates) {
  const JobOptions options{.seed = 1, .expand = true, .combinatorial = true};
  const Drawn all = drawn_of(
      "a {fox|cat} --negative_prompt {x|y}\na fox --negative_prompt y\na fox --negative_prompt z\n",
      options);
  EXPECT_EQ(all.seeds(), (Seeds{1, 2, 3, 4, 1, 1}));
  const Drawn again = drawn_of(
      "a {fox|cat} --negative_prompt {x|y}\na fox --negative_prompt y --seed 2\n", options);
  EXPECT_EQ(again.repeats.size(), 1u);
}

TEST(Repeats, OverSeveralFiles) {
  auto next = [files = std::vector<std::string>{"a fox\n", "a fox\na cat --seed 3\n",
                                                "a cat --seed 3\na fox --id ..\n"},
               at = size_t{0}]() mutable -> std::optional<PromptFile> {
    if (at == files.size()) return std::nullopt;
    PromptFile file{"f" + std::to_string(at) + ".txt"};
    file.stream = stream_of(files[at++]);
    return file;
  };
  JobStream stream(PromptReader(next, {}), {});
  std::string found;
  while (auto item = stream.next()) {
    std::visit([&](const auto& each) { found += each.file + " "; }, *item);
    if (const auto* job = std::get_if<PictureJob>(&*item)) {
      found += job->repeat > 0
                   ? "again\n"
                   : std::to_string(job->request.seed - seed_of_prompt(job->request.prompt)) + "\n";
    }
  }
  const std::string cat = std::to_string(3 - seed_of_prompt("a cat"));
  EXPECT_EQ(found, "f0.txt 0\nf1.txt 1\nf1.txt " + cat + "\nf2.txt again\nf2.txt ");
}

// A line that asks for the same file again does not ask for another picture.
TEST(Repeats, OfANameThatIsAskedForAgain) {
  const uint64_t fox = seed_of_prompt("a fox");
  const Drawn all =
      drawn_of("a fox --id x\na fox --id y\na fox --id x\na fox --id y\na fox\na fox --id Y\n");
  EXPECT_EQ(all.seeds(), (Seeds{fox, fox + 1, fox + 2}));
  EXPECT_EQ(all.repeats.size(), 2u);
  EXPECT_EQ(all.bad.size(), 1u) << "Y.png would be y.png on some disks";
}

// Pictures beyond the named files are additional ones. They differ from those of all other lines.
TEST(Repeats, OfANameThatIsAskedForAgainWithMore) {
  const uint64_t fox = seed_of_prompt("a fox");
  const std::string lines =
      "a fox --id x --count 2\na fox --id y\na fox --id x --count 4\na fox --id z\n";
  const Drawn all = drawn_of(lines + "a fox --id x --count 5\n");
  EXPECT_EQ(all.seeds(), (Seeds{fox, fox + 1, fox + 2, fox + 3, fox + 4, fox + 5, fox + 6}));
  EXPECT_EQ(all.repeats.size(), 6u);
  EXPECT_TRUE(all.bad.empty()) << all.bad.front().reason;
  for (const PictureJob& job : all.repeats) {
    for (const PictureJob& first : all.drawn) {
      const bool same = first.file_name == job.file_name;
      EXPECT_EQ(same, first.request.seed == job.request.seed) << job.file_name;
    }
  }
}

TEST(Repeats, OfTemplates) {
  JobOptions options{.expand = true};
  const auto prompts = [](const Drawn& jobs) {
    std::vector<std::string> found;
    for (const PictureJob& job : jobs.drawn) found.push_back(job.request.prompt);
    return found;
  };
  const std::string line = "a {red|blue|green} fox --count 5\n";
  const Drawn twice = drawn_of(line + line, options);
  const Drawn once = drawn_of("a {red|blue|green} fox --count 10\n", options);
  EXPECT_EQ(twice.seeds(), once.seeds());
  EXPECT_EQ(prompts(twice), prompts(once));

  options.combinatorial = true;
  options.seed = 1;
  // Templates with equal expansions. A red fox of seed 1 exists already.
  const Drawn all = drawn_of("a red fox\na {red|blue} fox\na {red|blue} fox\n", options);
  EXPECT_EQ(prompts(all), (std::vector<std::string>{"a red fox", "a red fox", "a blue fox",
                                                    "a red fox", "a blue fox"}));
  std::set<std::pair<std::string, uint64_t>> distinct;
  for (const PictureJob& job : all.drawn) distinct.insert({job.request.prompt, job.request.seed});
  EXPECT_EQ(distinct.size(), 5u);
}

TEST(Repeats, ManyEqualLinesAreAsManyPictures) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "a fox\n";
  JobStream stream(PromptReader(stream_of(text), PromptFormat::kText, {}), {});
  uint64_t expected = seed_of_prompt("a fox");
  while (auto item = stream.next()) {
    ASSERT_EQ(std::get<PictureJob>(*item).request.seed, expected++);
  }
  EXPECT_EQ(expected, seed_of_prompt("a fox") + 200'000);
}

TEST(Repeats, SeedsNeverWrap) {
  const std::string last = std::to_string(kLargestSeed);
  const Drawn all = drawn_of("a --seed " + last + "\nb --seed " + last + " --count 2\n");
  EXPECT_EQ(all.seeds(), (Seeds{kLargestSeed}));
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_NE(all.bad[0].reason.find("go past the largest one; take a seed up to "
                                   "18446744073709551614"),
            std::string::npos)
      << all.bad[0].reason;
  const Drawn given = drawn_of("a\na\n", {.seed = kLargestSeed});
  EXPECT_EQ(given.drawn.size(), 1u);
  EXPECT_EQ(given.bad.size(), 1u) << "there is no seed left for another picture";
  const Drawn judged = drawn_of("a --seed 18446744073709551613\n", {.best_of = 4});
  EXPECT_EQ(judged.bad.size(), 1u);
}

TEST(Repeats, ASeedOfMinusOneIsRandomButTheDirectorysOwn) {
  JobOptions options{.seed = 5};
  const std::string text = "a fox --seed -1\na fox --seed -1 --count 2\na cat\n";
  options.random_base = [](const PictureJob&) { return 12345; };
  const Seeds seeds = drawn_of(text, options).seeds();
  ASSERT_EQ(seeds.size(), 4u);
  EXPECT_EQ(seeds[3], 5u);
  EXPECT_NE(seeds[0], seed_of_prompt("a fox"));
  EXPECT_EQ(std::set(seeds.begin(), seeds.end()).size(), 4u);
  EXPECT_EQ(drawn_of(text, options).seeds(), seeds);
  options.random_base = [](const PictureJob&) { return 54321; };
  EXPECT_NE(drawn_of(text, options).seeds()[0], seeds[0]);
  options.random_base = [](const PictureJob& as_before) {
    EXPECT_EQ(as_before.request.seed, seed_of_prompt("a fox"));
    return 0;
  };
  EXPECT_EQ(drawn_of(text, options).seeds()[0], seed_of_prompt("a fox")) << "as it was before";
  options.random_seed = true;
  options.random_base = [](const PictureJob&) { return 12345; };
  EXPECT_NE(drawn_of(text, options).seeds()[3], 5u);
}

}  // namespace
}  // namespace bifrons::testing
