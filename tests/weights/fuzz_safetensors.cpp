// Fuzz entry: any safetensors file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"
#include "src/weights/safetensors.h"
#include "tests/weights/memory_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    bifrons::read_safetensors(bifrons::testing::MemorySource(std::move(bytes)));
  } catch (const bifrons::Error&) {  // the only exception a file may cause
  }
  return 0;
}
