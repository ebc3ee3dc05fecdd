// The options of what decides a picture.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "tools/bifrons/settings.h"

namespace bifrons::cli {

template <typename T>
void add_number(CLI::App& command, const char* names, const char* about, std::optional<T>& value,
                std::function<T(const std::string&)> parse) {
  command
      .add_option_function<std::string>(
          names, [&value, parse](const std::string& text) { value = parse(text); }, about)
      ->type_name("NUMBER");
}

// `seed` is what the help says of --seed.
void add_setting_options(CLI::App& command, Settings& settings, const char* seed);

}  // namespace bifrons::cli
