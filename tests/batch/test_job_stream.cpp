// From lines to pictures: which settings are part of a picture's identity.
#include <gtest/gtest.h>

#include <map>

#include "tests/batch/listed_jobs.h"

namespace bifrons::testing {
namespace {

std::map<std::string, std::string> names_and_keys(const std::string& text) {
  std::map<std::string, std::string> found;
  for (const PictureJob& job : jobs_of(text).jobs) found[job.file_name] = job.key;
  return found;
}

TEST(JobStream, SeedsOfTheLineTheBatchOrThePrompt) {
  JobOptions options;
  const auto own = jobs_of("a fox --seed 7 --count 3\na cat\n", options);
  ASSERT_EQ(own.jobs.size(), 4u);
  EXPECT_EQ(own.jobs[0].request.seed, 7u);
  EXPECT_EQ(own.jobs[2].request.seed, 9u);
  EXPECT_EQ(own.jobs[3].request.seed, seed_of_prompt("a cat"));
  options.seed = 40;
  options.count = 2;
  const auto given = jobs_of("a fox --seed 7\na cat\n", options);
  ASSERT_EQ(given.jobs.size(), 4u);
  EXPECT_EQ(given.jobs[1].request.seed, 8u);
  EXPECT_EQ(given.jobs[2].request.seed, 40u);
  EXPECT_EQ(given.jobs[3].request.seed, 41u);
  EXPECT_EQ(jobs_of("x --seed 18446744073709551615 --count 2\n").bad.size(), 1u) << "none wraps";
}

// Editing, moving and inserting lines changes no other picture.
TEST(JobStream, NamesAndKeysStayWithTheirLines) {
  const auto before = names_and_keys("a fox\na cat --seed 3\na dog --cfg 4\n");
  const auto after = names_and_keys("new\na dog --cfg 4\na cat --seed 3\na fox\n");
  for (const auto& [name, key] : before) {
    ASSERT_TRUE(after.contains(name)) << name;
    EXPECT_EQ(after.at(name), key);
  }
}

TEST(JobStream, EverySettingChangesTheKey) {
  std::map<std::string, std::string> seen;
  for (const std::string line :
       {"a fox --seed 1", "a fox --seed 2", "a foy --seed 1", "a fox --seed 1 --cfg 4",
        "a fox --seed 1 --temp 0.5", "a fox --seed 1 --top_k 9", "a fox --seed 1 --top_p 0.5",
        "a fox --seed 1 --negative_prompt x", "a fox --seed 1 --output x.jpg"}) {
    const auto key = jobs_of(line).jobs.at(0).key;
    EXPECT_EQ(key.size(), 64u);
    EXPECT_TRUE(seen.emplace(key, line).second) << line << " has the key of " << seen[key];
  }
  JobOptions options;
  options.rope = RopeMode::kBf16;
  EXPECT_TRUE(seen.emplace(jobs_of("a fox --seed 1", options).jobs[0].key, "").second);
  options = {};
  options.metadata = false;
  EXPECT_TRUE(seen.emplace(jobs_of("a fox --seed 1", options).jobs[0].key, "").second);
  EXPECT_EQ(jobs_of("a fox --seed 1 --cfg 5 --temp 1").jobs[0].key,
            jobs_of("a fox --seed 1").jobs[0].key);
}

// Pictures of earlier versions count as done.
TEST(JobStream, TheKeyOfAPictureNeverChanges) {
  EXPECT_EQ(jobs_of("a fox --seed 1").jobs.at(0).key,
            "5a317bdcbd26cf986b91d0a873d40b655689f44b7b97eb6e687fa79bc5af8e39");
}

TEST(JobStream, CandidatesTakeSeedsOfTheirOwnAndChangeTheKey) {
  JobOptions options;
  options.best_of = 3;
  options.question = "is it {prompt}?";
  const auto all = jobs_of("a fox --seed 7 --count 3\n", options);
  ASSERT_EQ(all.jobs.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(all.jobs[i].request.seed, 7 + 3 * i);

  std::map<std::string, int64_t> seen;
  const auto key = [](const JobOptions& with) { return jobs_of("a fox", with).jobs.at(0).key; };
  EXPECT_TRUE(seen.emplace(key({}), 0).second);
  for (const int64_t best_of : {1, 2, 3}) {
    options.best_of = best_of;
    EXPECT_TRUE(seen.emplace(key(options), best_of).second) << best_of;
  }
  options.question = "is it a fox?";
  EXPECT_FALSE(seen.emplace(key(options), 3).second)
      << "what was asked counts, not how it was said";
  options.question = "is it not {prompt}?";
  EXPECT_TRUE(seen.emplace(key(options), 3).second);
  options.best_of = 0;
  EXPECT_EQ(key(options), key({})) << "a question nobody asks";
}

TEST(JobStream, CandidatesChangeNoPromptOfATemplate) {
  JobOptions options;
  options.expand = true;
  options.count = 20;
  const auto plain = jobs_of("a {red|blue|green} fox --seed 5\n", options);
  options.best_of = 4;
  const auto chosen = jobs_of("a {red|blue|green} fox --seed 5\n", options);
  ASSERT_EQ(chosen.jobs.size(), 20u);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(chosen.jobs[i].request.prompt, plain.jobs[i].request.prompt);
  }
}

TEST(JobStream, Names) {
  const auto all = jobs_of(
      "A Fox, in the snow! --seed 7\nx --id one\ny --id two --count 2\nz --output d/e --count 2\n"
      "w --output f.JPG\n");
  ASSERT_EQ(all.jobs.size(), 7u);
  EXPECT_EQ(all.jobs[0].file_name, "a-fox-in-the-snow-7-" + all.jobs[0].key.substr(0, 8) + ".png");
  EXPECT_EQ(all.jobs[1].file_name, "one.png");
  EXPECT_EQ(all.jobs[2].file_name, "two-0001.png");
  EXPECT_EQ(all.jobs[3].file_name, "two-0002.png");
  EXPECT_EQ(all.jobs[4].file_name, "d/e-0001.png");
  EXPECT_EQ(all.jobs[6].file_name, "f.JPG");
  EXPECT_EQ(all.jobs[6].format, PictureFormat::kJpeg);
}

TEST(JobStream, RepeatsAreToldOfAndClashesAreBad) {
  const auto all = jobs_of("a fox\na fox\na fox --seed 1\nx --id a\ny --id a\nx --id a\n");
  EXPECT_EQ(all.jobs.size(), 5u);
  EXPECT_EQ(all.duplicates, 1);
  EXPECT_EQ(all.jobs[4].repeat, 1);
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_EQ(all.bad[0].number, 5);
  EXPECT_EQ(all.jobs[2].index, 2);
}

TEST(JobStream, Templates) {
  JobOptions options;
  options.expand = true;
  options.combinatorial = true;
  const auto all = jobs_of("a {red|blue} {fox|cat} --seed 5 --count 2\n{a\n", options);
  ASSERT_EQ(all.jobs.size(), 8u);
  EXPECT_EQ(all.jobs[1].request.prompt, "a red fox");
  EXPECT_EQ(all.jobs[2].request.prompt, "a red cat");
  EXPECT_EQ(all.jobs[2].request.seed, 7u);
  EXPECT_EQ(all.jobs[2].template_text, "a {red|blue} {fox|cat}");
  EXPECT_EQ(all.bad.size(), 1u);

  options.combinatorial = false;
  options.count = 20;
  const auto random = jobs_of("a {red|blue} fox\n", options);
  EXPECT_EQ(random.jobs.size(), 20u);
  std::map<std::string, int> prompts;
  for (const PictureJob& job : random.jobs) ++prompts[job.request.prompt];
  EXPECT_EQ(prompts.size(), 2u);
  EXPECT_EQ(jobs_of("a {red|blue} fox\n", options).jobs[13].key, random.jobs[13].key);
  EXPECT_EQ(jobs_of("a {red|blue} fox\n").jobs[0].request.prompt, "a {red|blue} fox");
}

TEST(JobStream, NegativePromptsAreTemplatesToo) {
  JobOptions options;
  options.expand = true;
  options.count = 40;
  JobOptions with_negative = options;
  with_negative.defaults.negative_prompt = "{ugly|blurred}";
  const std::string line = "a {red|blue} fox --seed 5\n";
  const auto random = jobs_of(line, with_negative);
  std::map<std::string, int> both;
  for (const PictureJob& job : random.jobs) {
    ++both[job.request.prompt + *job.request.negative_prompt];
  }
  EXPECT_EQ(both.size(), 4u) << "one does not follow the other";
  const auto alone = jobs_of(line, options);
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(alone.jobs[i].request.prompt, random.jobs[i].request.prompt);
  }

