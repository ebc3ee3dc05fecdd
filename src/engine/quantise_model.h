// Writes a quantised copy of a model directory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernels/weights.h"

namespace bifrons {

struct QuantisedModel {
  int64_t matrices = 0;      // quantised
  int64_t bytes_before = 0;  // of all tensors
  int64_t bytes = 0;
};

// Called while tensors are written. Return false to stop.
using QuantiseProgress = std::function<bool(int64_t done, int64_t total)>;

// Writes a model directory (docs/quantization.md) to `to`, which must not exist or be empty: the
// weights as one safetensors file, config.json with the record of the format, and the other small
// files of the directory. Loaded, it has the same bits as `from` quantised while loading. It takes
// memory for one matrix. Nothing is at `to` before all of it is written and synced; on failure what
// was written is removed. Throws Error: missing, data (also: a model that is quantised already, or
// columns that do not divide into groups), usage (`to` is not empty), cannot write, interrupted.
QuantisedModel quantise_model(const std::string& from, const std::string& to, LinearFormat format,
                              const QuantiseProgress& progress = {});

}  // namespace bifrons
