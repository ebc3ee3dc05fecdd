// Model directories as users have them: every command loads the model, or prints one sentence with
// what to do.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "tests/cli/models_fixture.h"

namespace bifrons::testing {
namespace {

// The Hugging Face cache: snapshots with links to blobs.
class HubCache : public Models {
 protected:
  void SetUp() override {
    copy("wide-head", "hub/" + repository_ + "/blobs");
    fs::create_directories(scratch_ / ("hub/" + repository_ + "/refs"));
    fs::create_directories(snapshot());
    for (const auto& entry : fs::directory_iterator(scratch_ / ("hub/" + repository_ + "/blobs"))) {
      const std::string name = entry.path().filename();
      fs::create_symlink("../../blobs/" + name, snapshot() / name);
    }
    scratch_.write("hub/" + repository_ + "/refs/main", kCommit);
  }
  fs::path snapshot() const { return scratch_ / ("hub/" + repository_ + "/snapshots/" + kCommit); }
  void expect_named_after_the_repository(const std::string& model) const {
    SCOPED_TRACE(model);
    const Outcome drawn = draw(model);
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    const Outcome info = run({"info", "q.png"});
    EXPECT_NE(info.out.find("Janus-Pro-1B"), std::string::npos) << info.out;
    EXPECT_EQ(info.out.find(kCommit), std::string::npos) << info.out;
    fs::remove(scratch_ / "q.png");
  }

