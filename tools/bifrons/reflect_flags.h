// --reflect of `generate`, and what pictures say about their rounds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "src/reflect.h"
#include "vision/pictures/picture_file.h"

namespace CLI {
class App;
}

namespace bifrons::cli {

struct ReflectFlags {
  std::string rounds;  // empty: off
  std::optional<double> temperature;
  bool keep_all = false;

  void add_to(CLI::App& command);
  bool on() const { return !rounds.empty(); }
  // Throws Error (usage).
  ReflectOptions options() const;
};

// The rounds, as JSON.
nlohmann::json record_of(const Reflection& reflection);

// Adds round `index` and those before it to the metadata of its picture.
void add_reflection(PictureMetadata& metadata, const Reflection& reflection, size_t index);

}  // namespace bifrons::cli
