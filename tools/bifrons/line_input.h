// Lines a person types, or a pipe delivers.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace bifrons::cli {

// The next line each time, without its end; nothing at the end of input. Throws Error
// (interrupted) when a stop signal came meanwhile, (data) when a line is longer than 1 MiB.
class LineInput {
 public:
  virtual ~LineInput() = default;
  // `prompt` is shown where there is somebody to see it.
  virtual std::optional<std::string> next(const std::string& prompt) = 0;
};

// Reads stdin as it comes, prompting on stderr when `prompting`.
std::unique_ptr<LineInput> plain_lines(bool prompting);

// Reads from a terminal with a line to edit and a history, where this build has the library for
// it (line_input_edit.cpp); otherwise plain_lines(true).
std::unique_ptr<LineInput> terminal_lines();

}  // namespace bifrons::cli
