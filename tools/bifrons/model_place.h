// Finds the model directory. If there is none, the error says how to get one.
#pragma once

#include <string>

namespace bifrons::cli {

struct ModelPlace {
  std::string directory;
  bool built_in = false;  // no model was named: the storybook model of the program
};

// `wanted` as given, or the storybook model if it is empty. Throws Error (missing) with advice.
ModelPlace find_model(const std::string& wanted);

// One line: which model this is, what it can draw, and how to use another one.
std::string built_in_note();

}  // namespace bifrons::cli
