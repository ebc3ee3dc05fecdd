// Recognises a wrong file by its first bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace bifrons {

// Number of bytes needed to recognise a file.
inline constexpr size_t kMagicBytes = 512;

// `front` is the beginning of a file that is not a valid `wanted` ("weights", "JSON"). Returns a
// clause for the message: what the file is, and what to do. The clause follows the file name.
// Returns nullopt if the kind is unknown.
std::optional<std::string> detect_file_kind(std::string_view front, std::string_view wanted);

}  // namespace bifrons
