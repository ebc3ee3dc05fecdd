// Reads JSON from untrusted files.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bifrons::cli {

// Throws Error (data) that names `name`, as Json::parse() does. Also for JSON nested deeper than
// any of our own files.
nlohmann::json parse_untrusted_json(std::string_view text, const std::string& name);

// An integer in [0, most] under `key`. Throws Error (data) for any other value.
uint64_t whole_member(const nlohmann::json& object, const std::string& key, uint64_t most,
                      const std::string& name);

}  // namespace bifrons::cli
