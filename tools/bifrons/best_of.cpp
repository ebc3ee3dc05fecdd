// The library writes the record as JSON text. The command line joins it with other JSON.
#include "tools/bifrons/best_of.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/bifrons/options.h"

namespace bifrons::cli {

void BestOf::add_to(CLI::App& command) {
  add_whole(command, "--best-of", "NUMBER", 1, 256, candidates,
            "Draw N for each picture and keep the one that the model itself says matches best "
            "(default 1)");
  add_value(
      command, "--match-question", "TEXT",
      [this](const std::string& text) {
        check_text("the question", text);
        if (text.empty()) throw Error(ErrorKind::kUsage, "--match-question: takes a question");
        question = text;
      },
      "What --best-of asks of each, to be answered with Yes or No; {prompt} is the prompt");
}

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
