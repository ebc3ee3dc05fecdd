// Damaged model directories: each fault is one sentence that names it.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "src/bifrons.h"
#include "src/understand.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

// A copy of toy-f32 in a temporary directory that a test may damage.
class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(golden::directory() + "toy-f32/" + name, directory_ / name);
    }
  }

  // Changes the header of model.safetensors and keeps its data at the same offsets.
  void edit_header(const std::function<void(nlohmann::ordered_json&)>& edit) const {
    std::string bytes = directory_.read("model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    auto header = nlohmann::ordered_json::parse(bytes.substr(8, length));
    edit(header);
    const std::string data = bytes.substr(8 + length), text = header.dump();
    length = text.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    directory_.write("model.safetensors", out + text + data);
  }
  // The header, and where the data begin.
  std::pair<nlohmann::ordered_json, size_t> header_of(const std::string& bytes) const {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    return {nlohmann::ordered_json::parse(bytes.substr(8, length)), 8 + length};
  }
  // Another toy in the place of toy-f32.
  void use(const std::string& toy) const {
    for (const std::string& name : directory_.names()) fs::remove(directory_ / name);
    for (const auto& entry : fs::directory_iterator(golden::directory() + toy)) {
      if (!entry.is_regular_file()) continue;
      fs::copy_file(entry.path(), directory_ / entry.path().filename().string());
    }
  }
  // Its tensors by name, with the files that they are in.
  std::map<std::string, std::string> tensors() const {
    std::map<std::string, std::string> found;
    for (const std::string& file : directory_.names()) {
      if (!file.ends_with(".safetensors")) continue;
      const auto [header, begin] = header_of(directory_.read(file));
      for (const auto& [name, entry] : header.items()) {
        if (name != "__metadata__") found.emplace(name, file);
      }
    }
    return found;
  }
  // Makes the first number of a tensor one of these bits of f32, of which bf16 has the upper half.
  // Returns the file as it was.
  std::string put(const std::string& tensor, uint32_t bits) const {
    const std::string file = tensors().at(tensor);
    const std::string good = directory_.read(file);
    const auto [header, begin] = header_of(good);
    const size_t at = header.at(tensor).at("data_offsets").at(0);
    const bool half = header.at(tensor).at("dtype") == "BF16";
    std::string bytes = good;
    std::memcpy(bytes.data() + begin + at, reinterpret_cast<const char*>(&bits) + (half ? 2 : 0),
                half ? 2 : 4);
    directory_.write(file, bytes);
    return good;
  }
  // Adds a tensor with the shape and the elements of another one.
  void add(const std::string& like, const std::string& name) const {
    std::string bytes = directory_.read("model.safetensors");
    const auto [header, begin] = header_of(bytes);
    const size_t from = header.at(like).at("data_offsets").at(0);
    const size_t to = header.at(like).at("data_offsets").at(1);
    const size_t end = bytes.size() - begin;
    directory_.write("model.safetensors", bytes + bytes.substr(begin + from, to - from));
    edit_header([&](nlohmann::ordered_json& now) {
      nlohmann::ordered_json entry = now[like];
      entry["data_offsets"] = {end, end + to - from};
      now[name] = entry;
    });
  }
  void rename(const std::function<std::string(const std::string&)>& renamed) const {
    edit_header([&](nlohmann::ordered_json& header) {
      nlohmann::ordered_json now;
      for (const auto& [name, entry] : header.items()) {
        now[name == "__metadata__" ? name : renamed(name)] = entry;
      }
      header = now;
    });
  }
  Drawing drawn() const {
    Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
    const DrawRequest request{.prompt = "a cat", .seed = 1};
    return std::move(engine.draw({&request, 1}).front());
  }
  // The sentence opening (and drawing) fails with; empty when it works.
  std::string fault(ErrorKind* kind = nullptr) const {
    try {
      Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
      const DrawRequest request{.prompt = "a cat", .seed = 1};
      engine.draw({&request, 1});
      return "";
    } catch (const Error& e) {
      if (kind) *kind = e.kind();
      return e.what();
    }
  }
  testing::TemporaryDirectory directory_;
};

TEST_F(Damage, NoneWorks) { EXPECT_EQ(fault(), ""); }

