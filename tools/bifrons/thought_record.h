// Thoughts in metadata and reports: written and read.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/think.h"

namespace bifrons::cli {

// Adds a thought to the settings of a picture: `thought`, `thought_tokens`, `plan` where it plans
// boxes, and `think` with the style.
void add_thought(nlohmann::json& settings, const Thinking& thinking, const Thought& thought);

// Reads it back from the settings of a picture. Throws Error (data) that names `name`.
std::optional<ThinkOptions> recorded_thinking(const nlohmann::json& settings,
                                              const std::string& name);

// The boxes as a JSON array of objects with `name` and `box` (left, top, right, bottom).
nlohmann::json plan_json(const std::vector<PlannedBox>& plan);

}  // namespace bifrons::cli
