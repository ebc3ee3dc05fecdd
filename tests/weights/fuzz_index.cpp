// Fuzz entry: any index of shards.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"
#include "src/weights/shards.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    bifrons::parse_index(bytes, ".bin", "index");
  } catch (const bifrons::Error&) {  // the only exception a file may cause
  }
  return 0;
}
