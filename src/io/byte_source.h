// Random access to the bytes of a file, as the readers of weight containers need it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifrons {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // The file name, quoted for messages, on one line.
  virtual const std::string& name() const = 0;
  // Size in bytes.
  virtual int64_t size() const = 0;
  // Fills `destination` with the bytes from `offset` on. Throws Error (data) if the bytes are not
  // all there or cannot be read. Never raises a signal.
  virtual void read(int64_t offset, std::span<std::byte> destination) const = 0;

  // Returns `count` bytes from `offset` on.
  std::string read_text(int64_t offset, int64_t count) const {
    std::string text(static_cast<size_t>(count), '\0');
    read(offset, std::as_writable_bytes(std::span(text)));
    return text;
  }
};

// Throws Error (data) "<file>: <reason>".
[[noreturn]] void refuse(std::string_view file, std::string_view reason);

}  // namespace bifrons
