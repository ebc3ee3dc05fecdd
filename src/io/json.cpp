// JSON values with checked access.
#include "src/io/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/error.h"

namespace bifrons {
namespace {

[[noreturn]] void wrong_kind(std::string_view where, const Json& value, std::string_view wanted) {
  throw Error(ErrorKind::kData, fmt::format("{} is {}, not {}", where, value.kind(), wanted));
}

}  // namespace

Json::Json() = default;
Json::Json(Value value) : value_(std::move(value)) {}
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

std::string_view Json::kind() const {
  constexpr std::array<std::string_view, 8> kKinds{
      "null", "a boolean", "a number", "a number", "a number", "a string", "an array", "an object"};
  return kKinds[value_.index()];
}

const Json* Json::find(std::string_view name) const {
  const auto* held = std::get_if<std::unique_ptr<Object>>(&value_);
  if (held == nullptr) return nullptr;
  const Object& object = **held;
  const auto at = std::lower_bound(
      object.sorted.begin(), object.sorted.end(), name,
      [&](uint32_t i, std::string_view wanted) { return object.members[i].first < wanted; });
  if (at == object.sorted.end() || object.members[*at].first != name) return nullptr;
  return &object.members[*at].second;
}

std::span<const Json> Json::items(std::string_view where) const {
  if (const auto* array = std::get_if<std::unique_ptr<Array>>(&value_)) return **array;
  wrong_kind(where, *this, "an array");
}

std::span<const Json::Member> Json::members(std::string_view where) const {
  if (const auto* object = std::get_if<std::unique_ptr<Object>>(&value_)) return (*object)->members;
  wrong_kind(where, *this, "an object");
}

const std::string& Json::text(std::string_view where) const {
  if (const auto* text = std::get_if<std::string>(&value_)) return *text;
  wrong_kind(where, *this, "a string");
}

bool Json::boolean(std::string_view where) const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  wrong_kind(where, *this, "a boolean");
}

int64_t Json::unsigned_integer(std::string_view where) const {
  const auto* value = std::get_if<uint64_t>(&value_);
  if (value == nullptr) wrong_kind(where, *this, "an integer of at least 0 in plain digits");
  if (*value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    throw Error(ErrorKind::kData, fmt::format("{} is {}, which is too large", where, *value));
  }
  return static_cast<int64_t>(*value);
}

double Json::real(std::string_view where) const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  wrong_kind(where, *this, "a number");
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Json::dump() const {
  if (is_null()) return "null";
  if (const auto* value = std::get_if<bool>(&value_)) return *value ? "true" : "false";
  if (const auto* value = std::get_if<uint64_t>(&value_)) return fmt::format("{}", *value);
  if (const auto* value = std::get_if<int64_t>(&value_)) return fmt::format("{}", *value);
  if (const auto* value = std::get_if<double>(&value_)) return fmt::format("{}", *value);
  if (const auto* value = std::get_if<std::string>(&value_)) return json_text(*value);
  std::string out;
  if (const auto* array = std::get_if<std::unique_ptr<Array>>(&value_)) {
    for (const Json& item : **array) out += (out.empty() ? "" : ",") + item.dump();
    return "[" + out + "]";
  }
  for (const Member& member : std::get<std::unique_ptr<Object>>(value_)->members) {
    out += (out.empty() ? "" : ",") + json_text(member.first) + ":" + member.second.dump();
  }
  return "{" + out + "}";
}

}  // namespace bifrons
