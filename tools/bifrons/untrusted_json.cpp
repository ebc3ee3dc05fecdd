// A depth gate before nlohmann-json, and members with ranges.
#include "tools/bifrons/untrusted_json.h"

#include <fmt/format.h>

#include "src/bifrons.h"

namespace bifrons::cli {
namespace {

constexpr int kDeepest = 8;

bool nested_too_deep(std::string_view text) {
  int depth = 0;
  bool inside_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside_string) {
      if (c == '\\') ++i;
      if (c == '"') inside_string = false;
    } else if (c == '"') {
      inside_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

nlohmann::json parse_untrusted_json(std::string_view text, const std::string& name) {
  if (nested_too_deep(text)) {
    throw Error(ErrorKind::kData, fmt::format("{}: JSON nested deeper than {}", name, kDeepest));
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {  // its text would echo the file
    throw Error(ErrorKind::kData, fmt::format("{}: not JSON, at byte {}", name, error.byte));
  } catch (const nlohmann::json::exception&) {  // a number no double can hold
    throw Error(ErrorKind::kData, fmt::format("{}: a number in the JSON is out of range", name));
  }
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
