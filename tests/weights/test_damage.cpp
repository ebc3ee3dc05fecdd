// Damaged copies of valid files: the result is tensors or Error, within a time limit.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "src/io/directory.h"
#include "src/model/config.h"
#include "src/weights/pickle.h"
#include "src/weights/safetensors.h"
#include "src/weights/shards.h"
#include "src/weights/torch_file.h"
#include "tests/weights/cpu_time.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"
#include "tests/weights/memory_source.h"

namespace bifrons {
namespace {

using testing::accepts;
using testing::MemorySource;

// Checks an accepted container: every tensor lies in the file, and its bytes match its shape.
void check_container(const Container& container, int64_t file_bytes) {
  for (const TensorEntry& t : container.tensors) {
    ASSERT_GE(t.offset, 0);
    ASSERT_GE(t.bytes, 0);
    ASSERT_LE(t.offset + t.bytes, file_bytes);
    ASSERT_TRUE(element_count(t.shape).has_value());
    if (t.dtype) {
      ASSERT_EQ(t.bytes, *element_count(t.shape) * size_of(*t.dtype));
    }
    ASSERT_TRUE(t.strides.empty() || t.strides.size() == t.shape.size());
  }
}

struct Subject {
  const char* name;
  std::function<std::string()> good;
  std::function<void(const std::string&)> read;
};

std::string golden_archive() {
  return Directory::open(std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/torch/single")
      .read_file("pytorch_model.bin", 1 << 20);
}

// The pickle in the golden archive. It is found by its first bytes, and by STOP before the next
// local header.
std::string golden_pickle() {
  const std::string archive = golden_archive();
  const size_t begin = archive.find(
      "\x80\x02"
      "c");
  return archive.substr(begin, archive.find("PK\x07\x08", begin) - begin);
}

const char* const kConfig =
    R"({"model_type":"multi_modality",)"
    R"("language_config":{"model_type":"llama","num_hidden_layers":30,)"
    R"("vocab_size":102400,"max_position_embeddings":16384,"rms_norm_eps":1e-6},)"
    R"("gen_vision_config":{"cls":"VQ-16","params":{"image_token_size":16384,"n_embed":8}},)"
    R"("gen_head_config":{"params":{"image_token_embed":4096,"n_embed":4096}}})";

const Subject kSubjects[] = {
    {"safetensors", testing::small_safetensors_file,
     [](const std::string& file) {
       check_container(read_safetensors(MemorySource(file)), static_cast<int64_t>(file.size()));
     }},
    {"torch_file", testing::small_torch_file,
     [](const std::string& file) {
       check_container(read_torch_file(MemorySource(file)), static_cast<int64_t>(file.size()));
     }},
    {"golden_torch_file", golden_archive,
     [](const std::string& file) {
       check_container(read_torch_file(MemorySource(file)), static_cast<int64_t>(file.size()));
     }},
    {"pickle", golden_pickle, [](const std::string& bytes) { read_pickle(bytes, "\"p\""); }},
    {"index",
     [] {
       return std::string(
           R"({"metadata":{"total_size":9},"weight_map":{"a":"x-1.bin","b":"x-2.bin"}})");
     },
     [](const std::string& text) { parse_index(text, ".bin", "\"i\""); }},
    {"config", [] { return std::string(kConfig); },
     [](const std::string& text) { parse_config(text, "\"c\""); }},
};

class Damage : public ::testing::TestWithParam<Subject> {
 protected:
  const std::string good_ = GetParam().good();
  bool accepted(const std::string& bytes) const {
    return accepts([&] { GetParam().read(bytes); });
  }
};

TEST_P(Damage, NoneIsAccepted) { GetParam().read(good_); }

TEST_P(Damage, EveryTruncationIsRefused) {
  for (size_t length = 0; length < good_.size(); ++length) {
    ASSERT_FALSE(accepted(good_.substr(0, length))) << length;
  }
}

TEST_P(Damage, EveryByteReplaced) {
#ifdef __SANITIZE_THREAD__
  if (good_.size() > 2000) GTEST_SKIP() << "ThreadSanitizer keeps memory of every exception";
#endif
  for (size_t at = 0; at < good_.size(); ++at) {
    for (const char value : {'\0', '\x01', '\x7f', '\x80', '\xff', '"', '[', '9', '-'}) {
      std::string bad = good_;
      bad[at] = value;
      accepted(bad);
    }
  }
}

TEST_P(Damage, RandomFlips) {
  std::mt19937_64 random(20250101);
  const double seconds = testing::cpu_seconds_of([&] {
    for (int round = 0; round < 6000; ++round) {
      std::string bad = good_;
      for (uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
        const uint64_t bit = random() % (8 * bad.size());
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      }
      accepted(bad);
    }
  });
  EXPECT_LT(seconds, 120);  // one second on two cores, half a minute with ThreadSanitizer
}

TEST_P(Damage, RandomPiecesRemovedRepeatedAndOverwritten) {
  std::mt19937_64 random(42);
  const std::string boundary[] = {std::string(8, '\xff'),
                                  std::string(8, '\0'),
                                  std::string(7, '\xff') + '\x7f',
                                  std::string(7, '\0') + '\x80',
                                  std::string("\xff\xff\xff\x7f", 4),
                                  std::string("\0\0\0\x80", 4)};
  for (int round = 0; round < 4000; ++round) {
    std::string bad = good_;
    const size_t at = random() % bad.size();
    const size_t count = std::min<size_t>(1 + random() % 32, bad.size() - at);
    switch (random() % 4) {
      case 0:
        bad.erase(at, count);
        break;
      case 1:
        bad.insert(at, bad.substr(at, count));
        break;
      case 2: {
        const std::string& piece = boundary[random() % std::size(boundary)];
        bad.replace(at, std::min(piece.size(), bad.size() - at), piece);
        break;
      }
      default:
        bad.replace(at, count, bad.substr(random() % bad.size(), count));
        break;
    }
    accepted(bad);
  }
}

TEST_P(Damage, Noise) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string noise(random() % 300, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    accepted(noise);
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, Damage, ::testing::ValuesIn(kSubjects),
                         [](const auto& subject) { return subject.param.name; });

}  // namespace
}  // namespace bifrons
