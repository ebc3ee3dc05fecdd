// Results of a fake engine: the pixels of a picture are the letters of a text.
#pragma once

#include <string>
#include <vector>

#include "src/batch/batch_run.h"

namespace bifrons::testing {

// The caller sets how a picture becomes a file (`encode`).
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
