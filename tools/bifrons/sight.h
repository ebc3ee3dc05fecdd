// What describe, ask and chat have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "src/understand.h"
#include "tools/bifrons/arguments.h"

namespace bifrons::cli {

// An engine and its other face, opened as the arguments say.
struct Sight {
  Engine engine;
  Understanding understanding;
};
Sight open_sight(const SightArguments& arguments);

Picture picture_for(const SightArguments& arguments, const std::string& path);

// Says it and, unless --json asks for objects, prints the reply as it comes, with a line end behind
// it. Throws Error (interrupted) when a stop signal came meanwhile.
Reply converse(Understanding& understanding, const SightArguments& arguments,
               std::string_view words);

nlohmann::json record_of(const Reply& reply);

// `bifrons chat`, with the model open.
int chat(Sight& sight, const SightArguments& arguments);

}  // namespace bifrons::cli
