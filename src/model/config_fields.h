// The fields of config.json, read with their defaults and checked against their ranges.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"

namespace bifrons {

// The fields of one JSON object of the file. ConfigFields that are absent or null have their
// default.
class ConfigFields {
 public:
  ConfigFields(const Json* object, std::string where) : object_(object), where_(std::move(where)) {
    if (object_ != nullptr) object_->members(where_);
  }

  const std::string& where() const { return where_; }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::string path(std::string_view name) const {
    return fmt::format("{}{}{}", where_, where_.ends_with(' ') ? "" : ".", name);
  }
  ConfigFields section(std::string_view name) const { return {find(name), path(name)}; }
  ConfigFields needed_section(std::string_view name) const {
    if (!has(name)) fail(name, "is missing");
    return section(name);
  }

  std::optional<std::string> text(std::string_view name) const {
    const Json* value = find(name);
    return value == nullptr ? std::nullopt : std::optional(value->text(path(name)));
  }
  std::optional<int64_t> integer(std::string_view name) const {
    const Json* value = find(name);
    return value == nullptr ? std::nullopt : std::optional(value->unsigned_integer(path(name)));
  }
  int64_t integer(std::string_view name, int64_t absent, int64_t low, int64_t high) const {
    const int64_t value = integer(name).value_or(absent);
    if (value < low || value > high) {
      fail(name, fmt::format("is {}; it must be from {} to {}", value, low, high));
    }
    return value;
  }
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> absent) const {
    const Json* value = find(name);
    if (value == nullptr) return absent;
    std::vector<int64_t> numbers;
    for (const Json& item : value->items(path(name))) {
      numbers.push_back(item.unsigned_integer(path(name)));
    }
    return numbers;
  }
  double real(std::string_view name, double absent) const {
    const Json* value = find(name);
    return value == nullptr ? absent : value->real(path(name));
  }
  // Refuses a field with a value other than `wanted`, which is also its default.
  void demand(std::string_view name, int64_t wanted, std::string_view what) const {
    const int64_t value = integer(name).value_or(wanted);
    if (value != wanted) fail(name, fmt::format("is {}, but {} is {}", value, what, wanted));
  }
  void demand_text(std::string_view name, std::string_view wanted) const {
    const std::string value = text(name).value_or(std::string(wanted));
    if (value != wanted) {
      fail(name, fmt::format("is {}; only {} is supported", quote(value, 60), wanted));
    }
  }
  std::optional<bool> boolean(std::string_view name) const {
    const Json* value = find(name);
    return value == nullptr ? std::nullopt : std::optional(value->boolean(path(name)));
  }
  void demand_false(std::string_view name) const {
    if (boolean(name).value_or(false)) fail(name, "is true, which is not supported");
  }
  [[noreturn]] void fail(std::string_view name, std::string_view reason) const {
    throw Error(ErrorKind::kData, fmt::format("{} {}", path(name), reason));
  }

 private:
  const Json* find(std::string_view name) const {
    const Json* value = object_ == nullptr ? nullptr : object_->find(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  const Json* object_;
  std::string where_;  // "<file>: " for the root, "<file>: section" for a section
};

}  // namespace bifrons
