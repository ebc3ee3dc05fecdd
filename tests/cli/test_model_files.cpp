// `models`, `verify` and `doctor` on model directories and on a cache of the Hugging Face hub whose
// blobs have the names that the hub gives them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "src/io/sha1.h"
#include "src/io/sha256.h"
#include "tests/cli/models_fixture.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

std::string git_sha1(const std::string& bytes) {
  Sha1 sum;
  sum.add("blob " + std::to_string(bytes.size()) + std::string(1, '\0') + bytes);
  return sum.finish();
}

class ModelFiles : public Models {
 protected:
  void SetUp() override { variables_["HF_HUB_CACHE"] = (scratch_ / "hub").string(); }

  static std::string folder(const std::string& owner, const std::string& name) {
    return "hub/models--" + owner + "--" + name;
  }
  // Puts a toy into the cache as clients of the hub do.
  void cache(const std::string& toy, const std::string& where, const char* commit = kCommit) const {
    const std::string snapshot = where + "/snapshots/" + commit;
    for (const char* part : {"/blobs", "/refs"}) fs::create_directories(scratch_ / (where + part));
    fs::create_directories(scratch_ / snapshot);
    for (const auto& entry : fs::directory_iterator(golden::directory() + toy)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename(), bytes = contents(entry.path());
      const bool large = name.ends_with(".bin") || name.ends_with(".safetensors");
      const std::string blob = large ? sha256(bytes) : git_sha1(bytes);
      scratch_.write(where + "/blobs/" + blob, bytes);
      fs::create_symlink("../../blobs/" + blob, scratch_ / (snapshot + "/" + name));
    }
    scratch_.write(where + "/refs/main", commit);
  }
  static std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // The only listed model with this name.
  json listed(const std::string& name) const {
    const Outcome outcome = run({"models", "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    json found;
    const json all = json::parse(outcome.out);
    for (const json& model : all.at("models")) {
      if (model.at("name") != name) continue;
      EXPECT_TRUE(found.is_null()) << name << " is listed twice";
      found = model;
    }
    return found;
  }
  // Flips a bit in the last tenth of a file.
  void damage(const fs::path& path) const {
    std::string bytes = contents(path);
    bytes[bytes.size() - bytes.size() / 10] ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static void expect_in(const std::string& text, std::string_view words) {
    EXPECT_NE(text.find(words), std::string::npos) << "no \"" << words << "\" in:\n" << text;
  }
  static void expect_not_in(const std::string& text, std::string_view words) {
    EXPECT_EQ(text.find(words), std::string::npos) << "\"" << words << "\" in:\n" << text;
  }

  const std::string seven_ = folder("deepseek-ai", "Janus-Pro-7B");
};

TEST_F(ModelFiles, ModelsOfTheCacheAreListed) {
  cache("toy-sees", seven_);
  cache("wide-head", folder("someone", "painter"));
  copy("toy-hf", "own");
  variables_["BIFRONS_MODEL"] = "own";
  const json seven = listed("deepseek-ai/Janus-Pro-7B");
  EXPECT_EQ(seven.at("place"), "cache");
  EXPECT_EQ(seven.at("form"), "original");
  EXPECT_EQ(seven.at("dtype"), "bf16");
  EXPECT_EQ(seven.at("sees"), true);
  EXPECT_TRUE(seven.at("problem").is_null()) << seven;
  int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(golden::directory() + "toy-sees")) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  EXPECT_EQ(seven.at("bytes"), bytes);
  EXPECT_EQ(listed("someone/painter").at("sees"), true);
  const std::string config =
      folder("someone", "painter") + "/snapshots/" + kCommit + "/config.json";
  json blind = json::parse(scratch_.read(config));
  blind.erase("vision_config");
  fs::remove(scratch_ / config);  // the link, not the blob
  scratch_.write(config, blind.dump());
  EXPECT_EQ(listed("someone/painter").at("sees"), false);
  const json own = listed("own");
  EXPECT_EQ(own.at("place"), "BIFRONS_MODEL");
  EXPECT_EQ(own.at("form"), "hugging face");
  EXPECT_EQ(own.at("dtype"), "bf16");
  const std::string text = run({"models"}).out;
  expect_in(text, "\ndeepseek-ai/Janus-Pro-7B ");
  expect_in(text, "ok, cache");
  expect_in(text, "ok, BIFRONS_MODEL");
  // Both of the names are those of -m.
  EXPECT_EQ(draw("janus-pro-7b").exit_code, 0);
}

TEST_F(ModelFiles, DamageIsListedAndOtherModelsAreNot) {
  cache("toy-sees", seven_);
  const fs::path weights = scratch_ / (seven_ + "/snapshots/" + kCommit + "/model.safetensors");
  fs::resize_file(fs::canonical(weights), 1000);
  expect_in(listed("deepseek-ai/Janus-Pro-7B").at("problem"), "cut off");
  expect_in(run({"models"}).out, "damaged, cache: ");

  const std::string unfinished = folder("deepseek-ai", "Janus-Pro-1B");
  fs::create_directories(scratch_ / (unfinished + "/blobs"));
  scratch_.write(unfinished + "/blobs/abc.incomplete", std::string(5000, 'x'));
  const json half = listed("deepseek-ai/Janus-Pro-1B");
  expect_in(half.at("problem"), "not finished; go on with: bifrons pull janus-pro-1b");
  EXPECT_EQ(half.at("bytes"), 5000);

  const std::string other = folder("google-bert", "bert") + "/snapshots/" + kCommit;
  fs::create_directories(scratch_ / other);
  scratch_.write(other + "/config.json", R"({"model_type":"bert"})");
  EXPECT_TRUE(listed("google-bert/bert").is_null());
  variables_["BIFRONS_MODEL"] = "nowhere";
  expect_in(listed("nowhere").at("problem"), "no model found");
}

TEST_F(ModelFiles, EverySnapshotHasItsName) {
  const char* other = "fedcba9876543210fedcba9876543210fedcba98";
  cache("toy-sees", seven_, other);
  cache("toy-hf", seven_);
  EXPECT_EQ(listed("deepseek-ai/Janus-Pro-7B").at("form"), "hugging face");
  EXPECT_EQ(listed("deepseek-ai/Janus-Pro-7B@fedcba987654").at("form"), "original");
  EXPECT_EQ(draw("deepseek-ai/Janus-Pro-7B@fedcba987654").exit_code, 0);
}

TEST_F(ModelFiles, RemovesFromTheCacheAndNothingElse) {
  cache("toy-sees", seven_);
  fs::create_directories(scratch_ / "hub/.locks/models--deepseek-ai--Janus-Pro-7B");
  scratch_.write("precious", "x");
  fs::create_directory(scratch_ / "folder");
  scratch_.write("folder/file", "x");
  fs::create_symlink(scratch_ / "folder", scratch_ / (seven_ + "/link"));
  copy("toy-f32", "own");
  variables_["BIFRONS_MODEL"] = "own";
  for (const char* name : {"own", "./own", "storybook", "hub", "..", "a/b/c", "../../x"}) {
    const Outcome refused = run({"models", "--remove", name});
    EXPECT_EQ(refused.exit_code, 2) << name << refused.out << refused.err;
    expect_in(refused.err, "--remove takes a model of the cache");
  }
  EXPECT_EQ(run({"models", "--remove", "janus-pro-7b@main"}).exit_code, 2);
  EXPECT_EQ(run({"models", "--remove", ""}).exit_code, 2);
  const Outcome absent = run({"models", "--remove", "janus-pro-1b"});
  EXPECT_EQ(absent.exit_code, 66);
  expect_in(absent.err, "deepseek-ai/Janus-Pro-1B is not in the cache");
  EXPECT_TRUE(fs::exists(scratch_ / "own/config.json"));

  const std::string lock = "hub/.locks/models--deepseek-ai--Janus-Pro-7B/x.lock";
  scratch_.write(lock, "");
  const int held = ::open((scratch_ / lock).c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  const Outcome locked = run({"models", "--remove", "janus-pro-7b"});
  EXPECT_EQ(locked.exit_code, 69);
  expect_in(locked.err, "is being downloaded");
  EXPECT_TRUE(fs::exists(scratch_ / (seven_ + "/refs/main")));
  ::close(held);

  const Outcome removed = run({"models", "--remove", "janus-pro-7b", "--json"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_EQ(json::parse(removed.out).at("removed"), (scratch_ / seven_).string());
  EXPECT_FALSE(fs::exists(scratch_ / seven_));
  EXPECT_FALSE(fs::exists(scratch_ / lock));
  EXPECT_TRUE(fs::exists(scratch_ / "folder/file"));
  EXPECT_TRUE(fs::exists(scratch_ / "own/config.json"));
  EXPECT_TRUE(listed("deepseek-ai/Janus-Pro-7B").is_null());
}

TEST_F(ModelFiles, ALinkInTheCacheIsSaidToBeOne) {
  cache("toy-sees", seven_);
  fs::create_directory(scratch_ / "elsewhere");
  fs::rename(scratch_ / seven_, scratch_ / "elsewhere/model");
  fs::create_directory_symlink(scratch_ / "elsewhere/model", scratch_ / seven_);
  const Outcome refused = run({"models", "--remove", "janus-pro-7b"});
  EXPECT_EQ(refused.exit_code, 73);
  expect_in(refused.err, "is a link");
  expect_in(refused.err, (scratch_ / seven_).string());
  EXPECT_TRUE(fs::exists(scratch_ / (seven_ + "/refs/main")));
}

// Advice to download foreign files again would be wrong.
TEST_F(ModelFiles, ADirectoryWithoutAModelIsNotMended) {
  fs::create_directories(scratch_ / "empty");
  fs::create_directories(scratch_ / "home");
  scratch_.write("home/notes.txt", "x");
  for (const char* directory : {"empty", "home", "/"}) {
    const Outcome refused = run({"verify", "-m", directory});
    EXPECT_EQ(refused.exit_code, 66) << refused.out << refused.err;
    expect_in(refused.out, "mend  name a directory with a model, or download one: bifrons pull");
    expect_not_in(refused.out, "again");
  }
}

TEST_F(ModelFiles, BlobsAreComparedWithTheirNames) {
  cache("toy-sees", seven_);
  const Outcome right = run({"verify", "-m", "janus-pro-7b"});
  EXPECT_EQ(right.exit_code, 0) << right.out << right.err;
  expect_in(right.out, "ok    config.json: ");
  expect_in(right.out, "git sha1 is right");
  expect_in(right.out, "ok    model.safetensors: ");
  expect_in(right.out, "sha256 is right");
  expect_in(right.out, "all numbers are finite");
  expect_not_in(right.out, "note");

  const fs::path snapshot = scratch_ / (seven_ + "/snapshots/" + kCommit);
  for (const char* name : {"model.safetensors", "tokenizer.json"}) {
    const fs::path blob = fs::canonical(snapshot / name);
    const std::string whole = contents(blob);
    damage(blob);
    const Outcome wrong = run({"verify", "-m", snapshot.string()});
    EXPECT_EQ(wrong.exit_code, 65);
    expect_in(wrong.out, std::string("fail  ") + name + ": its ");
    expect_in(wrong.out, ", not " + blob.filename().string() + ": the file is damaged");
    expect_in(wrong.out, "mend  rm " + blob.string() + " && bifrons pull janus-pro-7b\n");
    std::ofstream(blob, std::ios::binary) << whole;
  }
}

// A file of `hf download --local-dir` has its hash in a note beside it; other directories have no
// hashes, and then structure, the checksums in the files and numbers are what there is.
TEST_F(ModelFiles, DirectoriesOutsideOfTheCache) {
  copy("wide-head", "torch");
  const Outcome torch = run({"verify", "-m", "torch"});
  EXPECT_EQ(torch.exit_code, 0) << torch.out << torch.err;
  expect_in(torch.out, "ok    pytorch_model.bin: ");
  expect_in(torch.out, "crc32 is right");
  damage(scratch_ / "torch/pytorch_model.bin");
  EXPECT_EQ(run({"verify", "-m", "torch"}).exit_code, 65);

  copy("toy-f32", "m");
  const Outcome plain = run({"verify", "-m", "m"});
  EXPECT_EQ(plain.exit_code, 0) << plain.out << plain.err;
  expect_in(plain.out, "note  model.safetensors: ");
  expect_in(plain.out, "no checksum to compare with");

  const std::string notes = "m/.cache/huggingface/download/";
  fs::create_directories(scratch_ / notes);
  const std::string whole = scratch_.read("m/model.safetensors");
  scratch_.write(notes + "model.safetensors.metadata",
                 std::string(kCommit) + "\n" + sha256(whole) + "\n1733000000.5\n");
  expect_in(run({"verify", "-m", "m"}).out, "sha256 is right");
  damage(scratch_ / "m/model.safetensors");
  const Outcome damaged = run({"verify", "-m", "m"});
  EXPECT_EQ(damaged.exit_code, 65);
  expect_in(damaged.out, "fail  model.safetensors: its sha256 is ");
}

TEST_F(ModelFiles, NumbersThatAreNotFiniteAndCutOffFiles) {
  copy("toy-f32", "Janus-Pro-1B");
  const std::string whole = scratch_.read("Janus-Pro-1B/model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, whole.data(), 8);
  const json header = json::parse(whole.substr(8, length));
  // A tensor that drawing does not read is read here too.
  const size_t at = header.at("vision_model.vision_tower.norm.weight").at("data_offsets").at(0);
  std::string bytes = whole;
  bytes.replace(8 + length + at + 4, 4, std::string("\x00\x00\x80\xff", 4));  // -infinity
  scratch_.write("Janus-Pro-1B/model.safetensors", bytes);
  const Outcome infinite = run({"verify", "-m", "Janus-Pro-1B"});
  EXPECT_EQ(infinite.exit_code, 65);
  expect_in(infinite.out,
            "fail  tensor \"vision_model.vision_tower.norm.weight\": number 1 is not finite");
  expect_in(infinite.out, "mend  bifrons pull janus-pro-1b --local-dir Janus-Pro-1B\n");
  scratch_.write("Janus-Pro-1B/model.safetensors", whole.substr(0, whole.size() - 1));
  const Outcome cut = run({"verify", "-m", "Janus-Pro-1B"});
  EXPECT_EQ(cut.exit_code, 65);
  expect_in(cut.out, "cut off");
  EXPECT_EQ(run({"verify", "-m", "nowhere"}).exit_code, 66);
}

TEST_F(ModelFiles, DoctorSaysEverythingAtOnce) {
  copy("grouped-query", "m");
  scratch_.write("m/tokenizer.json", kPointer);
  scratch_.write("m/config.json", "<!DOCTYPE html><title>Sign in</title>");
  scratch_.write("m/pytorch_model-00001-of-00002.bin", "");
  const fs::path second = scratch_ / "m/pytorch_model-00002-of-00002.bin";
  fs::resize_file(second, fs::file_size(second) / 2);
  scratch_.write("m/janus.gguf", "GGUF");
  scratch_.write("m/model.safetensors.incomplete", "x");
  scratch_.write("m/README.md", "# A model");
  fs::create_directory(scratch_ / "m/.git");
  const Outcome doctor = run({"doctor", "-m", "m"});
  EXPECT_EQ(doctor.exit_code, 65) << doctor.out;
  const std::string& out = doctor.out;
  expect_in(out, "fail  file     tokenizer.json is a git-lfs pointer, not the file itself");
  expect_in(out, "fail  file     config.json is a web page");
  expect_in(out, "fail  file     pytorch_model-00001-of-00002.bin empty file (0 bytes)");
  expect_in(out, "fail  file     pytorch_model-00002-of-00002.bin ");
  expect_in(out, "warn  file     janus.gguf is a GGUF file, which is not read");
  expect_in(out, "warn  file     model.safetensors.incomplete is an unfinished download");
  expect_in(out, "ok    file     README.md: not read, 9 bytes");
  expect_in(out, "ok    file     tokenizer_config.json: settings, ");
  expect_in(out, "      mend     git -C m lfs pull\n");
}

TEST_F(ModelFiles, DoctorNamesWhatIsMissing) {
  copy("grouped-query", "Janus-Pro-7B");
  const Outcome whole = run({"doctor", "-m", "Janus-Pro-7B"});
  EXPECT_EQ(whole.exit_code, 0) << whole.out;
  expect_in(whole.out, "ok    file     config.json: configuration, original form, ");
  expect_in(whole.out, "ok    file     pytorch_model-00001-of-00002.bin: weights, ");
  expect_in(whole.out, "ok    file     pytorch_model.bin.index.json: list of the weights' parts");
  expect_not_in(whole.out, "mend");
  fs::remove(scratch_ / "Janus-Pro-7B/tokenizer.json");
  fs::remove(scratch_ / "Janus-Pro-7B/pytorch_model-00001-of-00002.bin");
  const Outcome doctor = run({"doctor", "-m", "Janus-Pro-7B"});
  EXPECT_EQ(doctor.exit_code, 66) << doctor.out;
  expect_in(doctor.out, "fail  file     tokenizer.json is missing");
  expect_in(doctor.out, "pytorch_model-00001-of-00002.bin\": no such file");
  expect_in(doctor.out, "ok    file     pytorch_model-00002-of-00002.bin: weights, ");
  expect_in(doctor.out, "mend     bifrons pull janus-pro-7b --local-dir Janus-Pro-7B\n");
  // pull replaces a file that it has not written only when it is told to.
  scratch_.write("Janus-Pro-7B/config.json", "");
  expect_in(run({"doctor", "-m", "Janus-Pro-7B"}).out,
            "mend     bifrons pull janus-pro-7b --local-dir Janus-Pro-7B --overwrite\n");
  // In the cache, what is damaged has to go first.
  cache("wide-head", seven_);
  const fs::path snapshot = scratch_ / (seven_ + "/snapshots/" + kCommit);
  const fs::path blob = fs::canonical(snapshot / "pytorch_model.bin");
  fs::resize_file(blob, 100);
  expect_in(run({"doctor", "-m", "janus-pro-7b"}).out,
            "mend     rm " + blob.string() + " && bifrons pull janus-pro-7b\n");
}

TEST_F(ModelFiles, SafetensorsAreTakenWhereBothKindsAre) {
  copy("toy-f32", "m");
  ASSERT_EQ(draw("m").exit_code, 0);
  const std::string alone = scratch_.read("q.png");
  fs::copy_file(golden::directory() + "wide-head/pytorch_model.bin",
                scratch_ / "m/pytorch_model.bin");
  ASSERT_EQ(draw("m").exit_code, 0);
  EXPECT_EQ(scratch_.read("q.png"), alone);
  expect_in(run({"doctor", "-m", "m"}).out,
            "ok    file     pytorch_model.bin: not read: \"model.safetensors\" is read instead");
  // An empty file of a broken download does not silently change which weights are read.
  scratch_.write("m/model.safetensors", "");
  fs::remove(scratch_ / "q.png");
  expect_refused("m", 65, "empty file (0 bytes)");
  expect_in(run({"doctor", "-m", "m"}).out, "without it, the .bin files here would be read");
}

}  // namespace
}  // namespace bifrons::testing
