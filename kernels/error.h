// The two kinds of failure: Error for faults outside of the program (input, files, devices),
// check() for a broken contract inside it.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bifrons {

// What failed. The value is the exit code of the command line.
enum class ErrorKind : int {
  kFailed = 1,
  kUsage = 2,         // an argument or option value
  kData = 65,         // a file was read, but its contents are unusable
  kMissing = 66,      // no such input or model
  kUnavailable = 69,  // no usable device, or not enough memory on it
  kCannotWrite = 73,  // an output could not be written
  kInterrupted = 75,  // stopped early; running again resumes
};

// The message is one sentence for the person who can fix the fault. It names file, field and
// reason; no trailing newline.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& sentence) : std::runtime_error(sentence), kind_(kind) {}
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

// A caller inside the program broke a contract. Always checked; never used for input.
class ContractError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void check(bool holds, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (holds) return;
  throw ContractError(std::string(what) + " (" + where.file_name() + ":" +
                      std::to_string(where.line()) + ")");
}

}  // namespace bifrons