TEST_F(Damage, AllMissingAndMisshapenTensorsAreNamedTogether) {
  edit_header([](nlohmann::ordered_json& header) {
    header["renamed"] = header["gen_embed.weight"];
    header.erase("gen_embed.weight");
    auto& shape = header["language_model.model.layers.1.mlp.down_proj.weight"]["shape"];
    std::swap(shape[0], shape[1]);
  });
  ErrorKind kind{};
  const std::string sentence = fault(&kind);
  EXPECT_EQ(kind, ErrorKind::kData);
  EXPECT_NE(sentence.find("gen_embed.weight is missing"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("layers.1.mlp.down_proj.weight is [56, 24] where config.json asks for "
                          "[24, 56]"),
            std::string::npos)
      << sentence;
  EXPECT_EQ(sentence.find('\n'), std::string::npos);
}

TEST_F(Damage, NotANumberInTheWeightsIsReportedNotDrawn) {
  put("language_model.model.norm.weight", 0x7fc00000u);
  ErrorKind kind{};
  const std::string sentence = fault(&kind);
  EXPECT_EQ(kind, ErrorKind::kData);
  EXPECT_NE(sentence.find("finite"), std::string::npos) << sentence;
}

constexpr uint32_t kNotFinite[] = {0x7fc00000u, 0x7f800000u, 0xff800000u};  // NaN, inf, -inf

// One odd number in any tensor between codes and pixels: no picture, whatever the kind of layer.
TEST_F(Damage, NoPictureIsDecodedFromNumbersThatAreNotFinite) {
  for (const std::string toy : {"toy-f32", "toy-hf"}) {
    use(toy);
    ASSERT_EQ(fault(), "");
    for (const auto& [name, file] : tensors()) {
      const bool tokenizer = name.find("vqmodel.") != std::string::npos ||
                             name.find("gen_vision_model.") != std::string::npos;
      const bool encoder = name.find(".encoder.") != std::string::npos ||
                           name.find(".quant_conv.") != std::string::npos ||
                           name.find("codebook_used") != std::string::npos;
      if (!tokenizer || encoder) continue;
      for (const uint32_t bits : kNotFinite) {
        const std::string good = put(name, bits);
        ErrorKind kind{};
        const std::string sentence = fault(&kind);
        EXPECT_NE(sentence.find("finite"), std::string::npos) << name << " " << bits << sentence;
        EXPECT_EQ(kind, ErrorKind::kData) << name;
        directory_.write(file, good);
      }
    }
  }
}

TEST_F(Damage, NoCodesAreMadeFromNumbersThatAreNotFinite) {
  use("toy-hf");
  const auto encoded = [&]() -> std::string {
    try {
      Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
      const int64_t size = engine.model().image_size;
      Picture picture{size, size, std::vector<uint8_t>(size * size * 3, 77)};
      for (size_t i = 0; i < picture.rgb.size(); i += 5) picture.rgb[i] = 200;
      engine.encode(picture);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      return error.what();
    }
  };
  EXPECT_EQ(encoded(), "");
  for (const auto& [name, file] : tensors()) {
    const bool encoder = name.starts_with("model.vqmodel.encoder.") ||
                         name.starts_with("model.vqmodel.quant_conv.") ||
                         name.starts_with("model.vqmodel.quantize.embedding.");
    if (!encoder) continue;
    for (const uint32_t bits : kNotFinite) {
      const std::string good = put(name, bits);
      EXPECT_NE(encoded().find("finite"), std::string::npos) << name << " " << bits;
      directory_.write(file, good);
    }
  }
}

// The tower and the aligner: no words.
TEST_F(Damage, NothingIsSaidFromNumbersThatAreNotFinite) {
  for (const std::string toy : {"toy-f32", "toy-sees"}) {
    use(toy);
    const auto said = [&]() -> std::string {
      try {
        Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
        Understanding understanding = Understanding::open(engine);
        Picture picture{9, 7, std::vector<uint8_t>(9 * 7 * 3, 77)};
        for (size_t i = 0; i < picture.rgb.size(); i += 5) picture.rgb[i] = 200;
        understanding.show(picture);
        understanding.say("What is it?", {.max_tokens = 1});
        return "";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kData);
        return error.what();
      }
    };
    EXPECT_EQ(said(), "");
    for (const auto& [name, file] : tensors()) {
      const bool seeing =
          name.starts_with("vision_model.vision_tower.") || name.starts_with("aligner.");
      if (!seeing || name.find("attn_pool") != std::string::npos) continue;
      for (const uint32_t bits : kNotFinite) {
        const std::string good = put(name, bits);
        EXPECT_NE(said().find("finite"), std::string::npos) << name << " " << bits;
        directory_.write(file, good);
      }
    }
  }
}

