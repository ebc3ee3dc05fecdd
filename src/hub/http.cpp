// What every build needs of HTTP.
#include "src/hub/http.h"

#include <charconv>

namespace bifrons::hub {

const std::string& HttpReply::header(const std::string& name) const {
  static const std::string kNone;
  const auto at = headers.find(name);
  return at == headers.end() ? kNone : at->second;
}

std::optional<int64_t> HttpReply::number(const std::string& name) const {
  const std::string& text = header(name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 && value <= (int64_t{1} << 62) ? std::optional(value) : std::nullopt;
}

}  // namespace bifrons::hub
