// Numbers of bytes for people.
#pragma once

#include <fmt/format.h>

#include <string>

namespace bifrons::cli {

// "4.2 GB", "29.2 MB", "12 kB", "9 bytes".
inline std::string size_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.1f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return bytes >= 1e3 ? fmt::format("{:.0f} kB", bytes / 1e3) : fmt::format("{:.0f} bytes", bytes);
}

}  // namespace bifrons::cli
