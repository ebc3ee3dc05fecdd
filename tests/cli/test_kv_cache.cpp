// --kv and --max-memory: what they draw, what is recorded, and what is refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/cli/batch_fixture.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

class KvCache : public CliBatch {
 protected:
  Outcome run(std::vector<std::string> arguments,
              std::map<std::string, std::string> variables = {}) const {
    variables.emplace("BIFRONS_MODEL", toy_model());
    return run_bifrons(arguments, {.directory = scratch.path(), .variables = std::move(variables)});
  }
  nlohmann::json settings(const std::string& name) const {
    const std::string file = scratch.read(name);
    return nlohmann::json::parse(
        read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()})
            .metadata.settings);
  }
  // A limit in GB that holds one picture, but only with an int8 KV cache.
  std::string tight() const {
    const auto memory = nlohmann::json::parse(run({"inspect", "--json"}).out)["memory"];
    const int64_t stored = memory["bytes"], int8 = memory["bytes_with_int8_kv"];
    EXPECT_LT(int8, stored);
    return fmt::format("{:.9f}", static_cast<double>(stored - 1) / 1e9);
  }
};

TEST_F(KvCache, IsRecordedInThePictureAndTakenOverByLike) {
  ASSERT_EQ(run({"a fox", "-s", "1", "-o", "a.png", "--kv", "int8"}).exit_code, 0);
  ASSERT_EQ(run({"a fox", "-s", "1", "-o", "b.png"}).exit_code, 0);
  ASSERT_EQ(run({"a fox", "-s", "1", "-o", "c.png"}, {{"BIFRONS_KV", "int8"}}).exit_code, 0);
  EXPECT_EQ(settings("a.png")["model"]["kv"], "int8");
  EXPECT_FALSE(settings("b.png")["model"].contains("kv"));
  EXPECT_EQ(scratch.read("c.png"), scratch.read("a.png"));

  ASSERT_EQ(run({"--like", "a.png", "-o", "d.png"}).exit_code, 0);
  EXPECT_EQ(scratch.read("d.png"), scratch.read("a.png"));
  ASSERT_EQ(run({"--like", "b.png", "-o", "e.png"}, {{"BIFRONS_KV", "int8"}}).exit_code, 0);
  EXPECT_EQ(scratch.read("e.png"), scratch.read("b.png"))
      << "the picture says it, not the variable";
  ASSERT_EQ(run({"--like", "a.png", "-o", "f.png", "--kv", "stored"}).exit_code, 0);
  EXPECT_EQ(scratch.read("f.png"), scratch.read("b.png")) << "flags win";
}

// A batch that goes on with another cache draws other pictures; none is taken for another.
TEST_F(KvCache, ABatchNeverMixesThem) {
  scratch.write("p.jsonl", "{\"prompt\":\"a fox\",\"output\":\"fox\"}\n{\"prompt\":\"an owl\"}\n");
  ASSERT_EQ(batch("p.jsonl").exit_code, 0);
  const Outcome other = batch("p.jsonl", {"--kv", "int8"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_NE(other.err.find("drew 2 pictures"), std::string::npos) << other.err;
  int int8 = 0;
  for (const auto& line : manifest()) {
    int8 += line.contains("kv_cache") && line["kv_cache"] == "int8";
  }
  EXPECT_EQ(int8, 2);
  EXPECT_EQ(settings("out/fox.png")["model"]["kv"], "int8");
  const Outcome again = batch("p.jsonl", {"--kv", "int8"});
  EXPECT_NE(again.err.find("2 were done before"), std::string::npos) << again.err;
}

TEST_F(KvCache, ALimitOfMemoryIsKeptAndSaid) {
  const Outcome tight_one = run({"a fox", "-s", "1", "-o", "a.png", "--max-memory", tight()});
  ASSERT_EQ(tight_one.exit_code, 0) << tight_one.err;
  EXPECT_NE(tight_one.err.find("kept in 8 bits"), std::string::npos) << tight_one.err;
  EXPECT_EQ(settings("a.png")["model"]["kv"], "int8");
  ASSERT_EQ(run({"a fox", "-s", "1", "-o", "b.png", "--kv", "int8"}).exit_code, 0);
  EXPECT_EQ(scratch.read("b.png"), scratch.read("a.png"));

  const Outcome refused = run({"a fox", "--max-memory", tight(), "--kv", "stored"});
  EXPECT_EQ(refused.exit_code, 69) << refused.err;
  EXPECT_NE(refused.err.find("--kv int8 would fit"), std::string::npos) << refused.err;
  EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  const Outcome none = run({"a fox"}, {{"BIFRONS_MAX_MEMORY", "0.0001"}});
  EXPECT_EQ(none.exit_code, 69) << none.err;
}

TEST_F(KvCache, FewerLanesChangeNoPicture) {
  scratch.write("p.txt", "a fox\nan owl\na hat\n");
  const auto report = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"--dry-run", "--jsonl", "--batch", "3"};
    all.insert(all.end(), more.begin(), more.end());
    const auto memory = json_lines_of(batch("p.txt", all).out).back()["memory"];
    return std::pair<int, int64_t>(memory["pictures"], memory["bytes"]);
  };
  const auto [pictures, bytes] = report({});
  EXPECT_EQ(pictures, 3);
  const std::string limit = fmt::format("{:.9f}", static_cast<double>(bytes - 1) / 1e9);
  const auto [fewer, fitting] = report({"--max-memory", limit});
  EXPECT_LT(fewer, 3);
  EXPECT_LT(fitting, bytes);
  ASSERT_EQ(batch("p.txt", {"--batch", "3", "-o", "a"}).exit_code, 0);
  const Outcome limited = batch("p.txt", {"--batch", "3", "-o", "b", "--max-memory", limit});
  ASSERT_EQ(limited.exit_code, 0) << limited.err;
  EXPECT_EQ(CliBatch::pictures("a"), CliBatch::pictures("b"));
}

TEST_F(KvCache, OtherWordsAndNumbersAreRefused) {
  for (const char* word : {"int4", "INT8", "8"}) {
    const Outcome outcome = run({"a fox", "--kv", word});
    EXPECT_EQ(outcome.exit_code, 2) << word;
    EXPECT_NE(outcome.err.find("--kv takes stored or int8"), std::string::npos) << outcome.err;
  }
  const Outcome variable = run({"a fox"}, {{"BIFRONS_KV", "fp8"}});
  EXPECT_EQ(variable.exit_code, 2);
  EXPECT_NE(variable.err.find("BIFRONS_KV takes stored or int8"), std::string::npos);
  for (const char* number : {"0", "-1", "nan", "1e9", "5GB", "0.00001"}) {
    const Outcome outcome = run({"a fox", "--max-memory", number});
    EXPECT_EQ(outcome.exit_code, 2) << number;
    EXPECT_NE(outcome.err.find("--max-memory"), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace bifrons::testing
