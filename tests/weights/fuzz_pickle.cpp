// Fuzz entry: any pickle.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"
#include "src/weights/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    bifrons::read_pickle(bytes, "pickle");
  } catch (const bifrons::Error&) {  // the only exception a file may cause
  }
  return 0;
}
