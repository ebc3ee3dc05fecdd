// Environment variables: read here in the command line, never in the library.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace bifrons::cli {

// Empty when it is not set.
inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// BIFRONS_PDL: 0 is never, 1 is always, and anything else leaves the choice to the engine
// (EngineOptions::pdl).
inline std::optional<bool> pdl_from_environment() {
  const std::string asked = environment("BIFRONS_PDL");
  if (asked == "0" || asked == "1") return asked == "1";
  return std::nullopt;
}

}  // namespace bifrons::cli
