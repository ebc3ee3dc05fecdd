// JSON from files that anyone may have written.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bifrons::cli {

// Throws Error (data) naming `name` as Json::parse() does, of depth for what is nested deeper than
// our own files ever are.
nlohmann::json parse_untrusted_json(std::string_view text, const std::string& name);

// A whole number in [0, most] under `key`. Throws Error (data) for anything else.
uint64_t whole_member(const nlohmann::json& object, const std::string& key, uint64_t most,
                      const std::string& name);

}  // namespace bifrons::cli
