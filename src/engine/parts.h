// The parts of an open engine that understanding (src/understand.h) and teacher forcing
// (src/engine/quality.h) use.
#pragma once

#include <string>

#include "src/bifrons.h"
#include "src/model/model.h"
#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// Borrowed from the engine: valid as long as it lives, at fixed addresses.
struct Engine::Parts {
  const std::string& directory;
  RopeMode rope;
  Backend& backend;
  const Config& config;
  const Tokenizer& tokenizer;
  const Transformer& transformer;
  const ImageHead& image_head;
};

}  // namespace bifrons
