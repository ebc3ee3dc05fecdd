// The three standard streams, for a program whose stdout is data and whose stderr is for messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifrons::cli {

// Opens /dev/null in place of closed standard streams, so that no file of ours gets their numbers,
// and makes writing to a closed pipe or past a size limit an error instead of a signal.
void prepare_standard_streams();

// Throws Error (cannot write) when stdout was closed before we started.
void check_stdout();

// Throws Error (cannot write) when stdout does not take all of it.
void write_stdout(std::span<const uint8_t> bytes);
void write_stdout(std::string_view text);

// Errors are ignored: a closed stderr is no reason to stop.
void print_stderr(std::string_view text);

// All of stdin. Throws Error: data when it is longer than `most` bytes, missing when it cannot be
// read, interrupted when a stop signal came meanwhile.
std::string read_stdin(size_t most);

// All of a regular file, or of a pipe that a shell handed over (src/io/input_file.h). Throws Error:
// missing, data when it is something else or longer than `most` bytes, interrupted.
std::string read_file(const std::string& path, size_t most);

// Valid UTF-8 made safe for a terminal: control characters except line ends and tabs become U+FFFD.
// The reply of an untrusted model could otherwise control the terminal.
std::string harmless(std::string_view text);

bool stdin_is_terminal();
bool stdout_is_terminal();
// A terminal that can redraw a line.
bool stderr_is_terminal();
int stderr_columns();  // 80 when unknown

}  // namespace bifrons::cli
