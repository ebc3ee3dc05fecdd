// Reads lines that a person types or a pipe delivers.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace bifrons::cli {

// Returns the next line without its end; nullopt at the end of input. Throws Error (interrupted)
// after a stop signal, (data) if a line is longer than 1 MiB.
class LineInput {
 public:
  virtual ~LineInput() = default;
  // `prompt` is shown only if input is interactive.
  virtual std::optional<std::string> next(const std::string& prompt) = 0;
};

// Reads stdin line by line. Prints the prompt to stderr if `prompting`.
std::unique_ptr<LineInput> plain_lines(bool prompting);

// Reads from a terminal with line editing and a history, if this build has the library for it
// (line_input_edit.cpp). Otherwise the same as plain_lines(true).
std::unique_ptr<LineInput> terminal_lines();

}  // namespace bifrons::cli
