// Which names a batch gives to files and folders: those that every file system can hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

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

// A value as a name can hold it: what cannot stand there becomes a hyphen or, if it cannot be seen,
// goes. `begins`, `ends`: whether a part of the name begins or ends with it.
std::string harmless_value(std::string_view value, bool begins, bool ends);

}  // namespace bifrons
