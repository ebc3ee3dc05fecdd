// What commands that draw have in common: verbosity, the model, and where pictures and paths go.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "src/bifrons.h"
#include "tools/bifrons/arguments.h"
#include "tools/bifrons/output_names.h"

namespace bifrons::cli {

// One line on stderr, unless told to be quiet.
void log(const Verbosity& verbosity, const std::string& line);

// Opens the model, saying which when it is the built-in one.
Engine open_engine(EngineOptions options, bool built_in, const Verbosity& verbosity);

// The last part of a directory, as file names may say it.
std::string model_name(const std::string& directory);

// Exit code: done, but for some of several things.
constexpr int kExitSomeFailed = 3;

// What reading a prompt or tokens from stdin may cost.
constexpr size_t kLongestPrompt = size_t{1} << 20;
constexpr size_t kLongestFile = size_t{64} << 20;

// Encodes and saves picture `i` of the plan, or sends it to stdout. Prints the path unless
// `silent`; returns it ("-" for stdout).
std::string deliver(const Picture& picture, const PictureMetadata* metadata, const OutputPlan& plan,
                    const std::filesystem::path& file, bool silent, const Verbosity& verbosity);

// What must hold for stdout before anything is drawn.
void check_stdout_for(const OutputPlan& plan);

}  // namespace bifrons::cli
