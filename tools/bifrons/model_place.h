// Finds the model directory, and says how to get one when there is none.
#pragma once

#include <string>

namespace bifrons::cli {

struct ModelPlace {
  std::string directory;
  bool built_in = false;  // nobody named a model: the storybook that comes with the program
};

// `wanted` as given, or the storybook when it is empty. Throws Error (missing) with advice.
ModelPlace find_model(const std::string& wanted);

// One line: which model this is, what it can draw and how to use another.
std::string built_in_note();

}  // namespace bifrons::cli
