// Replaces libFuzzer if the compiler has none. Usage: fuzz_READER RUNS SEED FILE... Runs every file
// unchanged, then RUNS damaged copies; the same seed gives the same copies. With
// BIFRONS_FUZZ_SECONDS=N it runs for N seconds, from a seed that it prints.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// One small change: a byte, a number, or a piece that is removed, repeated or copied from another
// file.
void damage(std::string& bytes, const std::string& other, std::mt19937_64& random) {
  const size_t at = bytes.empty() ? 0 : random() % bytes.size();
  const size_t count = std::min<size_t>(1 + random() % 64, bytes.size() - at);
  switch (random() % 5) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
      break;
    case 1: {
      const uint64_t number = (uint64_t{1} << (random() % 64)) + random() % 3 - 1;
      for (size_t i = 0; i < 8 && at + i < bytes.size(); ++i) {
        bytes[at + i] = static_cast<char>(number >> (8 * i));
      }
      break;
    }
    case 2:
      bytes.erase(at, count);
      break;
    case 3:
      bytes.insert(at, bytes.substr(at, count));
      break;
    default:
      bytes.replace(at, count, other.substr(other.empty() ? 0 : random() % other.size(), count));
      break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " RUNS SEED FILE...\n";
    return 2;
  }
  std::vector<std::string> corpus;
  for (int i = 3; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(corpus.back());
  }
  const char* const asked = std::getenv("BIFRONS_FUZZ_SECONDS");
  const double seconds = asked ? std::strtod(asked, nullptr) : 0;
  const uint64_t seed = asked ? std::random_device{}() : std::strtoull(argv[2], nullptr, 10);
  if (asked) std::cout << "seed " << seed << std::endl;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  std::mt19937_64 random(seed);
  const uint64_t least = std::strtoull(argv[1], nullptr, 10);
  for (uint64_t runs = 0; asked ? Clock::now() < end : runs < least; ++runs) {
    std::string bytes = corpus[random() % corpus.size()];
    for (uint64_t n = 1 + random() % 6; n > 0; --n) {
      damage(bytes, corpus[random() % corpus.size()], random);
    }
    run(bytes);
  }
}