// A batch hears of each picture, on whichever thread it is decoded.
TEST_F(Damage, ABatchSaysWhichPicturesAreNotFinite) {
  put("gen_vision_model.decoder.conv_out.bias", 0x7fc00000u);
  for (const bool beside : {false, true}) {
    Engine engine =
        Engine::open({.model = directory_.path(), .threads = 1, .decode_beside = beside});
    uint64_t next = 0;
    std::set<uint64_t> failed;
    const BatchStats stats = engine.draw_batch(
        [&]() -> std::optional<BatchJob> {
          if (next == 3) return {};
          return BatchJob{next++, {.prompt = "a cat", .seed = next}};
        },
        [&](BatchResult result) {
          ASSERT_TRUE(result.error.has_value());
          EXPECT_FALSE(result.drawing.has_value());
          EXPECT_EQ(result.error->kind(), ErrorKind::kData);
          failed.insert(result.id);
        },
        {.lanes = 2});
    EXPECT_EQ(failed, (std::set<uint64_t>{0, 1, 2}));
    EXPECT_EQ(stats.pictures, 0);
    EXPECT_EQ(stats.failures, 3);
    EXPECT_FALSE(stats.stopped);
  }
}

// More of a known part than config.json says: it would draw, but something else.
TEST_F(Damage, PartsThatTheConfigDeniesAreRefused) {
  const std::string good = directory_.read("model.safetensors");
  const struct {
    const char* like;
    const char* name;
    const char* key;
  } cases[] = {
      {"language_model.model.layers.1.mlp.up_proj.weight",
       "language_model.model.layers.2.mlp.up_proj.weight",
       "language_config.num_hidden_layers is 2"},
      {"language_model.model.norm.weight", "language_model.model.layers.0.self_attn.q_proj.bias",
       "language_config.attention_bias is false"},
      {"gen_vision_model.decoder.conv_out.bias",
       "gen_vision_model.decoder.conv_blocks.4.res.0.conv1.bias", "decoder_ch_mult is ["},
      {"gen_vision_model.decoder.conv_out.bias",
       "gen_vision_model.decoder.conv_blocks.0.res.3.conv1.bias", "num_res_blocks is "},
      {"gen_vision_model.decoder.conv_in.bias",
       "gen_vision_model.encoder.conv_blocks.0.res.2.conv1.bias", "num_res_blocks is "},
      {"gen_vision_model.decoder.conv_in.bias",
       "gen_vision_model.encoder.conv_blocks.4.res.0.conv1.bias", "encoder_ch_mult is ["},
      {"gen_aligner.layers.2.bias", "gen_aligner.layers.4.bias",
       "gen_aligner_config.params.depth is 2"},
      {"gen_head.vision_head.bias", "gen_head.second_head.bias", "describes no such tensor"},
      {"gen_vision_model.decoder.conv_in.bias", "gen_vision_model.decoder.mid.3.norm1.bias",
       "describes no such tensor"},
  };
  for (const auto& [like, name, key] : cases) {
    add(like, name);
    ErrorKind kind{};
    const std::string sentence = fault(&kind);
    EXPECT_EQ(kind, ErrorKind::kData) << name;
    EXPECT_NE(sentence.find(name), std::string::npos) << sentence;
    EXPECT_NE(sentence.find(key), std::string::npos) << name << ": " << sentence;
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
    try {
      inspect(directory_.path());
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), sentence);
    }
    directory_.write("model.safetensors", good);
  }
}

// Fewer layers in config.json than in the files.
TEST_F(Damage, AConfigOfAnotherModelIsRefused) {
  std::string config = directory_.read("config.json");
  const std::string two = "\"num_hidden_layers\": 2";
  const size_t at = config.find(two);
  ASSERT_NE(at, std::string::npos);
  config.replace(at, two.size(), "\"num_hidden_layers\": 1");
  directory_.write("config.json", config);
  EXPECT_NE(fault().find("language_config.num_hidden_layers is 1"), std::string::npos) << fault();
}

