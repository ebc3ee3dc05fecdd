// Shared by several commands: messages, opening the model, reading and delivering pictures.
#pragma once

#include <exception>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "src/bifrons.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/output_names.h"
#include "vision/pictures/picture_read.h"

namespace bifrons::cli {

// Prints one line to stderr, unless --quiet is given.
void log(const Verbosity& verbosity, const std::string& line);

// Loads the model. Prints its name if it is the built-in one.
Engine open_engine(const EngineSetup& setup, const Verbosity& verbosity);

// With --verbose: the passes of the pictures drawn so far, and what speculative decoding gave.
void log_speculation(const SpeculationStats& stats, const Verbosity& verbosity);
std::string speculation_text(const SpeculationStats& stats);
// With --verbose: how pictures were decoded, if the device was asked whether it decodes several in
// a pass.
void log_decoding(const DecodeStats& stats, const Verbosity& verbosity);
std::string decoding_text(const DecodeStats& stats);  // empty if it was not asked
// The sums over all engines.
SpeculationStats total_speculation(std::span<const Engine> engines);
// Means over the passes of each picture; 0 before the first pass.
double codes_per_pass(const SpeculationStats& stats);
double mean_width(const SpeculationStats& stats);

// The last part of a directory path, with only the characters that are allowed in file names.
std::string model_name(const std::string& directory);

// Whether `failure` is only the error of a read that a stop signal interrupted.
bool is_stop(const std::exception_ptr& failure);

// The exit code if some of several items failed.
constexpr int kExitSomeFailed = 3;

// Maximum bytes of a prompt on stdin and of a file.
constexpr size_t kLongestPrompt = size_t{1} << 20;
constexpr size_t kLongestFile = size_t{64} << 20;

// All of stdin. Throws Error (data) if it is longer than `most` bytes or not UTF-8.
std::string text_on_stdin(size_t most);

// The bytes of a picture file, or of stdin for -. Throws Error: usage if stdin is a terminal,
// otherwise as read_file() and read_stdin() do.
std::string picture_bytes(const std::string& path);

// The picture in a regular file, or on stdin for -. Throws Error that names it: missing, or data
// (vision/pictures/picture_read.h).
Picture read_picture_file(const std::string& path,
                          Orientation orientation = Orientation::kAsStored);
Picture read_picture_file(const PictureFlags& flags);
// The picture in these bytes of a file, or of stdin for -. Throws Error (data) that names it.
Picture picture_of(const std::string& bytes, const std::string& path, Orientation orientation);

// Converts `picture` to the size of the model's pictures.
Picture fit_to_model(const Engine& engine, const Picture& picture, const Verbosity& verbosity);

// Encodes `picture` and saves it as `file` of the plan, or writes it to stdout. Prints the path
// unless `silent`. Returns the path ("-" for stdout).
std::string deliver(const Picture& picture, const PictureMetadata* metadata, const OutputPlan& plan,
                    const std::filesystem::path& file, bool silent, const Verbosity& verbosity);

// Throws Error before drawing if stdout is closed, or is a terminal that would get a PNG.
void check_stdout_for(const OutputPlan& plan);

// Prints one line of JSON to stdout.
void print_json(const nlohmann::json& object);

}  // namespace bifrons::cli
