// Untrusted JSON: size limits are checked before parsing. Access to a value of the wrong kind
// throws an error that names the field.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace bifrons {

struct JsonLimits {
  int64_t bytes = 32 << 20;    // of text
  int depth = 16;              // nesting of arrays and objects
  int64_t values = 4'000'000;  // of all kinds; names are not counted
};

// A JSON value with all values below it. Integers without sign, fraction and exponent are exact up
// to 2^64 - 1, and negative integers down to -2^63. All other numbers are doubles.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  struct Object;

  // Throws Error (data) "<name>: <reason>": too large or too deep (checked before parsing), not
  // JSON, or a duplicate name in an object ("a" and "\u0061" are the same name).
  static Json parse(std::string_view text, const std::string& name, const JsonLimits& limits = {});

  Json();  // null
  Json(Json&&) noexcept;
  Json& operator=(Json&&) noexcept;
  ~Json();

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<std::unique_ptr<Array>>(value_); }
  bool is_object() const { return std::holds_alternative<std::unique_ptr<Object>>(value_); }
  // The kind of the value for messages: "null", "a string", ...
  std::string_view kind() const;

  // The member with this name; nullptr if there is none, or if the value is not an object.
  const Json* find(std::string_view name) const;

  // These return the value, or throw Error (data) "<where> is <kind>, not <expected kind>". `where`
  // names file and field.
  std::span<const Json> items(std::string_view where) const;      // of an array
  std::span<const Member> members(std::string_view where) const;  // of an object, in file order
  const std::string& text(std::string_view where) const;
  bool boolean(std::string_view where) const;
  int64_t unsigned_integer(std::string_view where) const;  // 0 to 2^63 - 1, without a sign
  double real(std::string_view where) const;               // any number; finite
  bool is_number() const { return kind() == "a number"; }
  bool is_unsigned() const { return std::holds_alternative<uint64_t>(value_); }

  // Compact JSON text in UTF-8. Numbers have the fewest digits that give the same value when read.
  std::string dump() const;

 private:
  friend class JsonBuilder;
  using Value = std::variant<std::monostate, bool, uint64_t, int64_t, double, std::string,
                             std::unique_ptr<Array>, std::unique_ptr<Object>>;
  explicit Json(Value value);
  Value value_;
};

// Returns UTF-8 `text` as a quoted JSON string. Control characters and DEL are escaped.
std::string json_text(std::string_view text);

struct Json::Object {
  std::vector<Member> members;   // in file order
  std::vector<uint32_t> sorted;  // indices into `members`, sorted by name
};

}  // namespace bifrons
