// describe, ask, chat and --best-of on the command line, with a toy model whose words have no
// meaning.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_file.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::testing {
namespace {

std::string seeing_toy() { return golden::directory() + "toy-sees"; }

// A directory with two pictures, a.png and b.png.
struct Gallery {
  TemporaryDirectory scratch;
  Gallery() {
    for (const char* name : {"a.png", "b.png"}) {
      Picture picture{21, 13, {}};
      for (int i = 0; i < 21 * 13 * 3; ++i) {
        picture.rgb.push_back(static_cast<uint8_t>(i * (name[0] - 60)));
      }
      const auto file = encode_picture(picture, PictureFormat::kPng, nullptr);
      scratch.write(name, {reinterpret_cast<const char*>(file.data()), file.size()});
    }
  }
  Outcome run(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin() + 1, {"-m", seeing_toy(), "--max-tokens", "5"});
    Surroundings where;
    where.directory = scratch.path();
    where.input = input;
    return run_bifrons(arguments, where);
  }
};

std::vector<uint8_t> pixels(const std::string& file) {
  return read_picture({reinterpret_cast<const uint8_t*>(file.data()), file.size()}).rgb;
}

TEST(CliUnderstand, DescribePrintsOneReplyALine) {
  const Gallery gallery;
  const Outcome one = gallery.run({"describe", "a.png"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_TRUE(one.out.ends_with("\n"));
  const Outcome as_json = gallery.run({"describe", "a.png", "b.png", "--json"});
  ASSERT_EQ(as_json.exit_code, 0) << as_json.err;
  const auto report = nlohmann::json::parse(as_json.out);
  ASSERT_EQ(report["replies"].size(), 2u);
  EXPECT_EQ(report["replies"][0]["image"], "a.png");
  EXPECT_EQ(report["replies"][0]["question"], "Describe the picture.");
  EXPECT_EQ(report["replies"][0]["text"].get<std::string>() + "\n", one.out)
      << "alone or among others, a picture is described alike";
}

TEST(CliUnderstand, AskTakesQuestionsAndMorePictures) {
  const Gallery gallery;
  const auto reply_to = [&](std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back("--json");
    const Outcome outcome = gallery.run(arguments, input);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out)["replies"][0];
  };
  const auto one = reply_to({"ask", "a.png", "what is it?"});
  EXPECT_EQ(one["question"], "what is it?");
  EXPECT_EQ(reply_to({"ask", "a.png", "-"}, "what is it?\n")["text"], one["text"]);
  const auto bytes = gallery.scratch.read("a.png");
  EXPECT_EQ(reply_to({"ask", "-", "what is it?"}, bytes)["text"], one["text"]);
  const auto two = reply_to({"ask", "a.png", "[the same]?", "-i", "b.png", "-i", "a.png"});
  EXPECT_EQ(two["images"].size(), 3u);
  EXPECT_EQ(two["question"], "[the same]?");
  EXPECT_GT(two["prompt_tokens"].get<int>(), one["prompt_tokens"].get<int>() + 30);
}

TEST(CliUnderstand, ChatTalksLineByLine) {
  const Gallery gallery;
  const Outcome outcome =
      gallery.run({"chat", "a.png", "--json", "-q"},
                  "what is it?\n\n/image b.png\nand this?\n/reset\nwhat is it?\n"
                  "/quit\nnever said\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<nlohmann::json> replies;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) replies.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_GT(replies[1]["prompt_tokens"], replies[0]["prompt_tokens"]);
  EXPECT_LT(replies[2]["prompt_tokens"], replies[0]["prompt_tokens"]) << "the picture is forgotten";
  const Outcome asked = gallery.run({"ask", "a.png", "what is it?", "--json"});
  EXPECT_EQ(nlohmann::json::parse(asked.out)["replies"][0]["text"], replies[0]["text"]);
}

TEST(CliUnderstand, FaultsHaveCodesAndOneLine) {
  const Gallery gallery;
  gallery.scratch.write("not.png", "not a picture");
  const auto code = [&](const std::vector<std::string>& arguments, const std::string& input = "") {
    const Outcome outcome = gallery.run(arguments, input);
    EXPECT_EQ(outcome.err.find("unexpected failure"), std::string::npos) << outcome.err;
    return outcome.exit_code;
  };
  EXPECT_EQ(code({"describe"}), 2);
  EXPECT_EQ(code({"ask", "a.png"}), 2);
  EXPECT_EQ(code({"ask", "-", "-"}), 2);
  EXPECT_EQ(code({"chat", "-"}), 2);
  EXPECT_EQ(code({"ask", "a.png", "what?", "--temp", "-1"}), 2);
  EXPECT_EQ(code({"describe", "none.png"}), 66);
  EXPECT_EQ(code({"describe", "not.png"}), 65);
  EXPECT_EQ(code({"describe", "a.png", "not.png"}), 3);
  EXPECT_EQ(code({"ask", "not.png", "what?"}), 65);
  EXPECT_EQ(code({"chat"}, "/image none.png\n"), 66);
  EXPECT_EQ(code({"chat"}, "/dance\n"), 2);
}

TEST(CliUnderstand, AModelThatOnlyDrawsSaysSo) {
  const Gallery gallery;
  const auto model = gallery.scratch / "blind";
  std::filesystem::copy(seeing_toy(), model, std::filesystem::copy_options::recursive);
  std::ifstream in(model / "config.json");
  auto config = nlohmann::json::parse(in);
  config.erase("vision_config");
  std::ofstream(model / "config.json") << config;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"describe", "a.png"},
        {"ask", "a.png", "what?"},
        {"chat"},
        {"generate", "a cat", "--best-of", "2", "-o", "x.png"}}) {
    std::vector<std::string> all = arguments;
    all.insert(all.begin() + 1, {"-m", model.string()});
    Surroundings where;
    where.directory = gallery.scratch.path();
    const Outcome outcome = run_bifrons(all, where);
    EXPECT_EQ(outcome.exit_code, 65) << arguments[0];
    EXPECT_NE(outcome.err.find("draws but does not see"), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(gallery.scratch / "x.png"));
  const Outcome report = run_bifrons({"inspect", "-m", model.string()});
  EXPECT_EQ(report.exit_code, 0) << report.err;
  EXPECT_NE(report.out.find("\nsees       no: "), std::string::npos) << report.out;
  EXPECT_NE(report.out.find("describes no vision tower"), std::string::npos) << report.out;
  const auto facts =
      nlohmann::json::parse(run_bifrons({"inspect", "-m", model.string(), "--json"}).out);
  EXPECT_FALSE(facts["sees"].get<bool>());
  EXPECT_FALSE(facts.contains("memory_seeing"));
}