  options.count = 1;
  options.combinatorial = true;
  const auto all = jobs_of("a {red|blue} fox --negative_prompt {x|y}\n", options);
  ASSERT_EQ(all.jobs.size(), 4u);
  EXPECT_EQ(all.jobs[1].request.prompt, "a red fox");
  EXPECT_EQ(all.jobs[1].request.negative_prompt, "y");
  EXPECT_EQ(all.jobs[2].request.prompt, "a blue fox");
  const auto bad = jobs_of("a fox --negative_prompt {x\n", options);
  ASSERT_EQ(bad.bad.size(), 1u);
  EXPECT_NE(bad.bad[0].reason.find("the negative prompt: "), std::string::npos);
  EXPECT_EQ(jobs_of("a fox --negative_prompt {x|y}\n").jobs[0].request.negative_prompt, "{x|y}");
}

TEST(JobStream, TemplatesInTurnAndInAll) {
  JobOptions options;
  options.expand = true;
  options.count = 3;
  const auto turn = jobs_of("a {@red|blue} fox\n", options);
  ASSERT_EQ(turn.jobs.size(), 3u);
  EXPECT_EQ(turn.jobs[1].request.prompt, "a blue fox");
  EXPECT_EQ(turn.jobs[2].request.prompt, "a red fox");
  const auto every = jobs_of("a {!red|blue} fox\n# no prompt\n", options);
  ASSERT_EQ(every.bad.size(), 2u);
  EXPECT_NE(every.bad[0].reason.find("--combinatorial"), std::string::npos);
  EXPECT_NE(every.bad[1].reason.find("empty"), std::string::npos);
  options.combinatorial = true;
  EXPECT_EQ(jobs_of("a {!red|blue} fox\n", options).jobs.size(), 6u);
}

TEST(JobStream, TemplatesWithoutExpandAreHintedAt) {
  const auto hints = [](const std::string& text, bool expand) {
    int count = 0;
    JobOptions options;
    options.expand = expand;
    JobStream stream(PromptReader(stream_of(text), PromptFormat::kText,
                                  [&count](const std::string&) { ++count; }),
                     options);
    while (stream.next()) {
    }
    return count;
  };
  EXPECT_EQ(hints("a {red|blue} fox\na __colour__ cat\n", false), 1);
  EXPECT_EQ(hints("a __colours/*__ cat\n", false), 1);
  EXPECT_EQ(hints("a fox --negative_prompt {a|b}\n", false), 1);
  EXPECT_EQ(hints("a ${colour} fox\n", false), 1);
  EXPECT_EQ(hints("a {} ____ snake_case __ fox __ | 5$$\n", false), 0);
  EXPECT_EQ(hints("a {red|blue} fox\n", true), 0);
  EXPECT_EQ(hints("a fox # with a comment\na cat # too\n", true), 1);
}

TEST(JobStream, AMillionLinesAreNotReadAhead) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "a fox number " + std::to_string(i) + "\n";
  JobStream stream(PromptReader(stream_of(text), PromptFormat::kText, {}), {});
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(stream.next());
  EXPECT_EQ(stream.lines(), 16);
  EXPECT_LE(stream.bytes_read(), int64_t{64} << 10);
}

