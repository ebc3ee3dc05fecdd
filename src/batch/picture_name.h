// Names of a batch's pictures: which ones are safe on every file system, and how patterns such as
// {id}/samples/{number:04} become them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/batch/prompt_line.h"

namespace bifrons {

// Why `part` can be no file or folder of a batch, as the end of a sentence; empty when it can: at
// most `longest` bytes of UTF-8 without controls, invisible characters and / \ : * ? " < > | !,
// that begins with no blank, dot, hyphen, tilde or mark, ends in no blank or dot, and is no device
// of Windows.
constexpr size_t kLongestName = 255;
std::string fault_of_name(std::string_view part, size_t longest = kLongestName);

// The same for a relative path of such parts, at most four deep.
std::string fault_of_path(std::string_view path);

// Throws Error (data) unless `id` is such a part of at most 100 bytes.
void check_id(std::string_view id);

// Throws Error (data) for a pattern that makes no such path whatever its placeholders stand for, or
// whose braces are wrong.
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
// placeholder, a value that is none, or a name that fault_of_path() refuses.
std::string picture_name(std::string_view pattern, const NameSource& source);

// Whether the pictures of one line get different names by the pattern itself.
bool tells_pictures_apart(std::string_view pattern);

}  // namespace bifrons
