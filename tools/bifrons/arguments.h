// What the command line was asked to do, as plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "src/understand.h"
#include "tools/bifrons/settings.h"

namespace bifrons::cli {

struct Verbosity {
  bool quiet = false;
  bool verbose = false;
};

struct GenerateArguments {
  Verbosity verbosity;
  Settings settings;  // only what flags said; a prompt from stdin is not there yet
  bool prompt_from_stdin = false;
  std::string like;
  int64_t count = 1;
  std::string output;
  bool overwrite = false;
  bool grid = false;
  bool json = false;
  bool metadata = true;
  std::string tokens_out;
  std::string model;  // "" when neither flag nor environment names one
  std::string device;
  int threads = 0;
  std::optional<int64_t> width;
  std::optional<int64_t> height;
  std::optional<int64_t> best_of;  // candidates for each picture
  std::string match_question;      // "": the model's own
  // Completes the requests once the engine is open; none: they are complete.
  std::function<void(Engine&, std::vector<DrawRequest>&)> prepare;
};

struct VaryArguments {
  GenerateArguments drawing;
  std::string image;
  std::string mask;
  std::optional<int64_t> keep_rows;
  std::optional<double> strength;
  bool apply_orientation = false;
};

struct EncodeArguments {
  Verbosity verbosity;
  std::string image;
  std::string output;
  bool overwrite = false;
  bool json = false;
  bool apply_orientation = false;
  std::string model;
  std::string device;
  int threads = 0;
};

struct ReconstructArguments : EncodeArguments {
  bool metadata = true;  // only the AI mark
};

enum class SightCommand { kDescribe, kAsk, kChat };

struct SightArguments {
  Verbosity verbosity;
  SightCommand command = SightCommand::kDescribe;
  std::vector<std::string> images;      // of describe; of ask, those after the first
  std::string image;                    // of ask and chat
  std::string asked;                    // of ask; - is stdin
  std::optional<std::string> question;  // of describe
  std::optional<std::string> system;
  ReplyOptions reply;
  bool apply_orientation = false;
  bool json = false;
  std::string model;
  std::string device;
  int threads = 0;
};

struct DecodeArguments {
  Verbosity verbosity;
  std::string tokens;
  std::string output;
  bool overwrite = false;
  bool json = false;
  bool metadata = true;  // only the AI mark: the codes do not say what they were drawn with
  std::string model;
  std::string device;
  int threads = 0;
};

struct InfoArguments {
  std::vector<std::string> files;  // - is stdin
  bool json = false;
};

struct InspectArguments {
  std::string model;
  bool json = false;
};

struct TokenizeArguments {
  std::string model;
  std::string text;
  bool from_stdin = false;
};

struct DoctorArguments {
  std::string model;
  std::string directory;  // where pictures would go
};

struct DevicesArguments {};

struct VersionArguments {
  bool verbose = false;
};

// Help and completion scripts: ready to be printed.
struct ShowArguments {
  std::string text;
};

using Command =
    std::variant<GenerateArguments, DecodeArguments, InfoArguments, InspectArguments,
                 TokenizeArguments, DoctorArguments, DevicesArguments, VersionArguments,
                 ShowArguments, SightArguments, VaryArguments, EncodeArguments,
                 ReconstructArguments,
                 std::function<int()>>;  // the last for commands that live in files of their own

// Reads flags and, for what they leave open, BIFRONS_MODEL, BIFRONS_DEVICE and BIFRONS_THREADS.
// Throws Error (usage).
Command parse_arguments(int argc, const char* const* argv);

}  // namespace bifrons::cli
