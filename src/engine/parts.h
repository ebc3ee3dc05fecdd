// What an open engine is made of, for the library's other face.
#pragma once

#include <string>

#include "src/bifrons.h"
#include "src/model/model.h"
#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// Borrowed from the engine; they live as long as it does and stay where they are.
struct Engine::Parts {
  const std::string& directory;
  RopeMode rope;
  Backend& backend;
  const Config& config;
  const Tokenizer& tokenizer;
  const Transformer& transformer;
};

}  // namespace bifrons
