// Fuzz entry for safetensors files.
#include "src/weights/safetensors.h"
#include "tests/weights/fuzz_entry.h"
#include "tests/weights/memory_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return bifrons::testing::fuzz(data, size, [](std::string bytes) {
    bifrons::read_safetensors(bifrons::testing::MemorySource(std::move(bytes)));
  });
}
