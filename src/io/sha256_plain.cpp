// A processor without known instructions for SHA-256.
#include "src/io/sha256_blocks.h"

namespace bifrons {

Sha256Blocks sha256_instructions() { return nullptr; }

}  // namespace bifrons