TEST_F(Damage, WhatFilesCarryBesideTheNetworkIsHarmless) {
  const Drawing plain = drawn();
  for (const char* name :
       {"language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
        "language_model.model.rotary_emb.inv_freq", "vision_model.vision_tower.attn_pool.q.bias",
        "vision_model.vision_tower.position_ids", "gen_vision_model.quantize.codebook_used",
        "gen_vision_model.quantize.embed_avg", "gen_vision_model.quantize.cluster_size",
        "gen_vision_model.loss.discriminator.main.0.bias", "model_ema.gen_embed_weight",
        "gen_vision_model.decoder.ema_conv_out.bias", "lm_head.weight", "another_head.0.bias",
        "dit.layers.0.bias", "logit_scale"}) {
    if (tensors().contains(name)) continue;  // the toy has it as the published files do
    add("gen_vision_model.decoder.conv_out.bias", name);
  }
  EXPECT_EQ(fault(), "");
  const Drawing drawing = drawn();
  EXPECT_EQ(drawing.tokens, plain.tokens);
  EXPECT_EQ(drawing.picture.rgb, plain.picture.rgb);
}

// Words of wrappers before every name.
TEST_F(Damage, PrefixesOfWrappersAreLookedThrough) {
  const Drawing plain = drawn();
  const std::string good = directory_.read("model.safetensors");
  for (const std::string prefix : {"module.", "model.", "base_model.model.", "_orig_mod.module."}) {
    rename([&](const std::string& name) { return prefix + name; });
    EXPECT_EQ(fault(), "") << prefix;
    EXPECT_EQ(drawn().picture.rgb, plain.picture.rgb) << prefix;
    EXPECT_NE(inspect(directory_.path()).find("transformer"), std::string::npos);
    add(prefix + "gen_aligner.layers.2.bias", prefix + "gen_aligner.layers.4.bias");
    EXPECT_NE(fault().find("gen_aligner.layers.4.bias"), std::string::npos) << fault();
    directory_.write("model.safetensors", good);
  }
  add("gen_embed.weight", "ema.gen_embed.weight");
  EXPECT_EQ(fault(), "");  // a copy beside the model itself
  rename(
      [&](const std::string& name) { return name.starts_with("ema.") ? name : "module." + name; });
  EXPECT_NE(fault().find("two models, one under \"ema.\" and one under \"module.\""),
            std::string::npos)
      << fault();
}

// Numbers of other types, and what stands in the place of a matrix in quantised files.
TEST_F(Damage, TypesThatAreNotReadAreNamed) {
  const std::string good = directory_.read("model.safetensors");
  const std::string type = "is not supported; bf16, f16 and f32 are";
  for (const char* dtype : {"I32", "U32"}) {  // of as many bytes
    edit_header([&](nlohmann::ordered_json& header) {
      header["language_model.model.layers.0.mlp.up_proj.weight"]["dtype"] = dtype;
    });
    EXPECT_NE(fault().find(std::string(dtype) + " " + type), std::string::npos) << fault();
  }
  directory_.write("model.safetensors", good);
  edit_header([&](nlohmann::ordered_json& header) {
    header["language_model.model.embed_tokens.weight"]["dtype"] = "I32";
  });
  EXPECT_NE(fault().find("I32 " + type), std::string::npos) << fault();
  directory_.write("model.safetensors", good);
  add("gen_embed.weight", "language_model.model.layers.0.mlp.up_proj.qweight");
  edit_header([](nlohmann::ordered_json& header) {
    header["odd"] = header["language_model.model.layers.0.mlp.up_proj.weight"];
    header.erase("language_model.model.layers.0.mlp.up_proj.weight");
  });
  EXPECT_NE(fault().find("quantised"), std::string::npos) << fault();
  directory_.write("model.safetensors", good);
  rename([](std::string name) {
    const size_t at = name.find("q_proj.weight");
    return at == std::string::npos ? name : name.replace(at, 6, "q_proj.base_layer");
  });
  EXPECT_NE(fault().find("LoRA adapter that is not merged"), std::string::npos) << fault();
}

