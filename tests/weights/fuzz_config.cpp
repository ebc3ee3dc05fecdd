// Fuzz entry: any config.json.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"
#include "src/model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    bifrons::parse_config(bytes, "config");
  } catch (const bifrons::Error&) {  // the only exception a file may cause
  }
  return 0;
}
