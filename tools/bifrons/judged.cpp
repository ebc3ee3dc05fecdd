// The choice's JSON, and its score as one field of the A1111 text.
#include "tools/bifrons/judged.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace bifrons::cli {

nlohmann::json record_of(const Choice& choice) {
  return nlohmann::json::parse(choice_json(choice));
}

void add_judgement(PictureMetadata& metadata, const Choice& choice) {
  nlohmann::json settings = nlohmann::json::parse(metadata.settings);
  settings["best_of"] = record_of(choice);
  metadata.settings = settings.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  metadata.parameters += fmt::format(", Best of: {}, Match: {:.4f}", choice.candidates.size(),
                                     choice.candidates[choice.kept].judgement.score());
}

}  // namespace bifrons::cli