// Sizes in files of other tools: the model's own size is accepted, any other makes a bad line.
TEST(JobStream, OtherSizesAreBadLines) {
  const JobOptions options{.image_size = 384};
  const std::string text = R"({"prompt":"a","width":384,"height":"384"}
{"prompt":"b","size":"384x384"}
{"prompt":"c","size":"auto"}
{"prompt":"d","width":512}
{"prompt":"e","size":"1024x1024"}
)";
  const Jobs all = jobs_of(text, options, PromptFormat::kJsonLines);
  EXPECT_EQ(all.jobs.size(), 3u);
  ASSERT_EQ(all.bad.size(), 2u);
  EXPECT_EQ(all.bad[0].reason, "\"width\" is \"512\", but this model draws 384 x 384 pixels");
  EXPECT_EQ(all.bad[1].number, 5);
  EXPECT_EQ(jobs_of("a --width 512 --height 384\nb --width 384\n", options).bad.size(), 1u);
  EXPECT_TRUE(jobs_of("a --width 512\n").bad.empty()) << "nobody knows the size";
  const std::string ratios = "prompt,aspect_ratio\na,1:1\nb,16:9\nc,1.0\nd,1.78\ne,square\n";
  EXPECT_EQ(jobs_of(ratios, options, PromptFormat::kCsv).bad.size(), 2u);
  const std::string others = R"({"prompt":"a","resolution":"384x384","image_size":384}
{"prompt":"b","resolution":"1024x1024"}
{"prompt":"c","Image Width":512}
{"prompt":"d","image_height":"384","aspect-ratio":"1:1"}
{"prompt":"e","image_size":[384,384]}
{"prompt":"f","size":{"width":384}}
)";
  EXPECT_EQ(jobs_of(others, options, PromptFormat::kJsonLines).bad.size(), 3u);
  const std::string table = "prompt,width\na,384.0\nb,384.\nc,384.5\nd,3840\n";
  EXPECT_EQ(jobs_of(table, options, PromptFormat::kCsv).bad.size(), 3u);
  const std::string sizes = "prompt,size\na,384 x 384\nb,384X384\nc,384\xc3\x97 384\nd,384x512\n";
  EXPECT_EQ(jobs_of(sizes, options, PromptFormat::kCsv).bad.size(), 1u);
}

