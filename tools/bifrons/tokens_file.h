// Image codes as JSON: --tokens-out writes them, and decode reads them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/bifrons.h"

namespace bifrons::cli {

struct TokenRecord {
  std::string prompt;
  uint64_t seed = 0;
  std::vector<int32_t> tokens;  // raster order
  bool drawn = true;            // false: encoded from a picture, so without prompt and seed
  // As read; empty if the file has no such member. write_tokens() uses those of the model.
  std::string model_name, model_hash;
  std::vector<int64_t> grid;  // rows, columns
};

// Writes one object for one record, or an array of objects for several.
std::string write_tokens(std::span<const TokenRecord> records, const ModelInfo& model);

// Reads this format, or a plain array of codes. Without prompt or seed in the file they stay empty.
// Throws Error (data) that names `name`. Engine::decode checks whether the codes fit the model.
std::vector<TokenRecord> read_tokens(std::string_view text, const std::string& name);

}  // namespace bifrons::cli
