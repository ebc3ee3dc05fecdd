// Untrusted JSON as a tree of nlohmann-json, once src/io/json.h has accepted it.
#include "tools/bifrons/untrusted_json.h"

#include <fmt/format.h>

#include "src/bifrons.h"
#include "src/io/json.h"

namespace bifrons::cli {
namespace {

// A file of image codes holds all that one call of `generate` may draw: 9,999 pictures.
constexpr JsonLimits kLimits{.bytes = 64 << 20, .depth = 8, .values = 16'000'000};

}  // namespace

nlohmann::json parse_untrusted_json(std::string_view text, const std::string& name) {
  Json::parse(text, name, kLimits);
  return nlohmann::json::parse(text);
}

uint64_t whole_member(const nlohmann::json& object, const std::string& key, uint64_t most,
                      const std::string& name) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned() || found->get<uint64_t>() > most) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: {} must be a whole number from 0 to {}", name, key, most));
  }
  return found->get<uint64_t>();
}

}  // namespace bifrons::cli
