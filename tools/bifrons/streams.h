// The three standard streams. stdout carries data, stderr carries messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifrons::cli {

// Opens /dev/null for closed standard streams, so that no file of ours gets their numbers. Writing
// to a closed pipe or past a size limit becomes an error instead of a signal.
void prepare_standard_streams();

// Throws Error (cannot write) if stdout was closed at the start of the program.
void check_stdout();

// Throws Error (cannot write) if stdout does not accept all bytes.
void write_stdout(std::span<const uint8_t> bytes);
void write_stdout(std::string_view text);

// Errors are ignored, because the program can continue without stderr.
void print_stderr(std::string_view text);

// All of stdin. Throws Error: data if it is longer than `most` bytes, missing if it cannot be read,
// interrupted after a stop signal.
std::string read_stdin(size_t most);

// All of a regular file, or of a pipe that a shell passed (src/io/input_file.h). Throws Error:
// missing; data if it is of another kind or longer than `most` bytes; interrupted.
std::string read_file(const std::string& path, size_t most);

// Makes valid UTF-8 safe for a terminal: control characters except line ends and tabs become
// U+FFFD. Otherwise the reply of an untrusted model could control the terminal.
std::string harmless(std::string_view text);

bool stdin_is_terminal();
bool stdout_is_terminal();
// Whether stderr is a terminal that can redraw a line.
bool stderr_is_terminal();
int stderr_columns();  // 80 when unknown

}  // namespace bifrons::cli
