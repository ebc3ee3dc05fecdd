// --best-of: its options, and its additions to metadata and reports.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "src/understand.h"
#include "vision/pictures/picture_file.h"

namespace CLI {
class App;
}

namespace bifrons::cli {

struct BestOf {
  std::optional<int64_t> candidates;  // not set: one drawing for each picture, without a score
  std::string question;               // empty: the model's own question
  // For each picture.
  int64_t drawings() const { return candidates.value_or(1); }
  void add_to(CLI::App& command);
};

// The question, the seed and score of every candidate in order, and the seed of the chosen one.
nlohmann::json record_of(const Choice& choice);

// Adds this record to the metadata of a picture: all of it to the JSON, the score to the A1111
// text.
void add_judgement(PictureMetadata& metadata, const Choice& choice);

}  // namespace bifrons::cli
