// Shared by describe, ask and chat: their options, the open model, and a reply.
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

// Throws Error if the file is not a picture, before the model is loaded. A pipe is not checked,
// because it gives its bytes only once.
void check_picture(const UnderstandFlags& flags, const std::string& path);

// Sends `words` to the model. Without --json, prints the reply piece by piece and a line end.
// Throws Error (interrupted) after a stop signal.
Reply converse(Understanding& understanding, const UnderstandFlags& flags, std::string_view words);

nlohmann::json record_of(const Reply& reply);

// One JSON object with all replies of a command.
void print_replies(const Engine& engine, const nlohmann::json& replies);

}  // namespace bifrons::cli