// [W, H] counts as "WxH".
TEST(JobStream, SizesMayBeArrays) {
  const JobOptions options{.image_size = 384};
  const std::string text = R"({"prompt":"a","size":[384, 384]}
{"prompt":"b","aspect_ratio":[1,1]}
{"prompt":"c","size":[512,384]}
{"prompt":"d","size":[384,512]}
{"prompt":"e","aspect_ratio":[16,9]}
{"prompt":"f","size":[384]}
{"prompt":"g","size":[384,384,3]}
{"prompt":"h","size":["384","384"]}
{"prompt":"i","size":[-384,384]}
)";
  const Jobs all = jobs_of(text, options, PromptFormat::kJsonLines);
  EXPECT_EQ(all.jobs.size(), 2u);
  ASSERT_EQ(all.bad.size(), 7u);
  EXPECT_EQ(all.bad[0].reason, "\"size\" is \"[512,384]\", but this model draws 384 x 384 pixels");
  EXPECT_EQ(all.bad[1].reason, "\"size\" is \"[384,512]\", but this model draws 384 x 384 pixels");
  EXPECT_EQ(all.bad[3].reason,
            "\"size\" is \"[384]\"; write it as a number, \"384x384\" or [384, 384]");
  const std::string table = "prompt,size\na,\"[384, 384]\"\nb,\"[512, 384]\"\n";
  EXPECT_EQ(jobs_of(table, options, PromptFormat::kCsv).bad.size(), 1u);
}

// What is no size is a bad line, unless it leaves the size open.
TEST(JobStream, OddSizesAreBadLines) {
  const JobOptions options{.image_size = 384};
  for (const std::string odd : {"true", "false", "\"true\"", "-64", "\"-64\"", "-384", "-1",
                                "\" \"", "\"\\t\"", "\"-\"", "\"+384\""}) {
    for (const std::string name : {"size", "width", "aspect_ratio"}) {
      const std::string line = R"({"prompt":"a",")" + name + "\":" + odd + "}\n";
      EXPECT_EQ(jobs_of(line, options, PromptFormat::kJsonLines).bad.size(), 1u) << line;
    }
  }
  for (const std::string open :
       {"null", "\"\"", "\"auto\"", "\"Auto\"", "\"square_hd\"", "\" 384\""}) {
    const std::string line = R"({"prompt":"a","size":)" + open + "}\n";
    EXPECT_TRUE(jobs_of(line, options, PromptFormat::kJsonLines).bad.empty()) << line;
  }
}

