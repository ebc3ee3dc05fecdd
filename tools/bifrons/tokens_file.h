// Image codes as JSON: written by --tokens-out, read by decode.
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
  bool drawn = true;            // false: taken from a picture, so of no prompt and seed
  // As read; empty where the file does not say. write_tokens() asks the model.
  std::string model_name, model_hash;
  std::vector<int64_t> grid;  // rows, columns
};

// One object for one record, an array of objects for several.
std::string write_tokens(std::span<const TokenRecord> records, const ModelInfo& model);

// That, or a bare array of codes; records without prompt or seed leave them empty. Throws Error
// (data) naming `name`. Whether the codes suit a model is for Engine::decode to say.
std::vector<TokenRecord> read_tokens(std::string_view text, const std::string& name);

}  // namespace bifrons::cli
