// Untrusted JSON: bounded before it is parsed, and asked for values with a sentence when they are
// not what they should be.
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
  int depth = 16;              // of arrays and objects within each other
  int64_t values = 4'000'000;  // of all kinds, names not counted
};

// One value and all below it. Integers without sign, fraction and exponent are kept exactly up to
// 2^64 - 1; all other numbers are reals, apart from negative integers above -2^63.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  struct Object;

  // Throws Error (data) "<name>: <reason>": too large or too deep (found before parsing), not JSON,
  // a name twice in an object ("a" and "\u0061" are one name).
  static Json parse(std::string_view text, const std::string& name, const JsonLimits& limits = {});

  Json();  // null
  Json(Json&&) noexcept;
  Json& operator=(Json&&) noexcept;
  ~Json();

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<std::unique_ptr<Array>>(value_); }
  bool is_object() const { return std::holds_alternative<std::unique_ptr<Object>>(value_); }
  // What it is, for messages: "null", "a string", ...
  std::string_view kind() const;

  // The member of that name; nullptr when there is none, or when this is no object.
  const Json* find(std::string_view name) const;

  // The value itself, or Error (data) "<where> is <kind>, not <what was asked for>"; `where` names
  // file and field.
  std::span<const Json> items(std::string_view where) const;      // of an array
  std::span<const Member> members(std::string_view where) const;  // of an object, in file order
  const std::string& text(std::string_view where) const;
  bool boolean(std::string_view where) const;
  int64_t unsigned_integer(std::string_view where) const;  // 0 to 2^63 - 1, written as such
  double real(std::string_view where) const;               // any number; finite
  bool is_number() const { return kind() == "a number"; }

  // Compact JSON text of it: UTF-8, numbers in the fewest digits that read back as the same.
  std::string dump() const;

 private:
  friend class JsonBuilder;
  using Value = std::variant<std::monostate, bool, uint64_t, int64_t, double, std::string,
                             std::unique_ptr<Array>, std::unique_ptr<Object>>;
  explicit Json(Value value);
  Value value_;
};

// `text`, which is UTF-8, as a JSON string in quotes. Control characters and DEL become escapes.
std::string json_text(std::string_view text);

struct Json::Object {
  std::vector<Member> members;   // in file order
  std::vector<uint32_t> sorted;  // positions in `members`, by name
};

}  // namespace bifrons