TEST(JobStream, NamesThatDifferInCaseAloneAreOne) {
  const Jobs all = jobs_of("a --id same\nb --id SAME\nc --id other\n");
  EXPECT_EQ(all.jobs.size(), 2u);
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_EQ(all.bad[0].number, 2);
}

// A name that is taken fails only its own picture. The later pictures of the line are drawn.
TEST(JobStream, TheRestOfALineIsDrawn) {
  const Jobs all = jobs_of("a --id a-0002\nb --id a --count 4\n");
  ASSERT_EQ(all.jobs.size(), 4u);
  EXPECT_EQ(all.jobs[1].file_name, "a-0001.png");
  EXPECT_EQ(all.jobs[2].file_name, "a-0003.png");
  EXPECT_EQ(all.jobs[3].file_name, "a-0004.png");
  EXPECT_EQ(all.bad.size(), 1u);
}

// Which picture is changed, and how, belongs to the picture; where it lies does not.
TEST(JobStream, AnEditedPictureIsPartOfTheKeyAndOfTheSeed) {
  JobOptions options;
  std::vector<std::string> folders;
  options.edit = [&](const PromptLine& line) {
    folders.push_back(line.folder);
    if (line.edit->image == "none.png") throw Error(ErrorKind::kMissing, "no such picture");
    LineEdit edit{.image = line.edit->image, .path = "in/" + line.edit->image};
    edit.sha256 = line.edit->image == "copy.png" ? "car.png" : line.edit->image;
    edit.style = &edit_style(line.edit->style.value_or("janus-4o"));
    edit.image_guidance = line.edit->image_guidance.value_or(kImageGuidance);
    return std::make_shared<const LineEdit>(edit);
  };
  const Jobs all = jobs_of(R"({"prompt":"a hat"}
{"prompt":"a hat","image":"car.png","count":2}
{"prompt":"a hat","image":"boat.png"}
{"prompt":"a hat","image":"car.png","image_guidance":1}
{"prompt":"a hat","image":"car.png","edit_style":"janus-pro-r1"}
{"prompt":"a hat","image":"copy.png"}
{"prompt":"a hat","image":"none.png"}
{"prompt":"a hat","image":"","edit_style":"foreign"}
)",
                           options, PromptFormat::kJsonLines);
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_EQ(all.bad[0].reason, "no such picture");
  EXPECT_EQ(all.bad[0].number, 7);
  ASSERT_EQ(all.jobs.size(), 8u);
  const uint64_t seed = seed_of_prompt("a hat");
  const std::vector<uint64_t> steps = {0, 0, 1, 0, 0, 0, 2, 1};
  std::map<std::string, int> keys;
  for (size_t i = 0; i < all.jobs.size(); ++i) {
    EXPECT_EQ(all.jobs[i].request.seed, seed + steps[i]) << i;
    ++keys[all.jobs[i].key];
  }
  EXPECT_EQ(keys.size(), all.jobs.size());
  EXPECT_EQ(all.jobs[0].edit, nullptr);
  EXPECT_EQ(all.jobs[7].edit, nullptr);
  EXPECT_EQ(all.jobs[0].key, jobs_of("a hat\n").jobs[0].key) << "plain lines keep their keys";
  const Jobs again =
      jobs_of("{\"prompt\":\"a hat\",\"image\":\"copy.png\"}\n", options, PromptFormat::kJsonLines);
  EXPECT_EQ(again.jobs[0].key, all.jobs[1].key) << "the same bytes under another name";
  EXPECT_EQ(
      jobs_of("{\"prompt\":\"a\",\"image\":\"b\"}\n", {}, PromptFormat::kJsonLines).bad.size(), 1u);
}

}  // namespace
}  // namespace bifrons::testing