// What transformers writes of a model whose head is tied: no lm_head.weight.
TEST_F(Damage, ATiedHeadIsTheTokenEmbedding) {
  use("toy-sees");
  const auto said = [&] {
    Engine engine = Engine::open({.model = directory_.path(), .threads = 1});
    Understanding understanding = Understanding::open(engine);
    return understanding.say("What is it?", {.max_tokens = 6}).tokens;
  };
  const std::string good = directory_.read("model.safetensors");
  const auto [header, begin] = header_of(good);
  const auto offsets = [&, &h = header](const char* name) -> std::pair<size_t, size_t> {
    const auto& range = h.at(name).at("data_offsets");
    return {range.at(0), range.at(1)};
  };
  const auto [from, to] = offsets("language_model.model.embed_tokens.weight");
  std::string copied = good;
  copied.replace(begin + offsets("language_model.lm_head.weight").first, to - from,
                 good.substr(begin + from, to - from));
  directory_.write("model.safetensors", copied);
  const auto expected = said();

  directory_.write("model.safetensors", good);
  const auto untied = said();
  ASSERT_NE(untied, expected) << "the heads are alike: the test says nothing";
  std::string config = directory_.read("config.json");
  config.insert(config.find('{') + 1, R"("tie_word_embeddings": true,)");
  directory_.write("config.json", config);
  EXPECT_EQ(said(), untied) << "a head that is there is used, whatever the config says";
  rename([](const std::string& name) {
    return name == "language_model.lm_head.weight" ? "unused" : name;
  });
  EXPECT_EQ(said(), expected);

  config.replace(config.find("true"), 4, "false");
  directory_.write("config.json", config);
  EXPECT_THROW(said(), Error);
}

TEST_F(Damage, AQuantisedConfigIsNamed) {
  std::string config = directory_.read("config.json");
  config.insert(config.find('{') + 1,
                R"("quantization_config": {"quant_method": "bitsandbytes"},)");
  directory_.write("config.json", config);
  EXPECT_NE(fault().find("quantization_config says that the weights are quantised"),
            std::string::npos)
      << fault();
}

TEST_F(Damage, ATokenizerLargerThanTheVocabularyIsRefused) {
  std::string config = directory_.read("config.json");
  const size_t at = config.find("307");
  ASSERT_NE(at, std::string::npos);
  config.replace(at, 3, "299");
  directory_.write("config.json", config);
  EXPECT_NE(fault().find("vocab_size"), std::string::npos) << fault();
}

TEST_F(Damage, EveryFileMayBeMissing) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const std::string bytes = directory_.read(name);
    fs::remove(directory_ / name);
    ErrorKind kind{};
    EXPECT_NE(fault(&kind), "") << name;
    EXPECT_EQ(kind, ErrorKind::kMissing) << name;
    directory_.write(name, bytes);
  }
}

TEST_F(Damage, TruncatedAnywhereIsOneSentence) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const std::string bytes = directory_.read(name);
    for (size_t part = 0; part < 16; ++part) {
      directory_.write(name, bytes.substr(0, bytes.size() * part / 16));
      const std::string sentence = fault();
      EXPECT_NE(sentence, "") << name << " cut to " << part << "/16";
      EXPECT_EQ(sentence.find('\n'), std::string::npos);
    }
    directory_.write(name, bytes);
  }
}

// torch writes checksums but does not verify them. A single flipped bit of a weight would only
// change the pictures.
TEST_F(Damage, AFlippedBitInATorchFileIsFound) {
  for (const char* name : {"model.safetensors", "config.json"}) fs::remove(directory_ / name);
  for (const char* name : {"config.json", "pytorch_model.bin", "tokenizer.json"}) {
    fs::copy_file(golden::directory() + "wide-head/" + name, directory_ / name,
                  fs::copy_options::overwrite_existing);
  }
  ASSERT_EQ(fault(), "");
  const std::string good = directory_.read("pytorch_model.bin");
  for (const double where : {0.3, 0.5, 0.7}) {
    std::string bad = good;
    char& byte = bad[static_cast<size_t>(where * static_cast<double>(bad.size()))];
    byte = static_cast<char>(byte ^ 1);
    directory_.write("pytorch_model.bin", bad);
    ErrorKind kind{};
    const std::string sentence = fault(&kind);
    EXPECT_NE(sentence.find("checksum"), std::string::npos) << where << ": " << sentence;
    EXPECT_EQ(kind, ErrorKind::kData);
  }
}

}  // namespace
}  // namespace bifrons
