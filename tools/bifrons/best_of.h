// --best-of: its options, and what it adds to metadata and reports.
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
  std::optional<int64_t> candidates;  // not given: one drawing a picture, not scored
  std::string question;               // "": the model's own
  // For each picture.
  int64_t drawings() const { return candidates.value_or(1); }
  void add_to(CLI::App& command);
};

// The question, the seed and score of every candidate in order, and the seed that was kept.
nlohmann::json record_of(const Choice& choice);

// Adds that to the metadata of a picture: to the JSON, and the score to the A1111 text.
void add_judgement(PictureMetadata& metadata, const Choice& choice);

}  // namespace bifrons::cli
