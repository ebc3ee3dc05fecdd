// The library writes the record of the rounds as JSON text. The command line joins it with other
// JSON.
#include "tools/bifrons/reflect_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "src/settings/settings.h"
#include "tools/bifrons/options.h"

namespace bifrons::cli {

void ReflectFlags::add_to(CLI::App& command) {
  // A flag, so that a prompt after it is not its value.
  command.add_flag("--reflect", rounds,
                   "Let the model look at its picture and draw again if it says that it does not "
                   "match; --reflect=ROUNDS, 1 to 16, draws again so often at most (default 1)");
  add_value(
      command, "--reflect-temp", "X",
      [this](const std::string& text) {
        temperature = parse_setting(settings::kTemperature, "--reflect-temp", text);
      },
      "Temperature of verdict and reason; 0 takes the likeliest words (default 1)");
  add_flag(command, "--keep-all", keep_all,
           "With --reflect: also write the pictures that were drawn again, as NAME.round1.png");
}

ReflectOptions ReflectFlags::options() const {
  ReflectOptions options;
  if (rounds != "true") {
    options.rounds = static_cast<int64_t>(parse_whole("--reflect", rounds, 1, kMostReflections));
  }
  options.temperature = temperature.value_or(options.temperature);
  return options;
}

nlohmann::json record_of(const Reflection& reflection) {
  return nlohmann::json::parse(reflection_json(reflection));
}

void add_reflection(PictureMetadata& metadata, const Reflection& reflection, size_t index) {
  nlohmann::json rounds = record_of(reflection);
  rounds.erase(rounds.begin() + static_cast<int64_t>(index) + 1, rounds.end());
  nlohmann::json settings = nlohmann::json::parse(metadata.settings);
  settings["reflect"] = rounds;
  metadata.settings = settings.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  metadata.parameters += fmt::format(", Reflect: {} of {}", index + 1, reflection.size());
}

}  // namespace bifrons::cli
