// Fuzz entry for the index of a sharded checkpoint.
#include "src/weights/shards.h"
#include "tests/weights/fuzz_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return bifrons::testing::fuzz(
      data, size, [](const std::string& bytes) { bifrons::parse_index(bytes, ".bin", "index"); });
}
