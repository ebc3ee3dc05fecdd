// Names of a batch's pictures from patterns such as {id}/samples/{number:04}.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/prompts/prompt_line.h"

namespace bifrons {

// Throws Error (data) for a pattern that makes no path of fault_of_path() whatever its placeholders
// stand for, or whose braces are wrong.
void check_output_name(std::string_view pattern);

// What the placeholders of a pattern stand for.
struct NameSource {
  const PromptLine& line;   // {id}, {line}: its number from 1, and its other columns by their names
  std::string_view prompt;  // {prompt}, and as {slug} short and in small letters
  uint64_t seed = 0;        // {seed}
  int64_t index = 0;        // {index}: of the picture in the batch, from 0
  int64_t number = 0;       // {number}: of the picture in its line, from 0
};

// The pattern filled in; numbers may have a width, {number:04}, and an offset, {line-1:05}. What a
// file name cannot hold becomes a hyphen, in values only. Throws Error (data): an unknown
// placeholder, or a value that is none. Whether it can be a name says fault_of_path().
std::string picture_name(std::string_view pattern, const NameSource& source);

// Whether the pictures of one line get different names by the pattern itself.
bool tells_pictures_apart(std::string_view pattern);

}  // namespace bifrons
