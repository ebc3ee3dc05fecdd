// Fuzz entry: any archive of torch.save.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"
#include "src/weights/torch_file.h"
#include "tests/weights/memory_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    bifrons::read_torch_file(bifrons::testing::MemorySource(std::move(bytes)));
  } catch (const bifrons::Error&) {  // the only exception a file may cause
  }
  return 0;
}
