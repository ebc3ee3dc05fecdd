// What describe, ask and chat share: their options, the open model, and a reply.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "src/understand.h"
#include "tools/bifrons/options.h"

namespace bifrons::cli {

struct UnderstandFlags {
  ReplyOptions reply;
  std::optional<std::string> system;
  Orientation orientation = Orientation::kAsStored;
  bool json = false;
  EngineFlags engine;
  Verbosity verbosity;
  void add_to(CLI::App& command);
};

struct OpenModel {
  Engine engine;
  Understanding understanding;
};
OpenModel open_model(const UnderstandFlags& flags);

// Throws Error when the file is no picture, so that this costs no loading of the model. A pipe
// gives its bytes only once and is not looked at.
void check_picture(const UnderstandFlags& flags, const std::string& path);

// Sends `words` to the model. Prints the reply piece by piece and a line end, unless --json. Throws
// Error (interrupted) when a stop signal came.
Reply converse(Understanding& understanding, const UnderstandFlags& flags, std::string_view words);

nlohmann::json record_of(const Reply& reply);

// One JSON object with all replies of a command.
void print_replies(const Engine& engine, const nlohmann::json& replies);

}  // namespace bifrons::cli
