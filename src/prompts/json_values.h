// The entries of a JSON array, or JSON values one after the other, taken from a stream without
// holding more than one of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace bifrons {

// One value as it stands in the file, at most `longest` bytes of it.
struct JsonEntry {
  std::string text;     // not parsed; its end is where brackets and quotes say
  std::string problem;  // why it cannot be used; empty when it can
};

class JsonValues {
 public:
  // A byte of the stream without taking it, -1 at the end; and taking it.
  struct Source {
    std::function<int()> peek;
    std::function<void()> take;
  };

  // `hopeless`: bytes of a value, or of blanks before it, after which no end is looked for.
  JsonValues(size_t longest, size_t hopeless) : longest_(longest), hopeless_(hopeless) {}

  // The next value. Nothing at the end, or behind a closed array when `one_array`. Throws Error
  // (data) when a value goes on for more than `hopeless` bytes.
  std::optional<JsonEntry> next(const Source& source, bool one_array);
  // Whether a bracket was opened that is not closed yet.
  bool inside_array() const { return inside_; }

 private:
  JsonEntry value(const Source& source) const;

  size_t longest_, hopeless_;
  bool inside_ = false;
  bool needs_comma_ = false;
  bool empty_ = true;
};

}  // namespace bifrons
