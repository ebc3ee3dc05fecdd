// Fuzz entry for pickles.
#include "src/weights/pickle.h"
#include "tests/weights/fuzz_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return bifrons::testing::fuzz(
      data, size, [](const std::string& bytes) { bifrons::read_pickle(bytes, "pickle"); });
}
