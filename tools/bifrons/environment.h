// Environment variables: read here in the command line, never in the library.
#pragma once

#include <cstdlib>
#include <string>

namespace bifrons::cli {

// Empty when it is not set.
inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace bifrons::cli
