// The safetensors container: a length, a JSON header, the data.
#pragma once

#include "src/io/byte_source.h"
#include "src/weights/container.h"

namespace bifrons {

// Reads and checks the header; no weights are read. Throws Error (data): header too large or not
// the JSON it must be, a tensor named twice, an unknown type, bytes that do not fit the shape, a
// hole, an overlap, or data that does not end where the file ends.
Container read_safetensors(const ByteSource& file);

}  // namespace bifrons
