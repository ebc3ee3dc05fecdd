// File descriptors: closing (RAII), complete writes, error texts.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace bifrons {

// A file descriptor that is closed by its destructor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// The system's text for an error number.
std::string reason_of(int error_number);

// Writes all bytes, in as many calls as needed. Returns 0, or the error number of the write that
// failed.
int write_all(int file, std::string_view bytes);

}  // namespace bifrons
