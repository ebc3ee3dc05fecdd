// Draws the pictures of a batch with one engine.
#pragma once

#include <cstdint>
#include <string>

#include "src/batch/batch_run.h"
#include "src/bifrons.h"
#include "src/understand.h"

namespace bifrons::cli {

struct BatchEngine {
  Engine& engine;
  BatchRun::Complete complete{};
  Understanding* judge = nullptr;  // chooses among candidates; null: one drawing of each picture
  int64_t candidates = 1;
  std::string question{};
};

// Draws until the run has no more pictures, or until `options.progress` says to stop. Throws what
// Engine::draw_batch() throws.
void draw_with(const BatchEngine& with, BatchRun& run, BatchOptions options);

}  // namespace bifrons::cli