TEST(CliUnderstand, InspectCountsTheUnderstandingHalf) {
  const auto report =
      nlohmann::json::parse(run_bifrons({"inspect", "-m", seeing_toy(), "--json"}).out);
  EXPECT_TRUE(report["sees"].get<bool>());
  EXPECT_EQ(report["memory_on_gpu"]["prompt_tokens"], report["memory"]["prompt_tokens"]);
  EXPECT_GT(report["memory_on_gpu"]["bytes"], report["memory"]["bytes"]);  // kernel workspace
  const auto& config = report["config"];
  EXPECT_EQ(config["tower_tokens"].get<int>(),
            config["tower_image_size"].get<int>() / config["tower_patch_size"].get<int>() *
                (config["tower_image_size"].get<int>() / config["tower_patch_size"].get<int>()));
  // The bytes planned for the weights are the bytes in the files.
  int64_t tower = 0, rest = 0;
  for (const auto& tensor : report["tensors"]) {
    const std::string name = tensor["name"];
    const auto bytes = tensor["bytes"].get<int64_t>();
    if (name.starts_with("vision_model.") && name.find("attn_pool") == std::string::npos)
      tower += bytes;
    if (name.starts_with("aligner.") || name.find("lm_head") != std::string::npos) rest += bytes;
  }
  EXPECT_GT(tower, 0);
  EXPECT_EQ(report["memory_seeing"]["items"]["vision tower"].get<int64_t>(), tower);
  EXPECT_EQ(report["memory_seeing"]["items"]["aligner and text head"].get<int64_t>(), rest);
}

TEST(CliUnderstand, BestOfKeepsOnePictureAndAllScores) {
  const Gallery gallery;
  Surroundings where;
  where.directory = gallery.scratch.path();
  const auto generate = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"generate", "-m", seeing_toy(), "-p", "a cat", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_bifrons(arguments, where);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  const auto report = generate({"-s", "10", "-c", "2", "--best-of", "3", "-o", "best_%02d.png",
                                "--match-question", "{prompt}?"});
  ASSERT_EQ(report["pictures"].size(), 2u);
  for (int i = 0; i < 2; ++i) {
    const auto& best = report["pictures"][i]["best_of"];
    ASSERT_EQ(best["candidates"].size(), 3u);
    EXPECT_EQ(best["candidates"][0]["seed"], 10 + 3 * i);
    EXPECT_EQ(best["question"], "a cat?");
    double highest = 0;
    for (const auto& candidate : best["candidates"]) {
      highest = std::max(highest, candidate["score"].get<double>());
    }
    for (const auto& candidate : best["candidates"]) {
      if (candidate["seed"] == best["kept"]) {
        EXPECT_EQ(candidate["score"], highest);
      }
    }
    const std::string file = report["pictures"][i]["file"];
    const Outcome info = run_bifrons({"info", "--json", file}, where);
    ASSERT_EQ(info.exit_code, 0) << info.err;
    EXPECT_NE(info.out.find("\"best_of\""), std::string::npos);
    // The kept picture equals the one drawn from its own seed, and contains that seed.
    const std::string copy = "again" + std::to_string(i) + ".png";
    const auto again = generate({"--like", file, "-o", copy});
    EXPECT_EQ(again["pictures"][0]["seed"], best["kept"]);
    EXPECT_EQ(pixels(gallery.scratch.read(copy)), pixels(gallery.scratch.read(file)));
  }
}

// An unreadable picture does not stop the description of the others.
TEST(CliUnderstand, DescribeGoesOnBehindABadPicture) {
  const Gallery gallery;
  const Outcome some = gallery.run({"describe", "a.png", "missing.png", "b.png"});
  EXPECT_EQ(some.exit_code, 3);
  EXPECT_EQ(some.out.find("a.png: "), 0u);
  EXPECT_NE(some.out.find("b.png: "), std::string::npos);
  EXPECT_NE(some.err.find("missing.png"), std::string::npos);
  const Outcome as_json = gallery.run({"describe", "a.png", "missing.png", "b.png", "--json"});
  EXPECT_EQ(as_json.exit_code, 3);
  const auto replies = nlohmann::json::parse(as_json.out)["replies"];
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_TRUE(replies[0].contains("text") && replies[2].contains("text"));
  EXPECT_TRUE(replies[1].contains("error"));
  EXPECT_EQ(gallery.run({"describe", "missing.png"}).exit_code, 66);
}

TEST(CliUnderstand, NamesCannotSteerATerminal) {
  const Gallery gallery;
  const std::string odd = "x\n\x1b[31m.png";
  gallery.scratch.write(odd, gallery.scratch.read("a.png"));
  const Outcome outcome = gallery.run({"describe", odd, "b.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(outcome.out.find("\"x\\n"), 0u) << outcome.out;
}

}  // namespace
}  // namespace bifrons::testing
