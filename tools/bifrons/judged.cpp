// The candidates' scores as JSON, and as one field of the A1111 text.
#include "tools/bifrons/judged.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace bifrons {

nlohmann::json record_of(const ChosenDrawing& chosen) {
  nlohmann::json candidates = nlohmann::json::array();
  for (const ChosenDrawing::Candidate& candidate : chosen.candidates) {
    candidates.push_back({{"seed", candidate.seed},
                          {"score", candidate.judgement.score()},
                          {"yes", candidate.judgement.yes},
                          {"no", candidate.judgement.no}});
  }
  return {{"question", chosen.question},
          {"kept", chosen.candidates[chosen.kept].seed},
          {"candidates", std::move(candidates)}};
}

void add_judgement(PictureMetadata& metadata, const ChosenDrawing& chosen) {
  nlohmann::json settings = nlohmann::json::parse(metadata.settings);
  settings["best_of"] = record_of(chosen);
  metadata.settings = settings.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  metadata.parameters += fmt::format(", Best of: {}, Match: {:.4f}", chosen.candidates.size(),
                                     chosen.candidates[chosen.kept].judgement.score());
}

}  // namespace bifrons