  const std::string repository_ = "models--deepseek-ai--Janus-Pro-1B";
};

TEST_F(HubCache, SnapshotsAreCalledByTheirRepository) {
  expect_named_after_the_repository(snapshot());
  expect_named_after_the_repository(snapshot().string() + "/");
  fs::create_symlink(snapshot(), scratch_ / "janus");
  expect_named_after_the_repository("janus");
}

TEST_F(HubCache, RepositoriesStandForTheirMainSnapshot) {
  const std::string repository = "hub/" + repository_;
  expect_named_after_the_repository(repository);
  scratch_.write(repository + "/refs/main", std::string(kCommit) + "\n");
  expect_named_after_the_repository(repository);
  fs::remove(scratch_ / (repository + "/refs/main"));
  expect_named_after_the_repository(repository);  // the only snapshot
  fs::create_directories(scratch_ / (repository + "/snapshots/another"));
  expect_refused(repository, 66, "names no snapshot; name one of its 2, such as");
  scratch_.write(repository + "/refs/main", "../../..");
  expect_refused(repository, 66, "names no snapshot; name one of its 2, such as");
}

TEST_F(HubCache, NamesOfTheHubAreFoundThere) {
  const std::string id = "deepseek-ai/Janus-Pro-1B";
  for (const char* name : {id.c_str(), "janus-pro-1b", "Janus-Pro-1B"}) {
    expect_refused(name, 66, "Not downloaded yet?            bifrons pull janus-pro-1b\n");
  }
  expect_refused("janus-1.3b@refs/pr/2", 66, "bifrons pull janus-1.3b@refs/pr/2\n");
  expect_refused("someone/Janus-4o", 66, "bifrons pull someone/Janus-4o\n");
  variables_["HF_HUB_CACHE"] = (scratch_ / "hub").string();
  expect_named_after_the_repository(id);
  expect_named_after_the_repository("janus-pro-1b");
  expect_named_after_the_repository("Janus-Pro-1B@main");
  expect_named_after_the_repository(id + "@" + kCommit);
  expect_named_after_the_repository(id + "@" + std::string(kCommit).substr(0, 7));
  expect_refused(id + "@" + std::string(kCommit).substr(0, 6), 66, "has no snapshot of revision");
  expect_refused(id + "@refs/pr/9", 66, "download it: bifrons pull janus-pro-1b@refs/pr/9");
  expect_refused(id + "@../main", 66, "Looked in");
  fs::create_directories(scratch_ / ("hub/" + repository_ + "/refs/refs/pr"));
  scratch_.write("hub/" + repository_ + "/refs/refs/pr/9", kCommit);
  expect_named_after_the_repository(id + "@refs/pr/9");
  variables_ = {{"HF_HOME", scratch_.path().string()}};
  expect_named_after_the_repository(id);
  expect_refused("deepseek-ai/Janus-Pro-7B", 66, "models--deepseek-ai--Janus-Pro-7B");
  expect_refused("hub", 66, "is the hub's cache; name one of its models");
}

TEST_F(Models, PointersAndPagesInPlaceOfFiles) {
  for (const char* name : {"model.safetensors", "tokenizer.json", "config.json"}) {
    copy("toy-f32", "m");
    scratch_.write(std::string("m/") + name, kPointer);
    expect_refused("m", 65, "is a git-lfs pointer, not the file itself; fetch the real file");
    scratch_.write(std::string("m/") + name, "<!DOCTYPE html><title>Sign in</title>");
    expect_refused("m", 65, "is a web page, not ");
    scratch_.write(std::string("m/") + name, "");
    expect_refused("m", 65, "empty file (0 bytes); download it again");
  }
}

TEST_F(Models, CutOffFilesAndMissingParts) {
  copy("toy-f32", "m");
  const std::string whole = scratch_.read("m/model.safetensors");
  scratch_.write("m/model.safetensors", whole.substr(0, 200'000));
  expect_refused(
      "m", 65,
      "cut off: 200000 of " + std::to_string(whole.size()) + " bytes are there; download it again");
  copy("grouped-query", "parts");
  fs::remove(scratch_ / "parts/pytorch_model.bin.index.json");
  EXPECT_EQ(draw("parts").exit_code, 0);  // the numbers in the names show that all parts exist
  fs::remove(scratch_ / "q.png");
  fs::remove(scratch_ / "parts/pytorch_model-00001-of-00002.bin");
  expect_refused("parts", 66, "part 1 of 2 is missing; download it");
}

TEST_F(Models, OtherThingsThanModels) {
  const auto holds = [&](const char* file, int code, std::string_view text) {
    TemporaryDirectory other;
    fs::create_directories(scratch_ / "other");
    scratch_.write(std::string("other/") + file, "x");
    expect_refused("other", code, text);
    fs::remove_all(scratch_ / "other");
  };
  holds("model.gguf", 66, "is a GGUF file, which is not read");
  holds("adapter_config.json", 66, "holds a LoRA adapter, not a model; merge it");
  holds("model_index.json", 66, "holds a diffusers pipeline");
  holds("Janus-Pro-1B.zip", 66, "unpack it");
  holds("model.safetensors.part", 66, "holds an unfinished download");
  holds("weights.npz", 66, "is an archive of NumPy arrays (MLX), which is not read");
  holds("notes.txt", 66, "config.json\": no such file; is this the model's directory?");
  fs::create_directories(scratch_ / "ollama/blobs");
  fs::create_directories(scratch_ / "ollama/manifests");
  expect_refused("ollama", 66, "holds a model of Ollama");
  scratch_.write("janus.gguf", "GGUF");
  expect_refused("janus.gguf", 66, "it is a GGUF file, which is not read");
  scratch_.write("janus.zip", "PK");
  expect_refused("janus.zip", 66, "unpack it and name the directory");
  copy("toy-f32", "m");
  expect_refused("m/model.safetensors", 66, "name the directory that it is in, \"m\"");
  scratch_.write("m/config.json", R"({"model_type":"multi_modality","vision_gen_enc_config":{}})");
  expect_refused("m", 65, "describes JanusFlow");
}

TEST_F(Models, FilesUnderOtherNamesAndInOtherPlaces) {
  for (const char* name : {"model (1).safetensors", "model.safetensors (1)", "model.SAFETENSORS"}) {
    copy("toy-f32", "m");
    fs::rename(scratch_ / "m/model.safetensors", scratch_ / "m" / name);
    expect_refused("m", 66, "holds \"" + std::string(name) + "\"; call it model.safetensors if");
    fs::remove_all(scratch_ / "m");
  }
  copy("toy-f32", "above/Janus-Pro-1B");
  expect_refused("above", 66, "its folder \"Janus-Pro-1B\" does; name that one");
  copy("toy-f32", "m");
  fs::create_directory(scratch_ / "m/weights");
  fs::rename(scratch_ / "m/model.safetensors", scratch_ / "m/weights/model.safetensors");
  expect_refused("m", 66, "holds its weights in a folder, \"weights\"; move them up");
}

TEST_F(Models, WithoutATokenizer) {
  copy("toy-f32", "m");
  fs::remove(scratch_ / "m/tokenizer.json");
  const auto refused = [&](std::string_view text) {
    const Outcome drawn = draw("m");  // inspect needs no tokenizer
    EXPECT_EQ(drawn.exit_code, 66);
    EXPECT_NE(drawn.err.find(text), std::string::npos) << drawn.err;
  };
  refused("tokenizer.json\": no such file; download it");
  scratch_.write("m/tokenizer.model", "x");
  refused("no such file; tokenizer.model cannot stand for it");
}

TEST_F(Models, LinksThatLeadNowhere) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    copy("toy-f32", "m");
    const fs::path file = scratch_ / "m" / name;
    fs::remove(file);
    fs::create_symlink("../blobs/b1", file);
    expect_refused("m", 66, "is a link to \"../blobs/b1\", which is not there; download it again");
    fs::create_directory(scratch_ / "blobs");
    scratch_.write("blobs/b1.incomplete", "x");
    expect_refused("m", 66, "is a link to \"../blobs/b1\", whose download is not finished");
    fs::remove_all(scratch_ / "blobs");
    fs::remove_all(scratch_ / "m");
  }
}

TEST_F(Models, ConfigsOfEditorsThatWriteUtf16) {
  copy("toy-f32", "m");
  const std::string config = scratch_.read("m/config.json");
  for (const bool little : {true, false}) {
    std::string wide = little ? "\xff\xfe" : "\xfe\xff";
    for (const char c : config) wide += little ? std::string{c, '\0'} : std::string{'\0', c};
    scratch_.write("m/config.json", wide);
    expect_refused("m", 65, "is UTF-16 text; save it as UTF-8");
    scratch_.write("m/config.json", wide.substr(2));
    expect_refused("m", 65, "is UTF-16 text; save it as UTF-8");
  }
}

// Special files are refused by type before any byte is read. So no read blocks and memory is
// bounded.
TEST_F(Models, SpecialFilesBehindEveryName) {
  copy("grouped-query", "m");
  for (const char* name :
       {"config.json", "tokenizer.json", "tokenizer_config.json", "pytorch_model.bin.index.json",
        "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"}) {
    SCOPED_TRACE(name);
    const fs::path file = scratch_ / (std::string("m/") + name);
    const std::string whole = scratch_.read(std::string("m/") + name);
    fs::remove(file);
    ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
    expect_refused("m", 65, "is a pipe, not a regular file");
    fs::remove(file);
    for (const char* device : {"/dev/zero", "/dev/urandom"}) {
      fs::create_symlink(device, file);
      expect_refused("m", 65, "is a device, not a regular file");
      fs::remove(file);
    }
    fs::create_directory(file);
    expect_refused("m", 65, "is a directory, not a regular file");
    fs::remove(file);
    fs::create_symlink(file.filename(), file);  // loop
    expect_refused("m", 66, name);
    fs::remove(file);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, file.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    expect_refused("m", 65, "not a regular file");
    ::close(listener);
    fs::remove(file);
    scratch_.write(std::string("m/") + name, "x");
    fs::resize_file(file, uint64_t{1} << 40);  // sparse file
    expect_refused("m", 65, name);
    scratch_.write(std::string("m/") + name, whole);
  }
  EXPECT_EQ(draw("m").exit_code, 0);
}

TEST_F(Models, TheDirectoryItselfMayBeAnything) {
  ASSERT_EQ(::mkfifo((scratch_ / "pipe").c_str(), 0600), 0);
  expect_refused("pipe", 66, "(not a directory)");
  fs::create_symlink("loop", scratch_ / "loop");
  expect_refused("loop", 66, "Looked in");
  expect_refused(std::string(300, 'x'), 66, "Looked in");
  fs::create_directory(scratch_ / "empty");
  expect_refused("empty", 66, "is empty");
}

TEST_F(Models, NothingIsDrawnFromNumbersThatAreNotFinite) {
  copy("toy-hf", "m");
  std::string file, bytes;
  for (const char* part : {"1", "2", "3"}) {
    file = std::string("m/model-0000") + part + "-of-00003.safetensors";
    bytes = scratch_.read(file);
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    const auto header = nlohmann::json::parse(bytes.substr(8, length));
    const auto found = header.find("model.vqmodel.decoder.conv_in.weight");
    if (found == header.end()) continue;
    const size_t at = found->at("data_offsets").at(0);
    bytes.replace(8 + length + at, 2, "\xc0\x7f");  // NaN in bf16
    break;
  }
  const Outcome encoded = [&] {
    EXPECT_EQ(draw("m").exit_code, 0);
    return run({"encode", "-m", "m", "q.png", "-o", "tokens.json"});
  }();
  EXPECT_EQ(encoded.exit_code, 0) << encoded.err;
  scratch_.write(file, bytes);
  fs::rename(scratch_ / "q.png", scratch_ / "whole.png");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"generate", "-m", "m", "a fox", "-s", "1", "-o", "q.png"},
        {"grid", "-m", "m", "a fox", "-x", "cfg=1,2", "-o", "q.png"},
        {"decode", "-m", "m", "tokens.json", "-o", "q.png"},
        {"reconstruct", "-m", "m", "whole.png", "-o", "q.png"},
        {"vary", "-m", "m", "whole.png", "-p", "a fox", "--keep-rows", "1", "-o", "q.png"}}) {
    const Outcome refused = run(command);
    EXPECT_EQ(refused.exit_code, 65) << command[0] << ": " << refused.err;
    EXPECT_NE(refused.err.find("stop being finite"), std::string::npos) << refused.err;
    EXPECT_FALSE(fs::exists(scratch_ / "q.png")) << command[0];
  }
  scratch_.write("p.txt", "a fox --seed 1\na cat\na fox --seed 1\n");
  const Outcome batch = run({"batch", "-m", "m", "p.txt", "-o", "out"});
  EXPECT_EQ(batch.exit_code, 3) << batch.err;
  EXPECT_NE(batch.err.find("p.txt:2: "), std::string::npos) << batch.err;
  EXPECT_EQ(batch.err.find("are listed with it"), std::string::npos) << batch.err;
  EXPECT_NE(batch.err.find("3 failed"), std::string::npos) << batch.err;
  EXPECT_EQ(scratch_.read("out/metadata.jsonl"), "");
}

}  // namespace
}  // namespace bifrons::testing
