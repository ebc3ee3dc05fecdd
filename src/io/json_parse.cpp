// Parser for untrusted JSON. Depth and size are checked before parsing.
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/error.h"
#include "src/io/byte_source.h"
#include "src/io/file_kind.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons {

namespace {

// "NaN", "-Infinity" and their like around byte `at`, where the parser stopped: other programs
// write them, and JSON has none.
std::optional<std::string_view> non_json_number(std::string_view text, size_t at) {
  constexpr std::string_view kSigns = "+-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr size_t kLongest = 9;
  at = std::min(at, text.size());
  const std::string_view before = text.substr(0, at);
  const size_t last = before.find_last_not_of(kSigns);
  const size_t begin = last == std::string_view::npos ? 0 : last + 1;
  const std::string_view rest = text.substr(begin);
  const std::string_view word = rest.substr(0, rest.find_first_not_of(kSigns));
  if (word.size() > kLongest || (begin > 0 && text[begin - 1] == '"')) return std::nullopt;
  std::string name = lower_case(word);
  if (name.starts_with('-') || name.starts_with('+')) name.erase(0, 1);
  if (name != "nan" && name != "inf" && name != "infinity") return std::nullopt;
  return word;
}

}  // namespace

// Receives nlohmann's events and builds the tree; the reason of a refusal is kept in `reason`.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  // `text`: what is parsed.
  JsonBuilder(int64_t max_values, std::string_view text) : values_left_(max_values), text_(text) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(Json::Value(value))); }
  bool number_integer(number_integer_t value) override {
    return add(Json(Json::Value(std::in_place_type<int64_t>, value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add(Json(Json::Value(std::in_place_type<uint64_t>, value)));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return add(Json(Json::Value(value)));
  }
  bool string(string_t& value) override { return add(Json(Json::Value(std::move(value)))); }
  bool binary(binary_t&) override { return fail("binary data"); }
  bool start_array(std::size_t) override {
    return add(Json(Json::Value(std::make_unique<Json::Array>())));
  }
  bool start_object(std::size_t) override {
    return add(Json(Json::Value(std::make_unique<Json::Object>())));
  }
  bool key(string_t& value) override {
    std::get<std::unique_ptr<Json::Object>>(open_.back()->value_)
        ->members.emplace_back(std::move(value), Json());
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool end_object() override;
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override;

  Json take() { return std::move(root_); }
  const std::string& reason() const { return reason_; }

 private:
  bool fail(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }
  bool add(Json value);

  int64_t values_left_;
  std::string_view text_;
  Json root_;
  // Arrays and objects that are not closed yet. Only the innermost one grows, so pointers to the
  // others stay valid.
  std::vector<Json*> open_;
  std::string reason_;
};

bool JsonBuilder::add(Json value) {
  if (--values_left_ < 0) return fail("too many values");
  const bool opens = value.is_array() || value.is_object();
  Json* place = &root_;
  if (open_.empty()) {
    root_ = std::move(value);
  } else if (auto* array = std::get_if<std::unique_ptr<Json::Array>>(&open_.back()->value_)) {
    place = &(*array)->emplace_back(std::move(value));
  } else {
    place = &std::get<std::unique_ptr<Json::Object>>(open_.back()->value_)->members.back().second;
    *place = std::move(value);
  }
  if (opens) open_.push_back(place);
  return true;
}

// nlohmann's own sentence repeats untrusted text; the place is what helps.
bool JsonBuilder::parse_error(std::size_t position, const std::string& token,
                              const nlohmann::detail::exception& error) {
  constexpr int kNumberOutOfRange = 406;
  if (error.id == kNumberOutOfRange) {
    return fail(fmt::format("the number {} at byte {} is too large", quote(token, 40),
                            position - std::min(position, token.size())));
  }
  const size_t at = position == 0 ? 0 : position - 1;
  if (const auto word = non_json_number(text_, at)) {
    return fail(fmt::format("{} at byte {} is not a JSON number", quote(*word),
                            word->data() - text_.data()));
  }
  return fail(
      fmt::format("not JSON at byte {}{}", at,
                  at >= text_.size() ? ", where it ends in the middle: it is cut off" : ""));
}

bool JsonBuilder::end_object() {
  Json::Object& object = *std::get<std::unique_ptr<Json::Object>>(open_.back()->value_);
  open_.pop_back();
  const auto name = [&](uint32_t i) -> std::string_view { return object.members[i].first; };
  object.sorted.resize(object.members.size());
  for (uint32_t i = 0; i < object.sorted.size(); ++i) object.sorted[i] = i;
  std::sort(object.sorted.begin(), object.sorted.end(),
            [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
  const auto twice = std::adjacent_find(object.sorted.begin(), object.sorted.end(),
                                        [&](uint32_t a, uint32_t b) { return name(a) == name(b); });
  if (twice == object.sorted.end()) return true;
  return fail(fmt::format("the name {} stands twice in one object", quote(name(*twice))));
}

namespace {

// Checks before parsing: size, depth, and NUL, which nlohmann treats as the end of the text.
std::optional<std::string> find_hazard(std::string_view text, const JsonLimits& limits) {
  if (std::cmp_greater(text.size(), limits.bytes)) {
    return fmt::format("{} bytes of JSON; at most {} are read", text.size(), limits.bytes);
  }
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') return fmt::format("not JSON at byte {}", i);
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limits.depth) {
        return fmt::format("nested deeper than {} levels at byte {}", limits.depth, i);
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::nullopt;
}

}  // namespace

Json Json::parse(std::string_view text, const std::string& name, const JsonLimits& limits) {
  if (const auto hazard = find_hazard(text, limits)) {
    refuse(name, detect_file_kind(text, "JSON").value_or(*hazard));
  }
  JsonBuilder builder(limits.values, text);
  bool good = false;
  try {
    good = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kUnavailable, name + ": not enough memory to read it");
  } catch (const std::exception&) {
    good = false;
  }
  if (good) return builder.take();
  if (const auto kind = detect_file_kind(text, "JSON")) refuse(name, *kind);
  refuse(name, builder.reason().empty() ? "not JSON" : builder.reason());
}

}  // namespace bifrons
