// The safetensors container: header length, JSON header, data.
#pragma once

#include "src/io/byte_source.h"
#include "src/weights/container.h"

namespace bifrons {

// Reads and checks the header; no weights are read. Throws Error (data): header too large or not
// the expected JSON, duplicate tensor, unknown dtype, byte count that does not match the shape,
// gap, overlap, or data that do not end at the end of the file.
Container read_safetensors(const ByteSource& file);

}  // namespace bifrons
