// Fuzz entry for config.json.
#include "src/model/config.h"
#include "tests/weights/fuzz_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return bifrons::testing::fuzz(
      data, size, [](const std::string& bytes) { bifrons::parse_config(bytes, "config"); });
}
