// Fuzz entry for torch.save archives.
#include "src/weights/torch_file.h"
#include "tests/weights/fuzz_entry.h"
#include "tests/weights/memory_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return bifrons::testing::fuzz(data, size, [](std::string bytes) {
    bifrons::read_torch_file(bifrons::testing::MemorySource(std::move(bytes)));
  });
}
