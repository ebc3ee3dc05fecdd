// File descriptors: closed by themselves, written to the end, errors in words.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace bifrons {

// A file descriptor that closes itself.
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

// What the system calls an error number.
std::string reason_of(int error_number);

// Writes all of it, however often that takes. 0, or the error number of the write that failed.
int write_all(int file, std::string_view bytes);

}  // namespace bifrons
