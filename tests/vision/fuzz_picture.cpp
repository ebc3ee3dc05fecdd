// Fuzz entry for picture files, with and without orientation.
#include "tests/weights/fuzz_entry.h"
#include "vision/pictures/picture_read.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return bifrons::testing::fuzz(data, size, [](const std::string& bytes) {
    bifrons::read_picture({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                          bifrons::Orientation::kApply);
  });
}
