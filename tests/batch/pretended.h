// What an engine would give, had one drawn: pictures whose pixels are the letters of a text.
#pragma once

#include <string>
#include <vector>

#include "src/batch/batch_run.h"

namespace bifrons::testing {

// Whoever takes it says what a picture's file is.
inline BatchSetup pretended_setup(const std::string& directory, Shard shard) {
  BatchSetup setup;
  setup.directory = directory;
  setup.model.name = "pretended";
  setup.model.weights_hash = "0011223344556677";
  setup.device = "cpu";
  setup.shard = shard;
  return setup;
}

inline BatchResult pretended_result(uint64_t id, const std::string& shown) {
  Drawing drawing;
  drawing.picture = {1, 1, std::vector<uint8_t>(shown.begin(), shown.end())};
  drawing.tokens = {1, 2, 3};
  drawing.seconds = 1;
  return {id, std::move(drawing), std::nullopt, 1};
}

}  // namespace bifrons::testing
